# METADATA
# title: The gate egress
# description: May this output leave the zone? First the automatic checks, then people who did not ask.
# custom:
#   title_ko: 게이트 반출
#   plain_ko: 자동 점검을 통과하고, 요청 기관 밖의 두 사람이 심사한 결과만 내보냅니다.
#   plain_en: Releases results that pass the automatic checks and two reviewers of other organisations.
#   owner: 공용 DRB / shared DRB
package dure.gates.egress

import data.dure.common
import data.dure.rows

default decision := {
	"allow": false,
	"reasons": [{"code": "fact-missing", "rule": "facts", "needed": "a complete set of facts", "seen": null}],
	"valid_until": null,
}

# METADATA
# entrypoint: true
decision := rows.judged(checks(input.facts, input.request, input.now), rows.until("egress", input.facts, input.now))

checks(facts, request, now) := rows.joined([
	common.standing(facts),
	common.permit(facts, now),
	common.agreement(facts, now),
	common.agreed_permit(facts),
	common.receipt(facts),
	[rows.exactly("provider-stopped", facts, ["snapshot", "stopped"], false)],
	kind(facts, rows.at(facts, ["output", "kind"])),
	form(facts),
	findings(facts),
	reviews(facts, rows.at(request, ["step"])),
])

# What it is, by its content and never by its name.
form(facts) := [
	rows.exactly("format-refused", facts, ["output", "structural_ok"], true),
	rows.allowed("format-refused", facts, ["output", "format"], formats),
] if {
	formats := object.get(data.board.formats, rows.at(facts, ["output", "kind"]), [])
}

# Everything that the checks found is a reason of its own.
findings(facts) := [finding(one) | some one in found] if {
	found := rows.at(facts, ["output", "findings"])
	is_array(found)
}

else := [rows.present("fact-missing", facts, ["output", "findings"])]

finding(one) := {
	"code": text(one),
	"rule": "output.findings",
	"needed": object.get(one, "needed", null),
	"seen": object.get(one, "seen", null),
	"ok": false,
} if {
	is_object(one)
}

else := {"code": "fact-missing", "rule": "output.findings", "needed": "a finding", "seen": one, "ok": false}

text(one) := one.code if is_string(one.code)

else := "fact-missing"

kind(facts, "model") := array.concat(memory(facts), [rows.at_most(
	"residual-capacity", facts,
	["output", "residual_bytes"],
	data.board.residual_bytes,
)])

kind(_, "metric") := []

kind(_, "aggregate") := []

kind(facts, "record") := [rows.row("record-level", ["output", "kind"], "aggregate", "record", false)] if facts

kind(facts, kind) := [rows.allowed("output-outside-offer", facts, ["output", "kind"], ["model", "metric", "aggregate"])] if {
	not kind in {"model", "metric", "aggregate", "record"}
}

# Membership is judged per class: an average hides the few who had the event.
memory(facts) := [row |
	some class, auc in measured
	limit := data.board.membership_auc_permille
	row := rows.row("memorised", ["output", "mia", class], limit, auc, rows.not_less(limit, auc))
] if {
	measured := rows.at(facts, ["output", "mia"])
	is_object(measured)
	count(measured) > 0
}

else := [rows.row("memorised", ["output", "mia"], "a result per class", null, false)]

# At "check" nobody has looked yet; at "review" one person starts to; anything else is the release.
reviews(_, "check") := []

reviews(facts, "review") := strangers(facts)

reviews(facts, step) := array.concat(strangers(facts), [enough(facts)]) if not step in {"check", "review"}

strangers(facts) := [
	stranger("requester-reviews", facts, "person"),
	stranger("same-organisation", facts, "organisation"),
]

stranger(code, facts, what) := rows.row(code, ["reviews", what], "another", asked, ok) if {
	asked := rows.at(facts, ["requester", what])
	ok := apart(asked, rows.at(facts, ["reviews"]), what)
}

default apart(_, _, _) := false

apart(asked, reviews_, what) if {
	asked != null
	is_array(reviews_)
	count([one | some one in reviews_; is_string(one[what]); one[what] != asked]) == count(reviews_)
}

enough(facts) := rows.row("second-review-missing", ["reviews"], data.board.reviews, seen, rows.not_less(seen, data.board.reviews)) if {
	seen := count({one.person | some one in facts.reviews; one.decision == "release"})
}

else := rows.row("second-review-missing", ["reviews"], data.board.reviews, null, false)
