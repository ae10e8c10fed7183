package dure.odrl_cases_test

import data.dure.odrl

# The cases of ../cases/odrl/raw.yaml, as its README says: what `given` and `policy` name is replaced.

rule := {"id": "p", "action": "http://www.w3.org/ns/odrl/2/use", "target": "urn:d", "assignee": "urn:a"}

policy(one) := replaced(
	{
		"kind": "Agreement", "prohibitions": [], "obligations": [],
		"permissions": [object.union(rule, {"constraints": object.get(one, "constraints", [])})],
	},
	object.get(one, "policy", {}),
)

given(one) := replaced(
	{
		"gate": object.get(one, "gate", "ask"), "world": object.get(one, "world", {}),
		"request": {"action": rule.action}, "facts": {"dataset": {"id": "urn:d"}, "party": {"did": "urn:a"}},
	},
	object.get(one, "given", {}),
)

replaced(base, change) := object.union(object.remove(base, object.keys(change)), change)

verdict(one) := said(array.concat([found | found := odrl.document(policy(one), odrl.context(given(one)))], ["default"])[0])

said("default") := "odrl-unknown"

said(answer) := "allowed" if answer.allow == true

said(answer) := answer.reasons[0].code if answer.allow == false

test_each_case_has_its_answer if {
	count(data.odrl.raw) > 50
	wrong := [[place, one.expect, verdict(one)] | some place, one in data.odrl.raw; verdict(one) != one.expect]
	wrong == []
}

test_without_an_input_the_answer_is_no if {
	odrl.decision.allow == false
	odrl.decision.reasons[0].code == "odrl-unknown"
}

prohibited := object.union(rule, {"id": "f", "constraints": []})

either(conflict, action) := {"policy": {
	"conflict": conflict,
	"permissions": [object.union(rule, {"constraints": []}), object.union(rule, {"id": "q", "action": action, "constraints": []})],
	"prohibitions": [object.union(prohibited, {"action": action})],
}}

print_iri := "http://www.w3.org/ns/odrl/2/print"

test_who_wins_where_a_permission_and_a_prohibition_meet if {
	verdict(either("prohibit", print_iri)) == "allowed"
	verdict(either("perm", print_iri)) == "allowed"
	verdict(either("invalid", print_iri)) == "odrl-conflict"
	verdict(either("prohibit", rule.action)) == "odrl-prohibited"
	verdict(either("perm", rule.action)) == "allowed"
	verdict(either("invalid", rule.action)) == "odrl-prohibited"
}

owing(place, clause, told) := answer if {
	owed := {"id": "o", "uid": "u", "action": "http://www.w3.org/ns/odrl/2/inform", "constraints": [clause]}
	one := {
		"given": {"duties": {"u": told}, "agreed_at": 1, "world": {"http://www.w3.org/ns/odrl/2/dateTime": 9}},
		"policy": {
			"permissions": [object.union(rule, {"constraints": [], place: [owed]})],
			"prohibitions": [object.union(prohibited, {"action": print_iri, place: [owed]})],
			"obligations": object.get({"obligations": [owed]}, place, []),
		},
	}
	answer := verdict(one)
}

late := {"left": "http://www.w3.org/ns/odrl/2/dateTime", "op": "lt", "right": 5}

early := {"left": "http://www.w3.org/ns/odrl/2/dateTime", "op": "gt", "right": 10}

soon := {"left": "http://www.w3.org/ns/odrl/2/dateTime", "op": "lt", "right": 10}

since := {"left": "http://www.w3.org/ns/odrl/2/elapsedTime", "op": "lteq", "right": 10}

amount := {"left": "http://www.w3.org/ns/odrl/2/payAmount", "op": "eq", "right": 10}

test_duties_and_their_times if {
	owing("duties", late, "pending") == "odrl-duty"
	owing("duties", soon, "pending") == "odrl-duty"
	owing("duties", soon, "fulfilled") == "allowed"
	owing("duties", early, "pending") == "allowed"
	owing("duties", early, "violated") == "odrl-duty"
	owing("duties", amount, "pending") == "odrl-duty"
	owing("duties", {"logic": "and", "of": [late, soon]}, "pending") == "odrl-duty"
	owing("duties", {"logic": "and", "of": [{"logic": "or", "of": [late, late]}]}, "pending") == "odrl-duty"
	owing("remedies", soon, "pending") == "allowed"
	owing("remedies", late, "pending") == "odrl-duty"
	owing("obligations", soon, "pending") == "allowed"
	owing("obligations", since, "pending") == "allowed"
	owing("obligations", late, "fulfilled") == "allowed"
	owing("obligations", late, "overdue") == "odrl-duty"
}

test_operators_over_several_values if {
	spatial := "http://www.w3.org/ns/odrl/2/spatial"
	both := {"world": {spatial: ["KR", "JP"]}}
	every one in [["isAllOf", ["KR", "JP"]], ["hasPart", "KR"], ["isAnyOf", ["KR", "JP", "US"]]] {
		verdict(object.union(both, {"constraints": [{"left": spatial, "op": one[0], "right": one[1]}]})) == "allowed"
	}
	every one in [["isAllOf", ["KR", "US"]], ["hasPart", "US"], ["isPartOf", "KR"]] {
		verdict(object.union(both, {"constraints": [{"left": spatial, "op": one[0], "right": one[1]}]})) == "zone-only"
	}
}
