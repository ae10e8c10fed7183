"""Each room's pages over small sets of rows, in both languages: what they must say, and what they must never claim."""

from typing import Any

import pytest
from pages_drawn import EVIL, NOW, STUDY, drawn, harmless, name, panels, row

from compute.egress import pages as egress
from compute.tasks import pages as tasks
from connector.analysis import pages as analysis
from connector.datasets import pages as datasets
from connector.evidence import certificates
from connector.negotiation import pages as negotiation
from connector.sources import views as sources
from connector.studies import pages as studies
from connector.studies.price import due
from connector.transfer import pages as transfer
from connector.transfer.house import Released, Result, house
from connector.web.cells import Link
from connector.web.faces import Faces
from connector.web.people import Person
from connector.web.timeline import Panel, Timeline
from governance.log import pages as log
from governance.members import pages as members
from vocab.money.tariff import Tariff
from vocab.tlog.hash import EMPTY
from vocab.words import text

FACES = Faces(name=name)
LIMITS = [{"key": "limit-operator", "ko": "관리자", "en": "administrator"}]


# -- deletion certificates


def certificate(kind: str = "task-certificate", result: str = "DELETED", **more: Any) -> Any:
    body = {
        "type": kind,
        "result": result,
        "walls": "full",
        "exceptions": [],
        "limits": LIMITS,
        "objects": [{"key_released": True}],
        "task": "task-1",
        "tasks": [{}],
        "outcome": "COMPLETE",
        "times": {"deleted": NOW},
        "at": NOW,
        "method": {"nist": "Clear"},
        **more,
    }
    envelope = {"body": {"at": NOW}, "signatures": [{"did": "did:web:p01"}, {"did": "did:web:h01"}]}
    return row(
        id="urn:uuid:1",
        type=kind,
        payload=body,
        envelope=envelope,
        author="did:web:p01",
        counterparty="did:web:h01",
        state="complete",
        proof="proof",
        at=NOW,
    )


@pytest.mark.parametrize("kind", ["task-certificate", "closing-certificate"])
@pytest.mark.parametrize(
    ("result", "korean", "outcome"),
    [
        ("DELETED", "삭제 확인", "done"),
        ("DELETED_WITH_EXCEPTIONS", "예외를 남기고 삭제", "waiting"),
        ("UNPROVEN", "증명되지 않음", "failed"),
        ("SURELY_DELETED", "증명되지 않음", "failed"),
    ],
)
def test_a_certificate_says_what_it_proves_and_always_its_limits(
    kind: str, result: str, korean: str, outcome: str
) -> None:
    found = certificate(kind, result, exceptions=["thin-walls"])
    shown = certificates.certificate(found, {"did:web:p01": "P01"})
    assert shown.outcome == outcome
    pages = panels(Panel(f"panel-{kind}", shown), Panel("panel-certificates", certificates.table([found], name)))
    assert korean in pages["ko"]
    assert "관리자" in pages["ko"]
    assert "thin walls: another program of the same account could have looked" in pages["en"]
    assert "What this certificate cannot show" in pages["en"]


def test_every_exception_that_a_certificate_may_name_has_its_words() -> None:
    from vocab.records.certificate import closing_result, task_result
    from vocab.words import known

    worst = task_result({"place": {"memory": False}, "swap": "on"}, {"nothing_left": True}, "thin")[1]
    closing = {
        "objects": [{"staged": True, "overwritten": False, "unlinked": False, "synced": False, "key_id": "k"}],
        "tasks": [{"result": "UNPROVEN", "exceptions": []}],
        "scan": {"found": ["x"]},
        "keys_destroyed": [],
        "walls": "thin",
    }
    named = [*worst, *task_result({}, {}, "full")[1], *closing_result(closing)[1]]
    assert len(named) >= 9
    assert [one for one in named if not known(f"exception-{one}")] == []


# -- what left my house


def a_house(**more: Any) -> Any:
    fields = {"transfers": (), "keys": (), "releases": (), "receipts": (), "results": (), **more}
    return house(STUDY, "did:web:p01", **fields)


