package dure.odrl

# One rule with its state. A permission is satisfied, unsatisfied, unknown, later or inapplicable: not about this.

permission(rule, ctx) := object.union(ruled(rule, "permission", state), {
	"constraints": constraints,
	"refinements": refinements,
	"duties": duties,
}) if {
	constraints := clauses(rule.id, rule.constraints, "permission", ctx)
	refinements := clauses(concat(".", [rule.id, "about"]), object.get(rule, "refinements", []), "permission", ctx)
	duties := duties_of(rule, "duties", "pre", ctx)
	body := array.concat([one.state | some one in constraints], [duty_state(one) | some one in duties])
	state := permission_state(rule, [one.state | some one in refinements], body, ctx)
}

permission_state(rule, narrowed, body, ctx) := all_of(array.concat(narrowed, body)) if {
	covers(rule.action, ctx.action)
	is_string(rule.target)
	rule.target in ctx.targets
	assigned(rule.assignee, ctx.parties)
	not "unsatisfied" in narrowed
}

else := "inapplicable"

assigned(null, _)

assigned(name, parties) if {
	is_string(name)
	name in parties
}

prohibition(rule, ctx) := object.union(ruled(rule, "prohibition", state), {
	"constraints": constraints,
	"refinements": refinements,
	"remedies": remedies,
}) if {
	constraints := clauses(rule.id, rule.constraints, "prohibition", ctx)
	refinements := clauses(concat(".", [rule.id, "about"]), object.get(rule, "refinements", []), "prohibition", ctx)
	remedies := duties_of(rule, "remedies", "post", ctx)
	state := prohibition_state(rule, [one.state | some one in refinements], [one.state | some one in constraints], ctx)
}

# A prohibition is about something else only when that is known: without a target or a party it is about this.
prohibition_state(rule, narrowed, body, ctx) := all_of(array.concat(narrowed, body)) if {
	covers(rule.action, ctx.action)
	not elsewhere(rule.target, ctx.target, ctx.targets)
	not elsewhere(rule.assignee, ctx.party, ctx.parties)
	not "unsatisfied" in narrowed
}

else := "inapplicable"

elsewhere(name, asked, all) if {
	is_string(name)
	is_string(asked)
	not name in all
}

ruled(rule, kind, state) := {
	"rule": rule.id,
	"kind": kind,
	"about": {"action": rule.action, "target": rule.target, "assignee": rule.assignee},
	"state": state,
}

clauses(path, given, kind, ctx) := found if {
	found := [report(one, numbered(path, place), kind, ctx) | some place, one in given]
	count(found) == count(given)
}

numbered(path, place) := concat(".", [path, format_int(place + 1, 10)])

covers(broad, action) if broad in data.profile.actions[action]

# ---- duties

duties_of(rule, name, phase, ctx) := found if {
	given := object.get(rule, name, [])
	found := [duty(one, phase, ctx) | some one in given]
	count(found) == count(given)
}

# `place` is when a duty in this place is due, unless it says so itself: before the use or after it.
duty(one, place, ctx) := {
	"rule": one.id,
	"action": one.action,
	"phase": phase,
	"due": due_time(one.constraints, ctx),
	"state": state,
	"blocks": hinders(phase, state, [other.state | some other in consequences]),
	"constraints": constraints,
	"consequences": consequences,
} if {
	constraints := clauses(one.id, one.constraints, "duty", ctx)
	given := object.get(one, "consequences", [])
	consequences := [consequence(other, ctx) | some other in given]
	count(consequences) == count(given)
	phase := object.get(one, "phase", usual(place, one.action))
	state := progress(one.constraints, constraints, phase, declared(one, ctx))
}

# What becomes due when its duty was not fulfilled in time.
consequence(one, ctx) := {
	"rule": one.id,
	"action": one.action,
	"due": due_time(one.constraints, ctx),
	"state": progress(one.constraints, constraints, "post", declared(one, ctx)),
	"constraints": constraints,
} if {
	constraints := clauses(one.id, one.constraints, "duty", ctx)
}

usual("post", _) := "post"

usual("pre", action) := object.get(data.profile.duties, action, "pre")

declared(one, ctx) := object.get(ctx.duties, object.get(one, "uid", one.id), "pending")

# What was declared, and what the clock says of the rest. A time limit that has passed makes a duty overdue; any other
# condition that does not hold makes it inactive, an amount excepted.
progress(given, clauses_, phase, told) := told if told in {"fulfilled", "violated", "overdue"}

else := "unknown" if {
	told != "pending"
}

else := "overdue" if {
	some place, clause in clauses_
	clause.state == "unsatisfied"
	bounded(given[place])
}

else := "inactive" if {
	some place, clause in clauses_
	clause.state == "unsatisfied"
	not measured(given[place])
}

else := "due" if {
	phase == "pre"
}

else := "pending"

# How much is to be paid is not a condition: who has paid less still owes.
measured(one) if owed(one)

measured(one) if {
	some part in one.of
	owed(part)
}

measured(one) if {
	some part in one.of
	some inner in part.of
	owed(inner)
}

owed(one) if one.left == "http://www.w3.org/ns/odrl/2/payAmount"

bounded(one) if limit(one)

bounded(one) if {
	some part in one.of
	limit(part)
}

bounded(one) if {
	some part in one.of
	some inner in part.of
	limit(inner)
}

limit(one) if {
	one.op in {"lt", "lteq"}
	data.profile.operands[one.left].type in {"time", "duration"}
}

default hinders(_, _, _) := true

hinders("pre", state, others) := false if {
	state in {"fulfilled", "inactive"}
	count([other | some other in others; other in {"violated", "overdue", "unknown"}]) == 0
}

hinders("post", state, others) := false if {
	state in {"fulfilled", "inactive", "pending"}
	count([other | some other in others; other in {"violated", "overdue", "unknown"}]) == 0
}

duty_state(one) := "unknown" if {
	one.blocks
	one.state == "unknown"
}

else := "unsatisfied" if {
	one.blocks
}

else := "satisfied"

# Patterns stay out of the heads of functions with an `else`: where a pattern does not match, the `else` is not tried.
due_time(constraints, ctx) := start + constraints[0].right if {
	count(constraints) == 1
	constraints[0].op in {"lt", "lteq"}
	start := begin(constraints[0].left, ctx)
	is_number(start)
	is_number(constraints[0].right)
}

else := null

begin("https://w3id.org/dure/med#delayAfterEnd", ctx) := ctx.end

begin("http://www.w3.org/ns/odrl/2/elapsedTime", ctx) := ctx.agreed

begin("http://www.w3.org/ns/odrl/2/dateTime", _) := 0
