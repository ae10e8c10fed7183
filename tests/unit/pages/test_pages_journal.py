"""What the journal, the outbox and receipts say on pages."""

import ast
from pathlib import Path
from typing import Any

import pytest
from pages_drawn import EVIL, NOW, drawn, harmless, name, panels

import connector
from connector.evidence import views
from connector.evidence.model import Entry, Receipt
from connector.kit.outbox import Promise
from connector.web.timeline import Panel, Refusals, Timeline, Waiting
from vocab.words import known, text
from vocab.words.values import AtSecond, Said

ROOT = Path(connector.__file__).parent.parent
#: Modules that give the journal a kind by a variable, and what it may be.
BY_VARIABLE = {
    "connector/evidence/delivery.py": {"receipt-complete", "receipt-one-sided", "receipt-unlogged"},
    "governance/members/service.py": {"member-suspended", "member-reinstated", "member-ended"},
    "compute/tasks/leased.py": {"task-frozen", "task-thawed"},
}


def recorded() -> list[tuple[str, str | None]]:
    """Each call that writes the journal: its module, and the kind where it stands there."""
    found = []
    for path in sorted(p for room in ("connector", "governance", "compute") for p in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("journal.record", "journal.refused"):
                named = {keyword.arg: keyword.value for keyword in node.keywords}
                kind = named["kind"] if node.func.attr == "refused" else node.args[1]  # type: ignore[attr-defined]
                constant = kind.value if isinstance(kind, ast.Constant) else None
                found.append((path.relative_to(ROOT).as_posix(), constant))
    return found


def test_everything_that_the_journal_records_has_its_words() -> None:
    found = recorded()
    assert len(found) > 40
    assert {module for module, kind in found if kind is None} == set(BY_VARIABLE)
    kinds = {kind for _, kind in found if kind is not None}.union(*BY_VARIABLE.values())
    assert sorted(kind for kind in kinds if not known(f"journal.{kind}")) == []


def entry(**more: Any) -> Entry:
    fields = {"id": 7, "at": NOW, "kind": "stop-pressed", "values": {}, **more}
    return Entry(**fields)


def test_a_refusal_says_rule_needed_and_seen_in_words_for_people() -> None:
    row = entry(
        kind="refused",
        outcome="refused",
        code="irb-expired",
        rule="irb",
        needed=str(NOW),
        seen="did:web:a02",
        by="did:web:a02",
        values={"where": "POST /x"},
    )
    event = views.event(row, name)
    assert event.needed == AtSecond(NOW)
    assert event.seen == "«a02»"
    assert (event.by, event.link) == ("«a02»", "/why/7")
    pages = panels(Panel("panel-refusals", Refusals((event,))))
    assert "2026. 11. 23. 14:05:09" in pages["ko"]
    assert "Submit an IRB decision" in pages["en"]


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("needed", "https://w3id.org/dure/kcd#E10-E14", "diabetes mellitus (E10-E14)"),
        ("needed", "https://w3id.org/dure/kcd#unheard-of", "kcd:unheard-of"),
        ("needed", "20", "20"),
        ("until", NOW, "23 Nov 2026"),
        ("state", "suspended", "suspended"),
        ("reason", "suspended", "suspended"),
        ("patients", 19_993, "19,993"),
    ],
)
def test_stored_values_are_written_for_readers(key: str, value: Any, shown: str) -> None:
    event = views.event(entry(values={key: value}), name)
    assert text(event.values[key], "en") == shown


def test_our_own_words_are_translated_and_what_people_wrote_is_not() -> None:
    event = views.event(entry(values={"state": "suspended", "reason": "suspended"}), name)
    assert text(event.values["state"], "ko") == "정지"
    assert text(event.values["reason"], "ko") == "suspended"


def test_an_outcome_that_a_room_means_otherwise_does_not_break_the_page() -> None:
    event = views.event(entry(kind="prescreened", outcome="returned", values={"reason": "r"}), name)
    assert event.outcome == "done"
    assert text(event.values["outcome"], "en") == "returned"


def test_a_kind_without_words_is_shown_by_its_name() -> None:
    event = views.event(entry(kind="somebody-elses", values={}), name)
    assert text(Said(event.words_key, event.values), "en") == "Recorded: somebody-elses"


def test_what_a_peer_wrote_is_text_on_every_page() -> None:
    row = entry(kind="refused", outcome="refused", code="offer-changed", needed=EVIL, seen=EVIL, values={"why": EVIL})
    event = views.event(row, name)
    harmless(panels(Panel("panel-refusals", Refusals((event,)))))
    page = Timeline(title=EVIL, now_ms=NOW, refresh_url="/t", study=EVIL, events=(event,))
    harmless(drawn(page))
    said = {"what": EVIL, "do": EVIL}
    harmless(drawn(None, "refusal.html", event=event, said=said, where=EVIL, study=None))


def promise(**more: Any) -> Promise:
    fields = {
        "process": "p",
        "kind": "receipt",
        "payload": {},
        "made_at": NOW - 60_000,
        "due_at": NOW,
        "deadline_at": NOW * 2,
        **more,
    }
    return Promise(**fields)


def test_the_outbox_says_for_whom_it_waits_and_since_when() -> None:
    rows = [
        promise(payload={"id": "r-1"}, attempts=3, last_error="did:web:h03 – keys-differ"),
        promise(kind="standing", process="standing did:web:h03", last_error="provider-stopped"),
        promise(kind="unheard-of"),
    ]
    first, second, third = views.waits(rows, {"r-1": "did:web:a02"}, name, NOW)
    assert (first.whom, int(first.since), first.attempts) == ("«a02»", NOW - 60_000, 3)
    assert text(first.why, "en") == "«h03» – The hospital speaks of other keys than those of what it staged here."
    assert second.whom == "«h03»"
    assert (text(second.why, "ko"), text(second.why, "en")) == (
        "제공기관이 이용을 중지했습니다.",
        "The provider has stopped the use.",
    )
    assert third.why is None
    assert third.what == "unheard-of"
    pages = panels(Panel("panel-waiting", Waiting((first, second, third))))
    assert "waits for «a02» since 23 Nov 2026, 14:04" in pages["en"]


def test_a_timer_that_is_not_due_is_nobody_waiting() -> None:
    assert views.waits([promise(kind="permit-lapses", due_at=NOW + 1)], {}, name, NOW) == ()


def receipt(**more: Any) -> Receipt:
    fields = {
        "id": "urn:uuid:1",
        "type": "agreement",
        "about": "a",
        "author": "did:web:h01",
        "counterparty": "did:web:a02",
        "envelope": {},
        "at": NOW,
        **more,
    }
    return Receipt(**fields)


def test_receipts_offer_their_proof_only_when_there_is_one_and_say_when_it_is_late() -> None:
    proven = receipt(state="complete", proof="c2sp.org/tlog-proof", log_index=5)
    late = receipt(id="urn:uuid:2", state="one-sided", logged_at=NOW - views.INCLUSION - 1_000, log_index=6)
    table = views.receipts([proven, late], name, NOW)
    pages = panels(Panel("receipts-panel", table))["en"]
    assert "/api/receipts/urn:uuid:1/proof" in pages
    assert "/api/receipts/urn:uuid:2/proof" not in pages
    assert "proven at 5" in pages
    assert "handed in at 6, no proof for 1 min" in pages
    assert "signed by one side only" in pages
