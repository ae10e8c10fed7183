package dure.odrl

# One constraint with its state: satisfied, unsatisfied, unknown, or later.

report(one, path, kind, ctx) := {
	"path": path,
	"logic": word,
	"code": parts[0].code,
	"needed": [part.needed | some part in parts],
	"seen": parts[0].seen,
	"state": combined(word, [part.state | some part in parts]),
	"of": parts,
} if {
	word := one.logic
	parts := [atom(part, numbered(path, place), kind, ctx) | some place, part in one.of]
	count(parts) == count(one.of)
	count(parts) > 0
}

else := atom(one, path, kind, ctx)

atom(one, path, kind, ctx) := {
	"path": path,
	"operand": left,
	"operator": op,
	"code": object.get(operand, "code", "odrl-unsatisfied"),
	"needed": right,
	"seen": seen,
	"state": atom_state(operand, op, right, seen, {"rank": ctx.rank, "one_suffices": lenient(kind, ctx.gate)}),
} if {
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

atom_state(operand, op, right, seen, mode) := value_state(operand, op, right, listed(seen), mode.one_suffices) if {
	decidable(operand, op, right)
	mode.rank >= operand.gate
}

else := "later" if {
	decidable(operand, op, right)
	mode.rank > 0
}

else := "unknown"

decidable(operand, op, right) if {
	op in operand.operators
	fits(operand.type, op, right)
}

fits(_, op, right) if {
	op in {"isAnyOf", "isNoneOf"}
	is_array(right)
	count(right) > 0
	count([one | some one in right; is_string(one)]) == count(right)
}

fits(type, op, right) if {
	not op in {"isAnyOf", "isNoneOf"}
	typed(type, right)
}

typed("concept", value) if data.profile.ancestors[value]

typed("token", value) if is_string(value)

typed("party", value) if is_string(value)

typed("count", value) if is_number(value)

typed("time", value) if is_number(value)

typed("duration", value) if is_number(value)

listed(seen) := seen if is_array(seen)

else := [seen]

value_state(operand, op, right, values, one_suffices) := verdict(holding, count(values), one_suffices) if {
	count(values) > 0
	count([one | some one in values; typed(operand.type, one)]) == count(values)
	holding := count([one | some one in values; holds(op, one, right)])
}

else := "unknown"

verdict(holding, total, one_suffices) := "satisfied" if enough(holding, total, one_suffices)

else := "unsatisfied"

enough(holding, total, _) if holding == total

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

combined("or", states) := "satisfied" if "satisfied" in states

else := "later" if {
	"later" in states
}

else := "unknown" if {
	"unknown" in states
}

else := "unsatisfied"

combined("xone", states) := "unknown" if "unknown" in states

else := "later" if {
	"later" in states
}

else := "satisfied" if {
	count([one | some one in states; one == "satisfied"]) == 1
}

else := "unsatisfied"
