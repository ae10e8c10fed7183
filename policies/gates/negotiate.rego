# METADATA
# title: The gate negotiate
# description: May this offer, request or agreement be signed? Both sides ask, about the consumer.
# custom:
#   title_ko: 게이트 협상
#   plain_ko: 허가를 받은 기관과, 제공 조건 그대로일 때만 계약합니다.
#   plain_en: Agrees only with the holder of a permit, and only on the clauses that were offered.
#   owner: 공용 DRB / shared DRB
package dure.gates.negotiate

import data.dure.common
import data.dure.rows

default decision := {
	"allow": false,
	"reasons": [{"code": "fact-missing", "rule": "facts", "needed": "a complete set of facts", "seen": null}],
	"valid_until": null,
}

# METADATA
# entrypoint: true
decision := rows.judged(checks(input.facts, input.now), rows.until("negotiate", input.facts, input.now))

checks(facts, now) := rows.joined([
	common.standing(facts),
	[rows.exactly("not-a-member", facts, ["provider", "active"], true)],
	common.foreign(facts),
	common.unless_public(facts, common.permit(facts, now)),
	common.unless_public(facts, [rows.present("description-without-legal-basis", facts, ["dataset", "legal_basis"])]),
	[rows.empty("offer-changed", facts, ["offer", "differences"])],
])
