# METADATA
# title: The gate hold
# description: May what runs go on? Asked for every grant when a fact that carried it has changed.
# custom:
#   title_ko: 게이트 유지
#   plain_ko: 권리가 끝나면 그에 기대던 모든 것을 멈춥니다.
#   plain_en: Stops whatever leaned on a right when the right ends.
#   owner: 공용 DRB / shared DRB
package dure.gates.hold

import data.dure.common
import data.dure.rows

default decision := {
	"allow": false,
	"reasons": [{"code": "fact-missing", "rule": "facts", "needed": "a complete set of facts", "seen": null}],
	"valid_until": null,
}

# METADATA
# entrypoint: true
decision := rows.judged(checks(input.facts, input.request, input.now), rows.until("hold", input.facts, input.now))

checks(facts, request, now) := rows.joined([
	[rows.exactly("not-a-member", facts, ["party", "active"], true)],
	[rows.exactly("release-inactive", facts, ["revision", "active"], true)],
	permit(facts, rows.at(request, ["stage"]), now),
	leaning(facts, rows.at(request, ["stage"]), now),
])

# Agreements on public data and their transfers lean on no permit; nothing else goes without.
permit(facts, stage, now) := common.unless_public(facts, common.permit(facts, now)) if {
	stage in {"negotiate", "transfer"}
}

else := common.permit(facts, now)

# What sealed data lean on beside the agreement.
sealed(facts) := rows.joined([common.agreed_permit(facts), common.snapshot(facts), common.zone(facts)])

# What the grant leaned on, by the gate that gave it.
leaning(_, "negotiate", _) := []

leaning(facts, "transfer", now) := array.concat(
	common.agreement(facts, now),
	common.unless_public(facts, sealed(facts)),
)

leaning(facts, stage, now) := array.concat(common.agreement(facts, now), sealed(facts)) if {
	stage in {"submit", "egress"}
}

leaning(_, stage, _) := [rows.row("fact-missing", ["request", "stage"], "a gate that grants", stage, false)] if {
	not stage in {"negotiate", "transfer", "submit", "egress"}
}
