"""A whole life between Dure and a running EDC, Dure on either side: each step is done, and what came of it is kept."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest

from tests.interop.edc.dure import Dure, No
from tests.interop.edc.edc import NAME, NEGOTIATIONS, PATIENCE, TRANSFERS, Edc, EdcError
from tests.interop.edc.files import FILE, Place
from tests.unit.datasets.forms import description

Json = dict[str, Any]

PULL, PUSH = "HttpData-PULL", "HttpData-PUSH"
#: What became of the policy in a step: who read its clauses, and how.
NONE = "–"
OPEN, BOTH = "understood (no clause)", "understood by Dure, ignored by EDC"
_USE: Final = {"permission": [{"action": "use"}]}
_WHY: Final = "the archive closes"


class ReasonLost(Exception):
    """The other side has ended it, and does not know why."""


_NO_REASON: Final = (ReasonLost, "EDC ends the negotiation, but keeps no reason that its people could read")
#: What a version cannot do, by version, Dure's role and step: how it shows, and why. If it can after all, that fails.
EXPECTED: Final[dict[tuple[str, str, str], tuple[type[Exception], str]]] = {
    (version, role, f"ended by the {role} with a reason, which arrives"): _NO_REASON
    for version in ("0.14.1", "0.15.1")
    for role in ("provider", "consumer")
}


@dataclass(slots=True)
class Life:
    """What has been done so far. `rows`: step, what it shows, policy, and the outcome."""

    edc: Edc
    dure: Dure
    place: Place
    role: str
    rows: list[tuple[str, str, str]] = field(default_factory=list)
    known: Json = field(default_factory=dict)

    def play(self) -> list[tuple[str, str, str]]:
        """All steps of the role: their names, what became of the policy, and the outcome."""
        steps = PROVIDER if self.role == "provider" else CONSUMER
        for name, policy, step in steps:
            self.rows.append((name, policy, self._outcome(name, step)))
        return self.rows

    def _outcome(self, name: str, step: "Step") -> str:
        kind, cause = EXPECTED.get((self.edc.version, self.role, name), (None, ""))
        try:
            step(self)
        except Exception as error:  # noqa: BLE001 - the outcome of a step
            if kind is not None and isinstance(error, kind):
                return f"expected: {cause}"
            return f"FAILED: {type(error).__name__}: {error}"[:600]
        return "passed" if kind is None else f"FAILED: passed, although {cause}"


Step = Callable[[Life], None]


# ---- Dure provides, EDC consumes


def _publish(life: Life, dataset: str, policy: Json, **more: Any) -> str:
    """A dataset of Dure's with an offer on it; the offer's id."""
    life.dure.post("/api/datasets", description(dataset, **more))
    offer = life.dure.post(f"/api/datasets/{dataset}/offers", {"@type": "Offer", **policy})
    return str(offer["id"])


def _offer(life: Life) -> None:
    _publish(life, "OPEN", _USE, access="public")
    life.dure.put("/api/datasets/OPEN/content", FILE)


def _catalogue(life: Life) -> None:
    life.known["dataset"] = life.edc.dataset("OPEN")


def _negotiation(life: Life) -> None:
    theirs = life.edc.negotiate(life.known["dataset"])
    life.known["agreement"] = life.edc.wait(NEGOTIATIONS, theirs, "FINALIZED")["contractAgreementId"]
    life.dure.wait("negotiations", life.dure.known_as("negotiations", theirs), "FINALIZED")


def _pull(life: Life) -> None:
    theirs = life.edc.transfer(life.known["agreement"])
    life.edc.wait(TRANSFERS, theirs, "STARTED")
    life.known |= {"theirs": theirs, "ours": life.dure.known_as("transfers", theirs), "source": life.edc.source(theirs)}


def _fetched(life: Life) -> None:
    assert _got(life.known["source"]).content == FILE


def _suspension(life: Life) -> None:
    life.edc.suspend(life.known["theirs"], _WHY)
    life.edc.wait(TRANSFERS, life.known["theirs"], "SUSPENDED")
    assert life.dure.wait("transfers", life.known["ours"], "SUSPENDED")["reason"] == _WHY
    _dead(life)


def _resumption(life: Life) -> None:
    old = life.known["source"]["authorization"]
    life.edc.resume(life.known["theirs"])
    life.edc.wait(TRANSFERS, life.known["theirs"], "STARTED")
    life.known["source"] = life.edc.source(life.known["theirs"])
    assert life.known["source"]["authorization"] != old
    _fetched(life)


def _termination(life: Life) -> None:
    life.dure.post(f"/api/transfers/{life.known['ours']}/termination", {"reason": _WHY})
    life.edc.wait(TRANSFERS, life.known["theirs"], "TERMINATED", "DEPROVISIONED")
    _dead(life)


def _push(life: Life) -> None:
    theirs = life.edc.transfer(life.known["agreement"], PUSH, f"{life.place.url}/sink")
    life.edc.wait(TRANSFERS, theirs, "COMPLETED", "DEPROVISIONED")
    assert life.place.came == [FILE]


def _unknown_offer(life: Life) -> None:
    assert "offer-unknown" in _refused(life, life.known["dataset"], "nobody-made-this")


def _ignored(life: Life) -> None:
    """EDC has no function for the operand and agrees without looking; Dure's gates decide it."""
    date = "http://www.w3.org/ns/odrl/2/dateTime"  # in full: EDC reads short names in two contexts, and finds two
    clause = {"leftOperand": date, "operator": "lt", "rightOperand": "2090-01-01T00:00:00Z"}
    _publish(life, "DATED", {"permission": [{"action": "use", "constraint": [clause]}]}, access="public")
    theirs = life.edc.negotiate(life.edc.dataset("DATED"))
    life.edc.wait(NEGOTIATIONS, theirs, "FINALIZED")
    ours = life.dure.wait("negotiations", life.dure.known_as("negotiations", theirs), "FINALIZED")
    kept = next(one for one in life.dure.get("/api/agreements") if one["id"] == ours["agreement"])
    assert kept["document"]["permission"][0]["constraint"] == [clause]


