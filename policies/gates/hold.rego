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
	common.permit(facts, now),
	leaning(facts, rows.at(request, ["stage"]), now),
])

# What the grant leaned on, by the gate that gave it.
leaning(_, "negotiate", _) := []

leaning(facts, stage, now) := rows.joined([
	common.agreement(facts, now),
	common.snapshot(facts),
	common.zone(facts),
]) if {
	stage in {"transfer", "submit", "egress"}
}

leaning(_, stage, _) := [rows.row("fact-missing", ["request", "stage"], "a gate that grants", stage, false)] if {
	not stage in {"negotiate", "transfer", "submit", "egress"}
}
