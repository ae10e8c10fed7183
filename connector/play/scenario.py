"""The rows of the scenario: what must pass and what must be refused, with the code that the refusal must carry.

A row that is not built yet stands here too: a step is whole only when every row of it has run and come out right.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

STEPS: Final = tuple(range(1, 21))


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that a step must show. `code` is set for what must be refused."""

    code: str | None = None
    built: bool = True


DONE: Final = Row()
LATER: Final = Row(built=False)


def _no(code: str) -> Row:
    return Row(code)


#: (step, key) -> what is expected. The words stand in vocab/words/play.toml under `play.<step>.<key>`.
ROWS: Final[dict[tuple[int, str], Row]] = {
    (1, "trial-h01"): DONE,
    (1, "trial-h03"): DONE,
    (1, "rungs-h01"): DONE,
    (1, "rungs-h03"): DONE,
    (1, "same-digest"): DONE,
    (1, "nothing-kept"): DONE,
    (1, "free-text"): _no("free-text"),
    (1, "plain-hash"): _no("plain-hash"),
    (1, "without-k"): _no("profile-without-k"),
    (1, "private-tags"): LATER,
    (1, "burned-in-image"): LATER,
    (2, "publish-h01"): DONE,
    (2, "publish-h03"): DONE,
    (2, "publish-lab"): DONE,
    (2, "conform"): DONE,
    (2, "without-legal-basis"): _no("description-without-legal-basis"),
    (2, "without-gate"): _no("operand-without-gate"),
    (2, "unsatisfiable"): _no("offer-unsatisfiable"),
    (2, "raw-count"): _no("count-not-rounded"),
    (2, "imaging-and-survival"): LATER,
    (3, "search"): DONE,
    (3, "a03"): _no("disease-outside-offer"),
    (3, "hospital-sees"): DONE,
    (3, "non-commercial"): _no("purpose-outside-offer"),
    (4, "counts"): LATER,
    (5, "quote"): LATER,
    (6, "delegate"): DONE,
    (6, "attestation"): _no("attestation-missing"),
    (6, "irb-missing"): _no("irb-missing"),
    (6, "irb-expired"): _no("irb-expired"),
    (6, "not-delegated"): _no("not-delegated"),
    (6, "apply"): DONE,
    (6, "deadline"): DONE,
    (7, "prescreen"): DONE,
    (7, "recused"): _no("recused"),
    (7, "vote"): DONE,
    (7, "twice"): _no("voted-already"),
    (7, "decide"): DONE,
    (7, "recount"): DONE,
    (7, "veto"): _no("veto"),
    (8, "pseudonym-key"): DONE,
    (8, "column-outside"): _no("column-outside-permit"),
    (8, "column-after-index"): _no("column-after-index"),
    (8, "cut-h01"): DONE,
    (8, "cut-h03"): DONE,
    (8, "leak"): _no("leak-found"),
    (8, "leak-encoded"): _no("leak-found"),
    (8, "leak-hashed"): _no("leak-found"),
    (8, "same-person"): _no("same-person"),
    (8, "accept"): DONE,
    (8, "same-digest"): DONE,
    (8, "record"): DONE,
    (8, "key-apart"): DONE,
    (8, "register"): DONE,
    (9, "no-permit"): _no("no-permit"),
    (9, "offer-changed"): _no("offer-changed"),
    (9, "agreement-changed"): _no("offer-changed"),
    (9, "agree"): DONE,
    (9, "receipts"): DONE,
    (10, "without-agreement"): _no("no-agreement"),
    (10, "outside-zone"): _no("zone-only"),
    (10, "pull"): _no("zone-only"),
    (10, "stage"): DONE,
    (10, "digest"): DONE,
    (10, "flipped"): _no("digest-differs"),
    (10, "token-twice"): _no("token-used"),
    (10, "low-walls"): _no("zone-below-level"),
    (11, "other-code"): _no("code-not-on-permit"),
    (11, "other-image"): _no("image-not-on-permit"),
    (11, "without-permit"): _no("no-permit"),
    (11, "holdout"): _no("holdout-mounted"),
    (11, "probes"): DONE,
    (11, "train"): DONE,
    (11, "keys"): DONE,
    (11, "stop"): DONE,
    (12, "verify"): DONE,
    (12, "card"): DONE,
    (12, "overlap"): _no("overlap"),
    (12, "fourth"): _no("verify-limit"),
    (13, "record-level"): _no("record-level"),
    (13, "small-cell"): _no("small-cell"),
    (13, "differencing"): _no("differencing"),
    (13, "pickle"): _no("format-refused"),
    (13, "forest"): _no("memorised"),
    (13, "requester"): _no("requester-reviews"),
    (13, "same-organisation"): _no("same-organisation"),
    (13, "release"): DONE,
    (14, "opt-out"): LATER,
    (15, "imaging"): LATER,
    (16, "federated"): LATER,
    (17, "rule-change"): LATER,
    (18, "second-permit"): DONE,
    (18, "expired"): _no("expired"),
    (18, "close"): DONE,
    (18, "certificates"): DONE,
    (18, "altered"): _no("payload-altered"),
    (18, "omits"): _no("certificate-omits-object"),
    (18, "register"): DONE,
    (19, "settle"): DONE,
    (19, "again"): DONE,
    (19, "recompute"): DONE,
    (19, "own-statement"): DONE,
    (19, "float"): _no("money-not-integer"),
    (19, "unlogged"): _no("not-in-the-log"),
    (20, "audit"): DONE,
    (20, "verify"): DONE,
    (20, "flipped"): _no("entry-broken"),
    (20, "fork"): DONE,
    (20, "evidence-pack"): DONE,
}


def whole(step: int, passed: AbstractSet[tuple[int, str]]) -> bool:
    """Every row of the step is built and has passed."""
    rows = [key for key in ROWS if key[0] == step]
    return all(ROWS[key].built and key in passed for key in rows)


def parts(step: int, passed: AbstractSet[tuple[int, str]]) -> bool:
    """Some row of the step has passed."""
    return any(key[0] == step for key in passed)