def _weakened(life: Life) -> None:
    """EDC as consumer sends back the offer without its clause."""
    dataset = life.edc.dataset("DATED")
    theirs = life.edc.negotiate(dataset, permission=[{"action": "use"}])
    assert "offer-changed" in str(life.edc.wait(NEGOTIATIONS, theirs, "TERMINATED")["errorDetail"])


def _ended_by_edc(life: Life) -> None:
    with _waiting(life, "offers"):
        theirs = life.edc.negotiate(life.edc.dataset("OPEN"))
        life.edc.wait(NEGOTIATIONS, theirs, "REQUESTED")
        ours = life.dure.known_as("negotiations", theirs)
        life.edc.terminate(NEGOTIATIONS, theirs, _WHY)
        assert life.dure.wait("negotiations", ours, "TERMINATED")["reason"] == _WHY


def _ended_by_dure(life: Life) -> None:
    with _waiting(life, "offers"):
        theirs = life.edc.negotiate(life.edc.dataset("OPEN"))
        life.edc.wait(NEGOTIATIONS, theirs, "REQUESTED")
        ours = life.dure.known_as("negotiations", theirs)
        life.dure.post(f"/api/negotiations/{ours}/termination", {"reason": _WHY})
        _knows_why(life.edc.wait(NEGOTIATIONS, theirs, "TERMINATED"))


def _not_public(life: Life) -> None:
    """Not shown, and refused to whoever knows it all the same."""
    offer = _publish(life, "CLOSED", _USE)
    assert "CLOSED" not in {one["@id"] for one in life.edc.catalogue()}
    shown = {"@id": "CLOSED", "hasPolicy": [{"@id": offer, "@type": "Offer", **_USE}]}
    assert "zone-only" in _refused(life, shown, offer)


PROVIDER: Final[list[tuple[str, str, Step]]] = [
    ("offer", NONE, _offer),
    ("catalogue", NONE, _catalogue),
    ("negotiation", OPEN, _negotiation),
    ("pull", OPEN, _pull),
    ("data fetched", OPEN, _fetched),
    ("suspended by the consumer, the token refused", NONE, _suspension),
    ("resumed by the consumer, data fetched with a new token", OPEN, _resumption),
    ("terminated by the provider, the token refused", NONE, _termination),
    ("push, data received", OPEN, _push),
    ("unknown offer: `offer-unknown`", "refused by Dure", _unknown_offer),
    ("an offer with a clause that EDC has no function for", BOTH, _ignored),
    ("the same offer sent back without its clause: `offer-changed`", "refused by Dure", _weakened),
    ("ended by the consumer with a reason, which arrives", NONE, _ended_by_edc),
    ("ended by the provider with a reason, which arrives", NONE, _ended_by_dure),
    ("a dataset that is not public: not shown, `zone-only`", "refused by Dure", _not_public),
]


