package dure.odrl_test

import data.dure.odrl

delay := "https://w3id.org/dure/med#delayAfterEnd"

purpose := "http://www.w3.org/ns/odrl/2/purpose"

place := "https://w3id.org/dure/med#processingPlace"

count_iri := "https://w3id.org/dure/med#kAnonymity"

use := "http://www.w3.org/ns/odrl/2/use"

train := "https://w3id.org/dure/med#train"

ai := "https://w3id.org/dpv/legal/eu/ehds#TrainTestAndEvaluateAISystemsAlgorithms"

research := "https://w3id.org/dpv#ResearchAndDevelopment"

ctx := {
	"gate": "transfer", "rank": 3, "action": use, "target": "d", "targets": ["d"], "party": "a", "parties": ["a"],
	"end": 1000, "agreed": null, "duties": {}, "units": {},
	"world": {purpose: ai, place: "did:web:p", count_iri: 5},
}

at(gate, rank) := object.union(ctx, {"gate": gate, "rank": rank})

permission(constraints) := {"id": "p", "action": use, "target": "d", "assignee": "a", "constraints": constraints}

policy(permissions, prohibitions) := {
	"kind": "Agreement", "permissions": permissions, "prohibitions": prohibitions,
	"obligations": [{"id": "o", "action": "http://www.w3.org/ns/odrl/2/delete", "constraints": [{"left": delay, "op": "lteq", "right": 5}]}],
}

state(constraint, context) := odrl.report(constraint, "p.1", "permission", context).state

test_a_permission_whose_clauses_hold_grants if {
	answer := odrl.document(policy([permission([{"left": purpose, "op": "isA", "right": research}])], []), ctx)
	answer.allow == true
	answer.reasons == []
	some duty in answer.obligations
	[duty.rule, duty.phase, duty.due, duty.state, duty.blocks] == ["o", "post", 1005, "pending", false]
}

test_without_a_permission_the_answer_is_no if {
	odrl.document(policy([], []), ctx).reasons[0].code == "odrl-unsatisfied"
}

test_an_offer_grants_nothing_from_the_transfer_on if {
	offer := object.union(policy([permission([])], []), {"kind": "Offer"})
	odrl.document(offer, at("negotiate", 2)).allow == true
	odrl.document(offer, ctx).allow == false
}

test_a_prohibition_outweighs_a_permission if {
	forbidden := {"id": "f", "action": use, "target": "d", "assignee": "a", "constraints": []}
	answer := odrl.document(policy([permission([])], [forbidden]), object.union(ctx, {"action": train}))
	answer.reasons == [{"code": "odrl-prohibited", "rule": "f", "needed": null, "seen": train}]
}

test_a_prohibition_that_cannot_be_decided_stays_in_force if {
	unknown := {"id": "f", "action": use, "target": "d", "assignee": "a", "constraints": [{"left": "urn:x", "op": "eq", "right": 1}]}
	odrl.document(policy([permission([])], [unknown]), ctx).allow == false
}

test_a_prohibition_of_a_narrower_action_leaves_the_broader_one if {
	forbidden := {"id": "f", "action": train, "target": "d", "assignee": "a", "constraints": []}
	odrl.document(policy([permission([])], [forbidden]), ctx).allow == true
}

test_a_permission_is_for_its_own_party_and_dataset if {
	every change in [{"party": "b", "parties": ["b"]}, {"target": "e", "targets": ["e"]}, {"action": "urn:x"}, {"parties": [null]}] {
		answer := odrl.document(policy([permission([])], []), object.union(ctx, change))
		answer.reasons[0].code == "odrl-unsatisfied"
	}
}

test_what_is_unknown_is_never_satisfied if {
	every constraint in [
		{"left": "urn:x", "op": "eq", "right": "y"},
		{"left": purpose, "op": "gt", "right": research},
		{"left": purpose, "op": "isA", "right": "urn:unheard"},
		{"left": count_iri, "op": "gteq", "right": "5"},
		{"left": "https://w3id.org/dure/med#legalPurpose", "op": "eq", "right": "https://w3id.org/dure/kr#statistics"},
		{"logic": "nand", "of": [{"left": count_iri, "op": "gteq", "right": 5}]},
		{"logic": "or", "of": []},
		{},
	] {
		state(constraint, ctx) == "unknown"
	}
}

test_a_gate_that_is_none_decides_nothing if {
	state({"left": count_iri, "op": "gteq", "right": 5}, at("nowhere", 0)) == "unknown"
}

