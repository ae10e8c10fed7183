# METADATA
# title: The gate transfer
# description: May this snapshot be sent to that place? Asked at the request and again when the token is used.
# custom:
#   title_ko: 게이트 전송
#   plain_ko: 계약한 스냅숏을, 허가에 적힌 분석 구역으로, 한 번만 밀어 보냅니다.
#   plain_en: Pushes the agreed snapshot to the permit's zone, once.
#   owner: 공용 DRB / shared DRB
package dure.gates.transfer

import data.dure.common
import data.dure.rows

default decision := {
	"allow": false,
	"reasons": [{"code": "fact-missing", "rule": "facts", "needed": "a complete set of facts", "seen": null}],
	"valid_until": null,
}

# METADATA
# entrypoint: true
decision := rows.judged(checks(input.facts, input.now), rows.until("transfer", input.facts, input.now))

checks(facts, now) := rows.joined([
	common.standing(facts),
	common.foreign(facts),
	common.unless_public(facts, common.permit(facts, now)),
	common.agreement(facts, now),
	common.unless_public(facts, sealed(facts)),
	[rows.exactly("token-used", facts, ["token", "used"], false)],
])

# Data that is not public goes by push, to a slot that the hospital fetched from the zone itself.
sealed(facts) := rows.joined([
	common.agreed_permit(facts),
	common.receipt(facts),
	common.snapshot(facts),
	[
		rows.exactly("zone-only", facts, ["destination", "kind"], "push"),
		rows.same("zone-only", facts, ["destination", "zone_did"], ["permit", "zone"]),
		rows.exactly("zone-only", facts, ["destination", "slot"], true),
	],
	common.zone(facts),
])