# ---- EDC provides, Dure consumes


def _their_offer(life: Life) -> None:
    life.edc.offer("their-open", f"{life.place.url}/data")


def _their_catalogue(life: Life) -> None:
    """Dure has no page for other spaces' catalogues: it looks one dataset up when it negotiates."""
    found = life.dure.post("/api/negotiations", {"provider": NAME, "dataset": "their-open", "public": True})
    assert found["offer"]["permission"] == _USE["permission"]
    life.known["negotiation"] = found["id"]


def _their_negotiation(life: Life) -> None:
    found = life.dure.wait("negotiations", life.known["negotiation"], "FINALIZED")
    life.known["agreement"] = found["agreement"]
    theirs = life.edc.known_as(NEGOTIATIONS, found["id"])
    life.edc.wait(NEGOTIATIONS, theirs, "FINALIZED")


def _their_pull(life: Life) -> None:
    ours = _asked(life, PULL)
    life.dure.wait("transfers", ours, "STARTED")
    theirs = life.edc.known_as(TRANSFERS, ours)
    life.known |= {"ours": ours, "theirs": theirs, "source": life.dure.source(ours)}


def _their_data(life: Life) -> None:
    """By a transfer of its own: Dure says that it is complete when it has the file."""
    ours = _asked(life, PULL)
    life.dure.wait("transfers", ours, "STARTED")
    life.dure.post(f"/api/transfers/{ours}/fetch")
    life.dure.wait("transfers", ours, "COMPLETED")
    assert life.dure.download(f"/api/transfers/{ours}/data") == FILE
    life.edc.wait(TRANSFERS, life.edc.known_as(TRANSFERS, ours), "COMPLETED", "DEPROVISIONED")


def _their_suspension(life: Life) -> None:
    assert _got(life.known["source"]).content == FILE
    life.dure.post(f"/api/transfers/{life.known['ours']}/suspension", {"reason": _WHY})
    life.edc.wait(TRANSFERS, life.known["theirs"], "SUSPENDED")
    _dead(life)


def _their_resumption(life: Life) -> None:
    old = life.known["source"]
    life.dure.post(f"/api/transfers/{life.known['ours']}/start")
    _until(lambda: life.dure.source(life.known["ours"]) != old, "a new token")
    life.known["source"] = life.dure.source(life.known["ours"])
    assert _got(life.known["source"]).content == FILE


def _their_termination(life: Life) -> None:
    life.edc.wait(TRANSFERS, life.known["theirs"], "STARTED")
    life.edc.terminate(TRANSFERS, life.known["theirs"], _WHY)
    assert life.dure.wait("transfers", life.known["ours"], "TERMINATED")["reason"] == _WHY
    _dead(life)


def _their_push(life: Life) -> None:
    ours = _asked(life, PUSH)
    life.dure.wait("transfers", ours, "COMPLETED")
    assert life.dure.download(f"/api/transfers/{ours}/data") == FILE


def _their_unknown_offer(life: Life) -> None:
    offer = {"@id": "bm8=:bm8=:bm8=", "@type": "Offer", **_USE}
    body = {"provider": NAME, "dataset": "their-open", "public": True, "offer": offer}
    ours = life.dure.post("/api/negotiations", body)["id"]
    assert life.dure.wait("negotiations", ours, "TERMINATED")["code"] == "peer-said-no"


def _strange(asset: str, code: str, rule: Json) -> Step:
    """EDC offers what no gate of Dure's decides: it is refused by name, and nothing is asked for."""

    def step(life: Life) -> None:
        life.edc.offer(asset, f"{life.place.url}/data", {"permission": [rule]})
        before = len(life.dure.get("/api/negotiations"))
        with pytest.raises(No, match=f'"code": "{code}"'):
            life.dure.post("/api/negotiations", {"provider": NAME, "dataset": asset, "public": True})
        assert len(life.dure.get("/api/negotiations")) == before

    return step