def test_a_house_that_nothing_left_says_zero_of_everything() -> None:
    flow = transfer.flow(a_house(), "A02", "P01", silent=False)
    assert [text(one.amount, "en") for one in flow.movements] == ["0", "0 B", "0", "0 B"]


def test_what_the_zone_does_not_say_is_unknown_and_never_zero() -> None:
    flow = transfer.flow(a_house(), "A02", "P01", silent=True)
    assert flow.movements[-1].amount is None
    assert "not known: the zone does not answer" in panels(Panel("panel-left-house", flow))["en"]


def test_results_are_shown_with_what_they_can_still_hide() -> None:
    results = (Result("r", "model.onnx", "model", 2_000, 404), Result("r", "metrics.json", "metric", 100, None))
    keys = (
        Released("t-1", "train", ("train",), "full", NOW, True),
        Released("t-2", "verify", ("a", "b"), "thin", NOW, False),
    )
    found = row(keys=keys, rows_to_company=0, encrypted_bytes=363_900, results=results)
    pages = panels(
        Panel("panel-left-house", transfer.flow(found, "A02", "P01", silent=False)),
        Panel("panel-keys", transfer.keys_table(keys)),
    )
    assert "2.1 kB" in pages["en"]
    assert "residual capacity of the model 404 B" in pages["en"]
    assert "363.9 kB" in pages["ko"]
    assert "not certified yet" in pages["en"]


def test_transfers_of_both_sides() -> None:
    rows = [
        row(dataset="D", zone="did:web:p01", state=state, code=code, changed_at=NOW)
        for state, code in (
            ("", None),
            ("REQUESTED", None),
            ("STARTED", None),
            ("COMPLETED", None),
            ("TERMINATED", EVIL),
        )
    ]
    harmless(panels(Panel("panel-transfers", transfer.transfers_table(rows, FACES))))


# -- the hospital's sources


def trial() -> Any:
    choices = [("5-year", "catchment", "1-year", "chosen"), ("exact", "catchment", "1-year", "refused")]
    choices += [("exact", "sigungu", "1-year", "refused"), ("10-year", "catchment", "1-year", "affordable")]
    lattice = [
        {
            "age": age,
            "residence": where,
            "index_year": year,
            "classes": 9,
            "suppressed_percent": 4.8,
            "verdict": verdict,
        }
        for age, where, year, verdict in choices
    ]
    result = {
        "profile": {"k": 5, "max_suppressed_percent": 1.0},
        "patients": 20_000,
        "eligible": 19_993,
        "quasi_identifiers": ["age", "sex", "residence", "index_year"],
        "k_before": 3,
        "k": 5,
        "suppressed_percent": 0.04,
        "unique_percent": 99.1,
        "diversity": 1,
        "closeness": 0.5,
        "all_event_rows": 0,
        "all_event_classes": 0,
        "lattice": lattice,
    }
    return row(dataset="D-H01-DM", result=result, at=NOW)


def test_a_trial_shows_the_refused_rungs_beside_the_chosen_one() -> None:
    pages = panels(*sources.trial_panels(trial()))
    assert pages["en"].count("outcome refused") == 2
    assert "exact × residence district" in pages["en"]
    assert "k is not anonymity." in pages["en"]
    assert "0.04%" in pages["ko"]


def test_beside_a_study_only_the_rungs_one_step_away_stand() -> None:
    page = panels(*sources.trial_panels(trial(), near=True))["en"]
    assert page.count("outcome refused") == 1
    assert "residence district" not in page


def test_one_invented_patient_shows_what_leaves_and_what_does_not() -> None:
    example = row(before={"name": "홍길동", "age": 63}, after={"age": 60, "bmi": 26.0}, dropped=("name",))
    page = panels(*sources.patient_panels(example))["ko"]
    assert "나가지 않음" in page
    assert "홍길동" in page
    assert list(sources.patient_panels(None)) == []


def snapshot(**more: Any) -> Any:
    fields = {"dataset": "D", "patients": 10, "k": 5, "made_by": "kim", "accepted_by": None, "digest": "sha256:abc"}
    states = {"accepted": False, "stopped": False, "destroyed_at": None}
    return row(**fields, **{**states, **more})


