# METADATA
# title: ODRL evaluator
# description: |
#   Reads a normalised policy against the state of the world. Three-valued and closed: what is unknown blocks a
#   permission and keeps a prohibition in force. A clause that a later gate decides is `later`: it neither hides nor grants.
# custom:
#   title_ko: ODRL 평가기
#   plain_ko: 정책의 각 조항을 사실과 견줍니다. 알 수 없는 것은 허용하지 않습니다.
#   plain_en: Compares each clause of a policy with the facts. What is unknown is not allowed.
#   owner: 공용 DRB / shared DRB
package dure.odrl

default decision := {
	"allow": false,
	"hypothetical": false,
	"reasons": [{"code": "odrl-unknown", "rule": "policy", "needed": "a readable policy", "seen": null}],
	"obligations": [],
	"report": [],
}

# METADATA
# entrypoint: true
decision := document(input.policy, context(input))

# What the evaluation leans on; what is absent is null or empty.
context(given) := {
	"gate": given.gate,
	"rank": rank(given),
	"action": field(given, ["request", "action"]),
	"target": target,
	"targets": array.concat([target], object.get(part_of, target, [])),
	"party": party,
	"parties": array.concat([party], object.get(part_of, party, [])),
	"end": field(given, ["facts", "permit", "until"]),
	"agreed": object.get(given, "agreed_at", null),
	"duties": object.get(given, "duties", {}),
	"units": object.get(given, "units", {}),
	"world": given.world,
} if {
	target := field(given, ["facts", "dataset", "id"])
	party := field(given, ["facts", "party", "did"])
	part_of := object.get(given, "part_of", {})
}

# `hold` asks again as the gate that granted.
rank(given) := object.get(data.profile.gates, field(given, ["request", "stage"]), 0) if given.gate == "hold"

else := object.get(data.profile.gates, given.gate, 0)

field(doc, path) := object.get(doc, path, null)

document(policy, ctx) := {
	"allow": count(reasons) == 0,
	"hypothetical": policy.kind in {"Offer", "Request"},
	"reasons": reasons,
	"obligations": duties,
	"report": array.concat(permissions, prohibitions),
} if {
	# Rules that still have to be fetched from another policy are missing here.
	object.get(policy, "inherits", []) == []

	# A comprehension drops what is undefined: each count is compared, so that no rule gets lost.
	permissions := [permission(one, ctx) | some one in policy.permissions]
	count(permissions) == count(policy.permissions)
	prohibitions := [prohibition(one, ctx) | some one in policy.prohibitions]
	count(prohibitions) == count(policy.prohibitions)
	duties := [duty(one, "post", ctx) | some one in policy.obligations]
	count(duties) == count(policy.obligations)
	parts := [
		kind_reasons(policy.kind, ctx.rank),
		forbidden(object.get(policy, "conflict", "invalid"), permissions, prohibitions, ctx),
		[why | some one in prohibitions; some why in duty_reasons(one.remedies)],
		duty_reasons(duties),
		permission_reasons(permissions, ctx),
	]
	reasons := [why | some part in parts; some why in part]
}

# An offer is a proposition: from the transfer on only an agreement grants. Outside the gates a set does, too.
kind_reasons("Agreement", _) := []

kind_reasons("Set", rank) := [] if rank == data.profile.gates.ask

else := proposed("Set", rank)

kind_reasons("Offer", rank) := proposed("Offer", rank)

kind_reasons("Request", rank) := proposed("Request", rank)

proposed(_, rank) := [] if rank < data.profile.gates.transfer

else := [reason("odrl-unknown", "policy", "Agreement", "Offer")]

# ---- prohibitions and conflicts

granting(permissions) := [one | some one in permissions; one.state in {"satisfied", "later"}]

biting(prohibitions) := [one | some one in prohibitions; one.state in {"satisfied", "unknown"}]

# Where a permission and a prohibition meet, the policy says who wins: the permission ("perm"), the prohibition
# ("prohibit"), or nobody, and then the whole policy says nothing ("invalid", also when it is silent).
forbidden("perm", permissions, prohibitions, ctx) := [] if count(granting(permissions)) > 0

else := prohibited(prohibitions, ctx)

forbidden("prohibit", _, prohibitions, ctx) := prohibited(prohibitions, ctx)

forbidden("invalid", permissions, prohibitions, ctx) := prohibited(prohibitions, ctx) if count(biting(prohibitions)) > 0

else := [reason("odrl-conflict", one.rule, "a policy without contradiction", other.rule) |
	some one in permissions
	some other in prohibitions
	contradicts(one, other)
]

prohibited(prohibitions, ctx) := [reason("odrl-prohibited", one.rule, null, ctx.action) | some one in biting(prohibitions)]

# The prohibition takes back all that the permission gives, whatever is asked now.
contradicts(one, other) if {
	covers(other.about.action, one.about.action)
	meets(one.about.target, other.about.target)
	meets(one.about.assignee, other.about.assignee)
	other.refinements == []
	all_of([clause.state | some clause in one.constraints]) == "satisfied"
	all_of([clause.state | some clause in other.constraints]) in {"satisfied", "unknown"}
}

meets(_, null)

meets(name, other) if {
	is_string(other)
	name in {null, other}
}

# ---- why not

permission_reasons(permissions, ctx) := [] if count(granting(permissions)) > 0

else := [reason("odrl-unsatisfied", "permission", "a permission", null)] if {
	count(permissions) == 0
}

else := [why |
	some one in permissions
	some why in rule_reasons(one, ctx)
]

rule_reasons(one, ctx) := found if {
	one.state == "inapplicable"
	found := clause_reasons(one.refinements)
	count(found) > 0
}

else := [reason("odrl-unsatisfied", one.rule, one.about, asked)] if {
	one.state == "inapplicable"
	asked := {"action": ctx.action, "target": ctx.target, "assignee": ctx.party}
}

else := array.concat(clause_reasons(array.concat(one.refinements, one.constraints)), duty_reasons(one.duties))

clause_reasons(clauses_) := [clause_reason(clause) |
	some clause in clauses_
	clause.state in {"unsatisfied", "unknown"}
]

clause_reason(clause) := reason("odrl-unknown", clause.path, clause.needed, clause.seen) if clause.state == "unknown"

else := reason(clause.code, clause.path, clause.needed, clause.seen)

duty_reasons(duties) := [reason("odrl-duty", one.rule, "fulfilled", one.state) | some one in duties; one.blocks]

reason(code, rule, needed, seen) := {"code": code, "rule": rule, "needed": needed, "seen": seen}
