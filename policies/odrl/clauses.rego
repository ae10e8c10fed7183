package dure.odrl

# One constraint with its state: satisfied, unsatisfied, unknown, or later. Logic is two levels deep at most.

report(one, path, kind, ctx) := joined(one, path, parts) if {
	parts := [inner(part, numbered(path, place), kind, ctx) | some place, part in one.of]
	joinable(one, parts)
}

else := atom(one, path, kind, ctx)

inner(one, path, kind, ctx) := joined(one, path, parts) if {
	parts := [atom(part, numbered(path, place), kind, ctx) | some place, part in one.of]
	joinable(one, parts)
}

else := atom(one, path, kind, ctx)

joinable(one, parts) if {
	one.logic in {"and", "or", "xone", "andSequence"}
	count(parts) == count(one.of)
	count(parts) > 0
}

joined(one, path, parts) := {
	"path": path,
	"logic": one.logic,
	"code": parts[0].code,
	"needed": [part.needed | some part in parts],
	"seen": parts[0].seen,
	"state": combined(one.logic, [part.state | some part in parts]),
	"of": parts,
}

atom(one, path, kind, ctx) := {
	"path": path,
	"operand": left,
	"operator": op,
	"code": object.get(operand, "code", "odrl-unsatisfied"),
	"needed": right,
	"seen": seen,
	"state": atom_state(operand, op, right, seen, {
		"rank": ctx.rank,
		"one_suffices": lenient(kind, ctx.gate),
		"units": [field(one, ["unit"]), object.get(ctx.units, left, null)],
	}),
} if {
	is_object(one)
	left := field(one, ["left"])
	op := field(one, ["op"])
	right := field(one, ["right"])
	seen := object.get(ctx.world, left, null)
	operand := object.get(data.profile.operands, left, {})
}

# With several values a permission wants every one in order and a prohibition bites on any. A search turns both round:
# a party that declares three diseases may apply with one of them.
lenient("permission", gate) := gate == "catalog"

lenient("prohibition", gate) := gate != "catalog"

# A duty is in force as soon as one value calls for it.
lenient("duty", _) := true

# A value in another unit, or in one that is not said, says nothing.
atom_state(operand, op, right, seen, mode) := value_state(operand, op, right, listed(seen), mode.one_suffices) if {
	decidable(operand, op, right)
	mode.rank >= operand.gate
	mode.units[0] == mode.units[1]
}

else := "later" if {
	decidable(operand, op, right)
	mode.rank > 0
	mode.rank < operand.gate
	operand.gate < data.profile.gates.ask
}

else := "unknown"

decidable(operand, op, right) if {
	op in data.profile.operators[operand.type]
	fits(operand.type, op, right)
}

fits(type, op, right) if {
	op in {"isAnyOf", "isAllOf", "isNoneOf"}
	is_array(right)
	count(right) > 0
	count([one | some one in right; typed(type, one)]) == count(right)
}

fits(type, op, right) if {
	not op in {"isAnyOf", "isAllOf", "isNoneOf"}
	typed(type, right)
}

typed("concept", value) if data.profile.ancestors[value]

typed("token", value) if is_string(value)

typed("party", value) if is_string(value)

typed("text", value) if is_string(value)

typed("count", value) if is_number(value)

typed("decimal", value) if is_number(value)

typed("time", value) if is_number(value)

typed("duration", value) if is_number(value)

listed(seen) := seen if is_array(seen)

else := [seen]

value_state(operand, op, right, values, one_suffices) := verdict(holding, wanted, one_suffices) if {
	count(values) > 0
	count([one | some one in values; typed(operand.type, one)]) == count(values)
	[holding, wanted] := tally(op, values, right)
}

else := "unknown"

# How many of how many hold. What must contain the right side may be spread over several values, and is asked once.
tally(op, values, right) := [count([1 | count([one | some one in right; one in values]) == count(right)]), 1] if {
	op == "isAllOf"
}

else := [count([one | some one in values; within(right, one)]), 1] if {
	op == "hasPart"
}

else := [count([one | some one in values; holds(op, one, right)]), count(values)]

verdict(holding, wanted, one_suffices) := "satisfied" if enough(holding, wanted, one_suffices)

else := "unsatisfied"

enough(holding, wanted, _) if holding >= wanted

enough(holding, _, one_suffices) if {
	one_suffices
	holding > 0
}

holds("eq", value, right) if value == right

holds("neq", value, right) if value != right

holds("lt", value, right) if value < right

holds("lteq", value, right) if value <= right

holds("gt", value, right) if value > right

holds("gteq", value, right) if value >= right

holds("isA", value, right) if within(value, right)

holds("isPartOf", value, right) if within(value, right)

holds("isAnyOf", value, right) if value in right

holds("isNoneOf", value, right) if count([one | some one in right; within(value, one)]) == 0

within(value, broad) if value == broad

within(value, broad) if broad in data.profile.ancestors[value]

# ---- how states join

all_of(states) := "unsatisfied" if "unsatisfied" in states

else := "unknown" if {
	"unknown" in states
}

else := "later" if {
	"later" in states
}

else := "satisfied"

combined("and", states) := all_of(states)

# All at once, now: in which order they came true is not asked.
combined("andSequence", states) := all_of(states)

combined("or", states) := "satisfied" if "satisfied" in states

else := "later" if {
	"later" in states
}

else := "unknown" if {
	"unknown" in states
}

else := "unsatisfied"

combined("xone", states) := "unsatisfied" if count([one | some one in states; one == "satisfied"]) > 1

else := "unknown" if {
	"unknown" in states
}

else := "later" if {
	"later" in states
}

else := "satisfied" if {
	count([one | some one in states; one == "satisfied"]) == 1
}

else := "unsatisfied"