def test_a_snapshot_is_what_last_became_of_it() -> None:
    rows = {
        "waits for a second person": snapshot(),
        "accepted": snapshot(accepted=True),
        "stopped": snapshot(accepted=True, stopped=True),
        "destroyed": snapshot(accepted=True, stopped=True, destroyed_at=NOW),
    }
    for said, one in rows.items():
        assert text(sources.snapshot_state(one).said, "en").startswith(said)
    assert "D" in panels(Panel("panel-snapshots", sources.snapshot_table(list(rows.values()), name)))["ko"]


def test_the_register_is_destroyed_only_when_all_of_it_is() -> None:
    half = sources.register_figures([row(destroyed_at=NOW), row(destroyed_at=None)])
    whole = sources.register_figures([row(destroyed_at=NOW)])
    assert half.items[1].value is None
    assert whole.items[1].value == NOW
    assert "/api/register.csv" in panels(Panel("panel-register", whole))["en"]


# -- datasets and search


def test_a_dataset_page_tells_who_was_shown_it_and_from_whom_it_was_withheld_and_why() -> None:
    form = {
        "title": {"ko": EVIL, "en": None},
        "patients": 19_990,
        "columns": [{"name": "age", "title": {"ko": "나이", "en": "Age"}, "identifier_class": "quasi"}],
    }
    dataset = row(
        id="D-H01-DM",
        form=form,
        revised=1,
        published_at=NOW,
        min_walls="thin",
        synthetic=True,
        deid_profile="kr-med-1/1",
    )
    offer = row(id="offer-1", normalised={"kind": "Offer"}, published_at=NOW)
    shown = [
        row(peer="did:web:a02", allow=True, code=None, later=["https://example.org/x"], at=NOW),
        row(
            peer="did:web:a03",
            allow=False,
            code="disease-outside-offer",
            rule="permission-1.5",
            needed="https://w3id.org/dure/kcd#E10-E14",
            seen=["https://w3id.org/dure/kcd#I44-I49"],
            at=NOW,
        ),
    ]
    pages = drawn(datasets.view(dataset, [offer], shown, name, NOW))
    harmless(pages)
    assert "may apply" in pages["en"]
    assert "allowed" not in pages["en"].replace("not understood", "")
    assert "disease-outside-offer" in pages["en"]
    assert "conduction disorders and arrhythmias (I44-I49)" in pages["en"]
    assert "this policy allows nothing" in pages["en"], "an offer that is not understood"


SEARCHED: list[dict[str, Any]] = [
    {
        "dataset": "D-H01-DM",
        "title": {"ko": "당뇨"},
        "provider_name": {"ko": "새빛", "en": "Saebit"},
        "outcome": "may-apply",
        "patients": 19_990,
        "later": [],
        "offers": [],
    },
    {
        "dataset": "D-H03-DM",
        "provider_name": {"ko": "한결", "en": "Hangyeol"},
        "outcome": "withheld",
        "code": EVIL,
        "reason": {"ko": EVIL, "en": EVIL},
        "do": None,
        "needed": [EVIL],
    },
    {"dataset": "D-NEW", "provider_name": {}, "outcome": "granted"},
]


def test_search_says_may_apply_and_shows_what_is_withheld_with_its_reason() -> None:
    found = (
        Panel("panel-may-apply", studies.may_apply(SEARCHED)),
        Panel("panel-not-for-us", studies.withheld(SEARCHED, name)),
        Panel("panel-unasked", studies.unasked([{"name": {"ko": "다온"}, "why": "timeout"}])),
    )
    pages = drawn(None, "search.html", q=EVIL, commercial=True, panels=found)
    harmless(pages)
    assert "may apply" in pages["en"]
    assert "allowed" not in pages["en"]
    assert "No answer does not mean no data." in pages["en"]


def test_a_reason_that_we_know_too_is_told_in_words_and_not_in_addresses() -> None:
    row = {
        **SEARCHED[1],
        "code": "purpose-outside-offer",
        "needed": "https://w3id.org/dpv#NonCommercialResearch",
        "seen": ["https://w3id.org/dpv/legal/eu/ehds#TrainTestAndEvaluateMedicalDevicesAlgorithms"],
    }
    pages = panels(Panel("panel-not-for-us", studies.withheld([row], name)))
    assert "의료기기 알고리즘의 학습·시험·평가" in pages["ko"]
    assert "training, testing and evaluating algorithms of medical devices" in pages["en"]
    assert "https://w3id.org" not in pages["ko"] + pages["en"]
    assert EVIL not in pages["en"]


