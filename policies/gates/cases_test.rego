package dure.cases_test

import data.dure.gates.catalog
import data.dure.gates.egress
import data.dure.gates.hold
import data.dure.gates.negotiate
import data.dure.gates.submit
import data.dure.gates.transfer
import data.dure.rows

# The gates' own part of every case in ../cases. What the policy's clauses refuse is tested beside them.

judged(gate, facts) := rows.judged(checks(gate, facts), rows.until(gate, facts, data.study.now))

checks("catalog", facts) := catalog.checks(facts, data.study.now)

checks("negotiate", facts) := negotiate.checks(facts, data.study.now)

checks("transfer", facts) := transfer.checks(facts, data.study.now)

checks("submit", facts) := submit.checks(facts, data.study.now)

checks("egress", facts) := egress.checks(facts, data.study.requests.egress, data.study.now)

checks("hold", facts) := hold.checks(facts, data.study.requests.hold, data.study.now)

changed(change) := object.union(object.remove(data.study.facts, object.keys(change)), news) if {
	news := {name: merged(name, value) | some name, value in change}
}

# One level deep, as ../cases/study.yaml says.
merged(name, value) := object.union(object.remove(data.study.facts[name], object.keys(value)), value) if {
	is_object(value)
	is_object(data.study.facts[name])
}

else := value

test_a_study_in_order_passes_every_gate if {
	every gate, _ in data.cases {
		judged(gate, data.study.facts).allow == true
	}
}

test_every_gate_has_its_cases if {
	{gate | some gate, _ in data.cases} == {"catalog", "negotiate", "transfer", "submit", "egress", "hold"}
}

test_a_gate_gives_the_reason_of_the_case_first if {
	every gate, cases in data.cases {
		every one in cases {
			as_expected(judged(gate, changed(one.change)), one)
		}
	}
}

as_expected(answer, one) if {
	object.get(one, "by", "gate") == "gate"
	answer.allow == false
	answer.reasons[0].code == one.expect
}

as_expected(answer, one) if {
	one.by == "policy"
	answer.allow == true
}

test_without_an_input_every_gate_says_no if {
	every answer in [
		catalog.decision,
		negotiate.decision,
		transfer.decision,
		submit.decision,
		egress.decision,
		hold.decision,
	] {
		answer.allow == false
		answer.reasons[0].code == "fact-missing"
	}
}

test_only_data_that_is_called_public_may_go_another_way if {
	pull := {"kind": "pull", "zone_did": null, "slot": false}
	judged("transfer", changed({"destination": pull, "dataset": {"non_public": false}})).allow == true
	judged("transfer", changed({"destination": pull, "dataset": {"non_public": null}})).allow == false
}

test_public_data_need_no_permit_no_snapshot_and_no_zone if {
	open := {"dataset": {"non_public": false, "legal_basis": null}, "permit": null, "snapshot": null, "zone": null}
	judged("catalog", changed(open)).allow == true
	judged("negotiate", changed(open)).allow == true
	judged("transfer", changed(open)).allow == true
	foreign := object.union(open, {"party": {"foreign": true, "purposes": [], "diseases": []}})
	judged("catalog", changed(foreign)).allow == true
	judged("negotiate", changed(foreign)).allow == true
	judged("transfer", changed(foreign)).allow == true
}

test_public_data_are_held_by_their_agreement_and_no_task_runs_on_them_without_a_permit if {
	open := {"dataset": {"non_public": false}, "permit": null, "snapshot": null, "zone": null}
	rows.judged(hold.checks(changed(open), {"stage": "transfer"}, data.study.now), 1).allow == true
	ended := object.union(open, {"agreement": {"state": "TERMINATED"}})
	rows.judged(hold.checks(changed(ended), {"stage": "transfer"}, data.study.now), 1).allow == false
	rows.judged(hold.checks(changed(open), {"stage": "submit"}, data.study.now), 1).allow == false
	judged("submit", changed(open)).allow == false
	judged("egress", changed(open)).allow == false
}

test_a_grant_of_a_negotiation_leans_on_the_permit_alone if {
	request := {"stage": "negotiate"}
	nothing_else := changed({"agreement": null, "snapshot": null, "zone": null})
	rows.judged(hold.checks(nothing_else, request, data.study.now), 1).allow == true
	ended := changed({"permit": {"state": "ended"}})
	rows.judged(hold.checks(ended, request, data.study.now), 1).allow == false
	rows.judged(hold.checks(data.study.facts, {"stage": "else"}, data.study.now), 1).allow == false
}

test_tables_and_metrics_need_no_membership_result if {
	every one in [["metric", "json"], ["aggregate", "csv"]] {
		judged("egress", changed({"output": {"kind": one[0], "format": one[1], "mia": null}})).allow == true
	}
}

test_before_the_release_nobody_or_one_stranger_has_looked if {
	egress.reviews({}, "check") == []
	strangers := {"requester": {"person": "p", "organisation": "o"}, "reviews": [{"person": "r", "organisation": "op"}]}
	every row in egress.reviews(strangers, "review") {
		row.ok == true
	}
}
