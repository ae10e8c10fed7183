"""A run computed again from the receipts in the log: anybody can, and must get the same digest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vocab.errors import Refusal
from vocab.money.facts import Logged, facts
from vocab.money.run import FORMULA, Range, code_digest, settle
from vocab.money.tariff import from_json
from vocab.records.envelope import canonical, digest
from vocab.tlog.policy import Policy
from vocab.tlog.proof import check_proof, proof


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What came out: `equal` says whether it is what the run says; `same_code` whether this very code made the run."""

    digest: str
    needed: str
    same_code: bool
    lines: tuple[dict[str, Any], ...]
    differs: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether the run says what the receipts say."""
        return self.digest == self.needed

    def to_json(self) -> dict[str, Any]:
        """For `dure settle recompute --json`."""
        return {
            "equal": self.equal,
            "digest": self.digest,
            "needed": self.needed,
            "same_code": self.same_code,
            "differs": list(self.differs),
            "lines": list(self.lines),
        }


def recompute(run: Mapping[str, Any], entries: Iterable[Logged], keys: Mapping[str, bytes]) -> Recomputed:
    """The run of the same study, range and tariff, from `entries`. `differs` names the members and lines that do not
    agree. Raises `Refusal`: run-malformed, and what `facts` and `tariff.from_json` raise."""
    log = run.get("log")
    named = [run.get(name) for name in ("study", "operator", "code")]
    if not isinstance(log, dict) or log.keys() != {"origin", "size", "root"} or run.get("formula") != FORMULA:
        raise Refusal("run-malformed", what="log, formula", needed=FORMULA, seen=run.get("formula"))
    if not all(isinstance(one, str) for one in (*named, *run.get("settled", [None]))):
        raise Refusal("run-malformed", what="study, operator, code, settled")
    study, operator, code = (str(one) for one in named)
    found = facts(study, operator, entries, keys, log["size"])
    again = settle(found, from_json(run.get("tariff")), Range(**log), settled=run["settled"], code=code)
    return Recomputed(
        digest=again.digest,
        needed=digest(run),
        same_code=code == code_digest(),
        lines=tuple(again.body["lines"]),
        differs=tuple(_differs(run, again.body)),
    )


def _differs(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    ours = {line["id"]: line for line in now["lines"]}
    theirs = {line["id"]: line for line in was.get("lines", [])}
    lines = [name for name in sorted(ours.keys() | theirs.keys()) if ours.get(name) != theirs.get(name)]
    return [*lines, *(name for name in sorted(was.keys() | now.keys()) if was.get(name) != now.get(name))]


def proven(run: Mapping[str, Any], given: Iterable[Mapping[str, Any]], policy: Policy) -> list[Logged]:
    """The entries of `{"envelope", "proof"}` rows, each proven to lie in the very log that the run names.

    Raises `LogBroken` as `check_proof` does, and `Refusal("not-in-the-log")` for another checkpoint than the run's.
    """
    found = []
    for row in given:
        envelope, text = row["envelope"], str(row["proof"]).encode()
        tree = check_proof(text, canonical(envelope), policy).checkpoint
        seen = {"origin": tree.origin, "size": tree.size, "root": tree.root.hex()}
        if seen != run["log"]:
            raise Refusal("not-in-the-log", needed=run["log"], seen=seen, receipt=str(envelope["body"].get("id")))
        found.append(Logged(proof(text).index, envelope))
    return found
