# METADATA
# title: The gate catalog
# description: May a member see this offer? A yes means that it may apply, never that it is allowed.
# custom:
#   title_ko: 게이트 목록
#   plain_ko: 현재 자격이 있는 참여기관에게, 신청할 수 있는 제공만 보여 줍니다.
#   plain_en: Shows members the offers that they may apply for.
#   owner: 공용 DRB / shared DRB
package dure.gates.catalog

import data.dure.common
import data.dure.rows

default decision := {
	"allow": false,
	"reasons": [{"code": "fact-missing", "rule": "facts", "needed": "a complete set of facts", "seen": null}],
	"valid_until": null,
}

# METADATA
# entrypoint: true
decision := rows.judged(checks(input.facts, input.now), rows.until("catalog", input.facts, input.now))

checks(facts, _) := rows.joined([
	common.standing(facts),
	common.foreign(facts),
	common.unless_public(facts, [rows.present("description-without-legal-basis", facts, ["dataset", "legal_basis"])]),
])