def _their_ending(life: Life) -> None:
    with _waiting(life, "steps"):
        body = {"provider": NAME, "dataset": "their-open", "public": True}
        ours = life.dure.post("/api/negotiations", body)["id"]
        life.dure.wait("negotiations", ours, "AGREED")
        theirs = life.edc.known_as(NEGOTIATIONS, ours)
        life.edc.wait(NEGOTIATIONS, theirs, "AGREED")
        life.edc.terminate(NEGOTIATIONS, theirs, _WHY)
        assert life.dure.wait("negotiations", ours, "TERMINATED")["reason"] == _WHY


def _our_ending(life: Life) -> None:
    with _waiting(life, "steps"):
        body = {"provider": NAME, "dataset": "their-open", "public": True}
        ours = life.dure.post("/api/negotiations", body)["id"]
        life.dure.wait("negotiations", ours, "AGREED")
        theirs = life.edc.known_as(NEGOTIATIONS, ours)
        life.dure.post(f"/api/negotiations/{ours}/termination", {"reason": _WHY})
        _knows_why(life.edc.wait(NEGOTIATIONS, theirs, "TERMINATED"))


_BRAND: Final = {"leftOperand": "https://example.org/ns/brand", "operator": "eq", "rightOperand": "gold"}

CONSUMER: Final[list[tuple[str, str, Step]]] = [
    ("offer", NONE, _their_offer),
    ("catalogue", NONE, _their_catalogue),
    ("negotiation", OPEN, _their_negotiation),
    ("pull", OPEN, _their_pull),
    ("data fetched", OPEN, _their_data),
    ("suspended by the consumer, the token refused", NONE, _their_suspension),
    ("resumed by the consumer, data fetched with a new token", OPEN, _their_resumption),
    ("terminated by the provider, the token refused", NONE, _their_termination),
    ("push, data received", OPEN, _their_push),
    ("unknown offer", "refused by EDC", _their_unknown_offer),
    (
        "an offer with an operand that no gate decides: `operand-without-gate`",
        "refused by Dure",
        _strange("their-brand", "operand-without-gate", {"action": "use", "constraint": [_BRAND]}),
    ),
    (
        "an offer with an unknown action: `policy-not-understood`",
        "refused by Dure",
        _strange("their-action", "policy-not-understood", {"action": "https://example.org/ns/frame"}),
    ),
    ("ended by the provider with a reason, which arrives", NONE, _their_ending),
    ("ended by the consumer with a reason, which arrives", NONE, _our_ending),
]


def _asked(life: Life, kind: str) -> str:
    """A transfer that Dure asked for; its id."""
    body = {"provider": NAME, "agreement": life.known["agreement"], "format": kind}
    return str(life.dure.post("/api/transfers", body)["id"])


def _refused(life: Life, dataset: Json, offer: str) -> str:
    """Why Dure refused a request of EDC's for this offer; no negotiation is left here."""
    theirs = life.edc.negotiate(dataset, **{"@id": offer})
    why = str(life.edc.wait(NEGOTIATIONS, theirs, "TERMINATED")["errorDetail"])
    assert theirs not in {one["consumer_pid"] for one in life.dure.get("/api/negotiations?limit=500")}
    return why


@contextmanager
def _waiting(life: Life, when: str) -> Iterator[None]:
    """Meanwhile everything waits for one of Dure's people."""
    life.dure.put("/api/approvals", {"when": when})
    try:
        yield
    finally:
        life.dure.put("/api/approvals", {})


def _got(source: Json) -> httpx.Response:
    """What the place of the data answers to the token."""
    return httpx.get(source["endpoint"], headers={"authorization": source["authorization"]}, timeout=30)


def _knows_why(process: Json) -> None:
    if _WHY not in str(process):
        raise ReasonLost(str(process))


def _dead(life: Life) -> None:
    _until(lambda: _got(life.known["source"]).status_code in (401, 403), "the token is refused")


def _until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise EdcError(f"never: {what}")
        time.sleep(0.05)
