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
	"reasons": [{"code": "odrl-unknown", "rule": "policy", "needed": "a readable policy", "seen": null}],
	"obligations": [],
	"report": [],
}

# METADATA
# entrypoint: true
decision := document(input.policy, context(input))

# What the evaluation leans on; what is absent is null.
context(given) := {
	"gate": given.gate,
	"rank": rank(given),
	"action": field(given, ["request", "action"]),
	"target": field(given, ["facts", "dataset", "id"]),
	"party": field(given, ["facts", "party", "did"]),
	"end": field(given, ["facts", "permit", "until"]),
	"world": given.world,
}

# `hold` asks again as the gate that granted.
rank(given) := object.get(data.profile.gates, field(given, ["request", "stage"]), 0) if given.gate == "hold"

else := object.get(data.profile.gates, given.gate, 0)

field(doc, path) := object.get(doc, path, null)

document(policy, ctx) := {
	"allow": count(reasons) == 0,
	"reasons": reasons,
	"obligations": duties,
	"report": array.concat(permissions, prohibitions),
} if {
	# A comprehension drops what is undefined: each count is compared, so that no rule gets lost.
	permissions := [permission(one, ctx) | some one in policy.permissions]
	count(permissions) == count(policy.permissions)
	prohibitions := [prohibition(one, ctx) | some one in policy.prohibitions]
	count(prohibitions) == count(policy.prohibitions)
	duties := [due(one, ctx) | some one in policy.obligations]
	count(duties) == count(policy.obligations)
	forbidden := [reason("odrl-prohibited", one.rule, null, ctx.action) |
		some one in prohibitions
		one.state in {"satisfied", "unknown"}
	]
	first := array.concat(kind_reasons(policy.kind, ctx.rank), forbidden)
	reasons := array.concat(first, permission_reasons(permissions, ctx))
}

# An offer is a proposition: from the transfer on only an agreement grants.
kind_reasons("Agreement", _) := []

kind_reasons("Offer", rank) := [] if rank < data.profile.gates.transfer

else := [reason("odrl-unknown", "policy", "Agreement", "Offer")]

permission_reasons(permissions, ctx) := [] if {
	some one in permissions
	one.state in {"satisfied", "later"}
}

else := [reason("odrl-unsatisfied", "permission", "a permission", null)] if {
	count(permissions) == 0
}

else := [why |
	some one in permissions
	some why in rule_reasons(one, ctx)
]

rule_reasons(one, ctx) := [reason("odrl-unsatisfied", one.rule, one.about, asked)] if {
	one.state == "inapplicable"
	asked := {"action": ctx.action, "target": ctx.target, "assignee": ctx.party}
}

else := [clause_reason(clause) |
	some clause in one.constraints
	clause.state in {"unsatisfied", "unknown"}
]

clause_reason(clause) := reason("odrl-unknown", clause.path, clause.needed, clause.seen) if clause.state == "unknown"

else := reason(clause.code, clause.path, clause.needed, clause.seen)

reason(code, rule, needed, seen) := {"code": code, "rule": rule, "needed": needed, "seen": seen}

permission(rule, ctx) := ruled(rule, "permission", state, constraints) if {
	constraints := clauses(rule, "permission", ctx)
	state := permission_state(rule, constraints, ctx)
}

permission_state(rule, constraints, ctx) := all_of([one.state | some one in constraints]) if {
	covers(rule.action, ctx.action)
	rule.target == ctx.target
	rule.assignee in {null, ctx.party}
}

else := "inapplicable"

# All rules of a policy share its target and assignee: a prohibition asks for the action alone, which is the stricter way.
prohibition(rule, ctx) := ruled(rule, "prohibition", state, constraints) if {
	constraints := clauses(rule, "prohibition", ctx)
	state := prohibition_state(rule, constraints, ctx)
}

prohibition_state(rule, constraints, ctx) := all_of([one.state | some one in constraints]) if {
	covers(rule.action, ctx.action)
}

else := "inapplicable"

ruled(rule, kind, state, constraints) := {
	"rule": rule.id,
	"kind": kind,
	"about": {"action": rule.action, "target": rule.target, "assignee": rule.assignee},
	"state": state,
	"constraints": constraints,
}

clauses(rule, kind, ctx) := found if {
	found := [report(one, numbered(rule.id, place), kind, ctx) | some place, one in rule.constraints]
	count(found) == count(rule.constraints)
}

numbered(path, place) := concat(".", [path, format_int(place + 1, 10)])

covers(broad, action) if broad in data.profile.actions[action]

due(rule, ctx) := {
	"rule": rule.id,
	"action": rule.action,
	"phase": object.get(data.profile.duties, rule.action, "unknown"),
	"due": due_time(rule.constraints, ctx.end),
}

# Patterns stay out of the heads of functions with an `else`: where a pattern does not match, the `else` is not tried.
due_time(constraints, end) := end + delay if {
	count(constraints) == 1
	delay := constraints[0].right
	is_number(end)
	is_number(delay)
}

else := null