def test_an_outcome_that_we_do_not_know_is_never_among_what_we_may_apply_for() -> None:
    assert [cells[0] for cells in studies.may_apply(SEARCHED).rows] == ["D-H01-DM"]
    assert [cells[0] for cells in studies.withheld(SEARCHED, name).rows] == ["D-H03-DM", "D-NEW"]


TARIFF = Tariff("t", 200_000, 20, 300, 300_000, 60, 50_000, 350)


def test_the_price_follows_the_tariff_over_our_own_complete_receipts() -> None:
    permit = row(id="p", study=STUDY, fields={"applicant": "did:web:a02", "outcome_reward": 1_000_000})

    def receipt(kind: str, author: str, state: str = "complete", **subject: Any) -> Any:
        return row(
            id=kind,
            type=kind,
            author=author,
            about=kind,
            log_index=1,
            state=state,
            envelope={"body": {"subject": subject}},
        )

    rows = [
        receipt("agreement", "did:web:h01", dataset="D", patients=19_993),
        receipt("task-end", "did:web:p01", started_minutes=42),
        receipt("release", "did:web:p01"),
        receipt("agreement", "did:web:h03", state="authored", dataset="E", patients=5),
        receipt("staging", "did:web:h01"),
    ]
    lines = due(permit, "did:web:op", rows, TARIFF)
    fees = 599_860 + 300_000 + 2_520 + 50_000
    assert sum(line.won for line in lines) == fees + 33_333 + 1_000_000
    page = panels(Panel("panel-cost", studies.price_table(lines, FACES)))
    assert "₩599,860" in page["en"]
    assert "1,000,000원" in page["ko"]


# -- negotiations


def test_negotiations_and_agreements_say_their_state_and_what_they_wait_for() -> None:
    states = ("", "REQUESTED", "OFFERED", "ACCEPTED", "AGREED", "VERIFIED", "FINALIZED", "TERMINATED")
    talks = [
        row(dataset="D", peer="x", state=state, code=EVIL, reason=None, waits=False, changed_at=NOW) for state in states
    ]
    agreed = [row(dataset="D", id=EVIL, state=state, until=NOW) for state in ("AGREED", "FINALIZED", "ENDED", "VOID")]
    rows = tuple(negotiation._negotiation(one, "«h01»") for one in talks)
    lines = tuple(negotiation._agreement(one, complete=False) for one in agreed)
    from connector.web.timeline import Table

    pages = panels(
        Panel(
            "panel-negotiations",
            Table(None, ("dataset", "member-name", "state", "negotiation-why", "last-change"), rows),
        ),
        Panel(
            "panel-agreements",
            Table(None, ("dataset", "agreement", "state", "agreement-receipt", "agreement-until"), lines),
        ),
    )
    harmless(pages)
    assert "waits for a signature or its proof" in pages["en"]
    assert "proven in the log" not in pages["en"]


# -- the zone


def zone_answer(**more: Any) -> dict[str, Any]:
    finding = {"code": "small-cell", "file": "small.csv", "needed": ">= 10", "seen": "row 2", "rule": "cells"}
    files = [
        {"name": EVIL, "kind": "aggregate", "bytes": 101, "state": "refused", "findings": [finding]},
        {"name": "model.onnx", "kind": "model", "bytes": 2_000, "state": "released", "findings": []},
    ]
    task = {
        "id": "t-1",
        "kind": "train",
        "state": "ended",
        "outcome": "COMPLETE",
        "code": None,
        "walls": "full",
        "stop_ms": None,
        "started_at": NOW,
        "ended_at": NOW + 23_000,
        "cpu_ms": 12_000,
    }
    release = {"id": "r-1", "task": "t-1", "state": "released", "residual_bytes": 404, "asked_at": NOW, "files": files}
    certificate = {"about": "t-1", "type": "task-certificate", "digest": "abc", "result": "SURELY", "at": NOW}
    return {"tasks": [task], "verifications": [], "releases": [release], "certificates": [certificate], **more}


