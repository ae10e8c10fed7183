# METADATA
# title: The rows that gates are made of
# description: |
#   A gate is a list of rows. Each row says what is needed, what is seen and whether it is in order; the gate says yes when
#   there are rows and all are in order. A fact that is absent is null, and null is never in order.
# custom:
#   title_ko: 게이트의 판단 항목
#   plain_ko: 게이트는 항목의 목록이며, 모든 항목이 맞을 때만 허용합니다.
#   plain_en: A gate is a list of rows and says yes only when every row is in order.
#   owner: 공용 DRB / shared DRB
package dure.rows

# The answer of a gate. `until` is when the yes must be asked for again.
judged(rows, until) := {"allow": true, "reasons": [], "valid_until": until} if {
	count(rows) > 0
	count([row | some row in rows; row.ok == true]) == count(rows)
}

else := {
	"allow": false,
	"reasons": [object.remove(row, ["ok"]) | some row in rows; row.ok == false],
	"valid_until": null,
}

# A yes lasts until the gate's time is over or a right ends, whichever comes first.
until(gate, facts, now) := min(array.concat([now + data.board.valid_ms[gate]], ends)) if {
	paths := [["permit", "until"], ["permit", "irb", "until"], ["agreement", "until"]]
	ends := [end | some path in paths; end := at(facts, path); is_number(end)]
}

at(facts, path) := object.get(facts, path, null)

row(code, path, needed, seen, ok) := {"code": code, "rule": concat(".", path), "needed": needed, "seen": seen, "ok": ok}

joined(lists) := [one | some list in lists; some one in list]

# ---- kinds of row

exactly(code, facts, path, needed) := row(code, path, needed, seen, matches(seen, needed)) if seen := at(facts, path)

same(code, facts, path, other) := exactly(code, facts, path, at(facts, other))

# The value at `path` stands in the list at `other`.
listed(code, facts, path, other) := row(code, path, list, seen, contains_value(list, seen)) if {
	list := at(facts, other)
	seen := at(facts, path)
}

allowed(code, facts, path, list) := row(code, path, list, seen, contains_value(list, seen)) if seen := at(facts, path)

later_than(code, facts, path, moment) := row(code, path, seen, moment, greater(seen, moment)) if seen := at(facts, path)

at_least(code, facts, path, limit) := row(code, path, limit, seen, not_less(seen, limit)) if seen := at(facts, path)

at_most(code, facts, path, limit) := row(code, path, limit, seen, not_less(limit, seen)) if seen := at(facts, path)

below(code, facts, path, limit) := row(code, path, limit, seen, greater(limit, seen)) if seen := at(facts, path)

present(code, facts, path) := row(code, path, "given", seen, given(seen)) if seen := at(facts, path)

empty(code, facts, path) := row(code, path, [], seen, matches(seen, [])) if seen := at(facts, path)

# ---- comparisons with an answer for everything

default matches(_, _) := false

matches(seen, needed) if {
	needed != null
	seen == needed
}

default contains_value(_, _) := false

contains_value(list, seen) if {
	is_array(list)
	seen != null
	seen in list
}

default greater(_, _) := false

greater(one, other) if {
	is_number(one)
	is_number(other)
	one > other
}

default not_less(_, _) := false

not_less(one, other) if {
	is_number(one)
	is_number(other)
	one >= other
}

default given(_) := false

given(seen) if not seen in {null, "", false, []}
