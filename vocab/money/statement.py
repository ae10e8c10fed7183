"""A party's statement: the lines of a run that it pays or is paid by, in one document that both sign."""

from collections.abc import Mapping
from typing import Any

from vocab.money.tariff import from_json
from vocab.records.envelope import digest


def statement(run: Mapping[str, Any], party: str) -> dict[str, Any]:
    """The statement that the body of a run makes for `party`; without lines of its own, its totals are 0."""
    own = [line for line in run["lines"] if party in (line["from"], line["to"])]
    run_digest = digest(run)
    return {
        "run": f"run-{run_digest[:32]}",
        "digest": run_digest,
        "study": run["study"],
        "party": party,
        "log": dict(run["log"]),
        "tariff": {"version": run["tariff"]["version"], "digest": from_json(run["tariff"]).digest},
        "lines": own,
        "payable_won": sum(line["amount_won"] for line in own if line["from"] == party),
        "receivable_won": sum(line["amount_won"] for line in own if line["to"] == party),
    }


def parties(run: Mapping[str, Any]) -> list[str]:
    """Everybody whom the run concerns."""
    return sorted(run["totals"])


def subject(found: Mapping[str, Any]) -> dict[str, Any]:
    """What the log shows of a statement: whose, of which run, and its digest."""
    return {"run": found["run"], "run_digest": found["digest"], "party": found["party"], "statement": digest(found)}