def test_the_company_sees_tasks_released_files_and_why_others_may_not_leave() -> None:
    pages = panels(*analysis.panels(zone_answer(), STUDY, {}))
    harmless(pages)
    assert "residual capacity of the model 404 B" in pages["en"]
    assert 'data-code="small-cell"' in pages["en"]
    assert "Not proven" in pages["en"], "a result that we do not know proves nothing"
    assert f"/api/studies/{STUDY.replace(':', '%3A')}/releases/r-1/files/model.onnx" in pages["en"]


def test_a_card_that_the_zone_did_not_sign_is_not_shown() -> None:
    from vocab.errors import Refusal

    forged = {"suite": "dure-1", "body": {"type": "model-card"}, "signatures": []}
    with pytest.raises(Refusal):
        panels(*analysis.panels(zone_answer(verifications=[{"card": forged}]), STUDY, {}))


def task(**more: Any) -> Any:
    fields = {
        "id": "t",
        "study": STUDY,
        "kind": "train",
        "state": "running",
        "outcome": None,
        "walls": "thin",
        "code": None,
    }
    times = {"started_at": NOW, "ended_at": None, "cpu_ms": 10, "peak_mb": 63, "stop_ms": None}
    return row(**{**fields, **times, **more})


def test_tasks_in_every_state_have_their_words() -> None:
    from compute.tasks.states import Outcome, State

    rows = [task(state=state.value) for state in State if state is not State.ENDED]
    rows += [task(state="ended", outcome=outcome.value, ended_at=NOW, stop_ms=812, code=EVIL) for outcome in Outcome]
    pages = panels(Panel("panel-tasks", tasks.tasks_table(rows)))
    harmless(pages)
    assert "stopped within 0.8 s" in pages["en"]
    pages = panels(Panel("panel-tasks", tasks.tasks_table([task(state="running", code="provider-stopped")])))
    assert "The provider has stopped the use." in pages["en"]


def test_a_slot_says_who_put_what_there_and_what_became_of_it() -> None:
    part = row(part="train", bytes=287_268, state="staged")
    gone = row(part="train", bytes=287_268, state="destroyed")
    slots = {
        "all there": (row(id="1", stopped=False), [part]),
        "waits for ciphertext": (row(id="2", stopped=False), [row(part="train", bytes=9, state="announced")]),
        "stopped by the hospital": (row(id="3", stopped=True), [part]),
        "destroyed": (row(id="4", stopped=True), [gone]),
    }
    for said, (slot, lying) in slots.items():
        assert text(tasks.slot_state(slot, lying).said, "en") == said
    slot = row(id="1", dataset=EVIL, provider="did:web:h01", study=STUDY, stopped=False, min_walls="thin", made_at=NOW)
    pages = panels(Panel("staged", tasks.slots_table([slot], {"1": [part]}, FACES)))
    harmless(pages)
    assert "287.3 kB" in pages["en"]


def release(**more: Any) -> Any:
    fields = {"id": "r-1", "study": STUDY, "consumer": "did:web:a02", "task": "t", "requester": EVIL, "state": "review"}
    files = [{"name": EVIL, "kind": "model", "bytes": 2_000, "state": "review", "findings": []}]
    return row(**{**fields, "files": files, "residual_bytes": 404, "asked_at": NOW, **more})


REVIEWER = Person("reviewer-1", "표은결", frozenset({"reviewer"}))


def test_the_reviewers_form_is_there_for_who_may_review_and_has_not_yet() -> None:
    said = [row(person="reviewer-1", organisation="o", verdict="release", reason=EVIL, at=NOW)]
    open_ = drawn(egress.view(release(), None, [], REVIEWER, name, NOW, may=True))
    assert 'action="/reviews/r-1/do/review"' in open_["en"]
    harmless(open_)
    for page in (
        egress.view(release(), None, [], REVIEWER, name, NOW, may=False),
        egress.view(release(), None, said, REVIEWER, name, NOW, may=True),
        egress.view(release(state="released"), None, [], REVIEWER, name, NOW, may=True),
    ):
        assert "/do/review" not in drawn(page)["en"]