test_what_a_later_gate_decides_is_later if {
	state({"left": count_iri, "op": "gteq", "right": 5}, at("negotiate", 2)) == "later"
	state({"left": count_iri, "op": "gteq", "right": 5}, ctx) == "satisfied"
	state({"left": count_iri, "op": "gt", "right": 5}, ctx) == "unsatisfied"
}

test_operators if {
	cases := [
		["eq", "a", "a"], ["neq", "a", "b"], ["lt", 1, 2], ["lteq", 2, 2], ["gt", 2, 1], ["gteq", 2, 2],
		["isA", ai, research], ["isA", "x", "x"], ["isAnyOf", "a", ["b", "a"]], ["isNoneOf", "a", ["b"]],
	]
	every one in cases {
		odrl.holds(one[0], one[1], one[2])
	}
	broken := [
		["eq", "a", "b"], ["neq", "a", "a"], ["lt", 2, 2], ["lteq", 3, 2], ["gt", 2, 2], ["gteq", 1, 2],
		["isA", research, ai], ["isAnyOf", "a", ["b"]], ["isNoneOf", "a", ["a"]], ["isNoneOf", ai, [research]], ["?", 1, 1],
	]
	count([1 | some one in broken; odrl.holds(one[0], one[1], one[2])]) == 0
}

test_several_values if {
	clause := {"left": place, "op": "eq", "right": "did:web:p"}
	two := object.union(ctx, {"world": {place: ["did:web:p", "did:web:q"]}})
	odrl.report(clause, "p.1", "permission", two).state == "unsatisfied"
	odrl.report(clause, "f.1", "prohibition", two).state == "satisfied"
	search := object.union(two, {"gate": "catalog"})
	odrl.report(clause, "p.1", "permission", search).state == "satisfied"
	none := object.union(ctx, {"world": {place: []}})
	odrl.report(clause, "p.1", "permission", none).state == "unknown"
}

test_how_states_join if {
	odrl.combined("and", ["satisfied", "later", "unknown", "unsatisfied"]) == "unsatisfied"
	odrl.combined("and", ["satisfied", "later", "unknown"]) == "unknown"
	odrl.combined("and", ["satisfied", "later"]) == "later"
	odrl.combined("and", ["satisfied"]) == "satisfied"
	odrl.combined("or", ["unsatisfied", "unknown", "later", "satisfied"]) == "satisfied"
	odrl.combined("or", ["unsatisfied", "unknown", "later"]) == "later"
	odrl.combined("or", ["unsatisfied", "unknown"]) == "unknown"
	odrl.combined("or", ["unsatisfied"]) == "unsatisfied"
	odrl.combined("xone", ["satisfied", "unknown"]) == "unknown"
	odrl.combined("xone", ["satisfied", "later"]) == "later"
	odrl.combined("xone", ["satisfied", "unsatisfied"]) == "satisfied"
	odrl.combined("xone", ["satisfied", "satisfied", "unknown"]) == "unsatisfied"
	odrl.combined("andSequence", ["satisfied", "unknown"]) == "unknown"
}

test_a_clause_that_cannot_be_read_makes_the_whole_policy_unreadable if {
	not odrl.document(policy([permission(["junk"])], []), ctx)
}

test_alternatives_are_one_clause_with_one_reason if {
	either := {"logic": "or", "of": [{"left": count_iri, "op": "gteq", "right": 6}, {"left": count_iri, "op": "gteq", "right": 7}]}
	answer := odrl.document(policy([permission([either])], []), ctx)
	answer.reasons == [{"code": "snapshot-not-accepted", "rule": "p.1", "needed": [6, 7], "seen": 5}]
}

test_hold_asks_as_the_gate_that_granted if {
	odrl.rank({"gate": "hold", "request": {"stage": "submit"}}) == 4
	odrl.rank({"gate": "hold", "request": {}}) == 0
	odrl.rank({"gate": "egress"}) == 5
}

test_the_context_names_what_the_facts_say if {
	given := {
		"gate": "submit", "request": {"action": use}, "world": {},
		"facts": {"dataset": {"id": "d"}, "party": {"did": "a"}, "permit": null},
	}
	odrl.context(given) == {
		"gate": "submit", "rank": 4, "action": use, "target": "d", "targets": ["d"], "party": "a", "parties": ["a"],
		"end": null, "agreed": null, "duties": {}, "units": {}, "world": {},
	}
	odrl.context(object.union(given, {"part_of": {"d": ["c"]}})).targets == ["d", "c"]
}