def test_the_list_of_requests_leads_to_each() -> None:
    table = egress.requests_table([release(), release(id="r-2", state="refused")], FACES)
    assert isinstance(table.rows[0][0], Link)
    assert "/reviews/r-2" in panels(Panel("reviews", table))["ko"]


# -- the operator


def member(**more: Any) -> Any:
    fields = {
        "did": "did:web:h01",
        "name": {"ko": EVIL, "en": EVIL},
        "camp": "hospital",
        "state": "active",
        "purposes": ["https://w3id.org/dpv/legal/eu/ehds#TrainTestAndEvaluateMedicalDevicesAlgorithms"],
        "diseases": ["E10-E14"],
        "changed_at": NOW,
    }
    return row(**{**fields, **more})


def test_the_members_page_names_every_state_and_the_list_in_force() -> None:
    rows = [member(state=state) for state in ("invited", "active", "suspended", "ended")]
    standing = row(seq=11, at=NOW, envelope={"body": {"valid_until": NOW + 1_000, "release": "sha256:x"}})
    pages = drawn(members.view(rows, [row(id="reviewer-1", organisation=EVIL, at=NOW)], standing, NOW))
    harmless(pages)
    assert "training, testing and evaluating algorithms of medical devices" in pages["en"]
    assert "의료기기 알고리즘의 학습·시험·평가" in pages["ko"]
    assert drawn(members.view([], [], None, NOW))["ko"]


def head(**more: Any) -> Any:
    fields = {"origin": "op/log", "size": 2, "published_size": 0, "published": "", "published_at": None, "policy": ""}
    return row(**{**fields, "waits_for": "", **more})


def test_a_log_without_camps_says_that_its_entries_wait_and_for_what() -> None:
    entry = row(
        index=0,
        digest="d",
        type="delegation",
        author="did:web:h01",
        counterparty=None,
        one_sided=True,
        study=None,
        at=NOW,
    )
    pages = drawn(log.view(head(), None, {}, [entry], name, now=NOW, waiting=1), "log.html")
    assert "A hospital and a company must be members" in pages["en"]
    assert "1 entries wait for the witnesses" in pages["en"]
    assert "Trust policy met" not in pages["en"]
    assert EMPTY.hex() in pages["en"]
    assert "/log/proofs/" not in pages["en"], "nothing is proven before it is published"


def test_a_page_without_anything_says_so_instead_of_being_empty() -> None:
    page = drawn(Timeline(title="t", now_ms=NOW, refresh_url="/t", events=()))
    assert "아직 없습니다." in page["ko"]


# -- a negotiation that waits for a person


def waits(side: str, state: str, **more: Any) -> Any:
    offer = {
        "@id": "o",
        "@type": "Offer",
        "permission": [{"action": "use"}, {"action": "http://www.w3.org/ns/odrl/2/use"}],
    }
    before = {"@id": "o", "@type": "Offer", "permission": [{"action": "use"}]}
    return row(id="pid-1", side=side, state=state, dataset=EVIL, peer="did:web:a02", offer=offer, before=before, **more)


@pytest.mark.parametrize(("side", "state"), list(negotiation.STEPS))
def test_what_waits_shows_the_changed_clauses_and_everything_that_can_be_done(side: str, state: str) -> None:
    found = panels(*negotiation._waiting(waits(side, state), "A02"))
    harmless(found)
    for step in (*negotiation.STEPS[side, state], "terminate"):
        assert f"/negotiations/pid-1/do/{step}" in found["ko"]
    assert "permission-2" in found["en"]


def test_a_reason_in_a_persons_words_is_shown_as_text() -> None:
    shown = row(dataset="d", state="TERMINATED", waits=False, reason=EVIL, code="ended-by-person", changed_at=NOW)
    headers = ("dataset", "member-name", "state", "negotiation-why", "last-change")
    table = negotiation.Table(None, headers, (negotiation._negotiation(shown, "A02"),))
    harmless(panels(Panel("panel-negotiations", table)))
