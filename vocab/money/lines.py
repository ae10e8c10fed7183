"""From facts to lines: one table says what each fact costs, who pays and who gets it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from vocab.money.facts import Delivered, Fact, Facts, Reviewed, Source, Used
from vocab.money.tariff import Tariff
from vocab.money.won import fee, split

Basis = Mapping[str, int | str]

#: The board's office is paid apart from the operator that hosts it.
DRB_OFFICE: Final = "#drb-office"


@dataclass(frozen=True, slots=True)
class Line:
    """An amount that one party owes another, how it was computed, and the receipts that say so."""

    id: str
    kind: str
    payer: str
    payee: str
    won: int
    basis: Basis
    sources: tuple[Source, ...]

    def to_json(self) -> dict[str, Any]:
        """As runs and statements carry it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "from": self.payer,
            "to": self.payee,
            "amount_won": self.won,
            "basis": dict(self.basis),
            "receipts": [source.to_json() for source in self.sources],
        }


def lines(facts: Facts, tariff: Tariff, settled: Collection[str] = ()) -> tuple[Line, ...]:
    """What is due: fees in the order of the log, the operator's fee on them, then the outcome reward.

    Receipts in `settled` were paid by an earlier run; what they brought about is not due again.
    """
    new = [fact for fact in facts.facts if fact.source.receipt not in settled]
    first = facts.approved.source.receipt not in settled
    fees = [_board(facts, tariff)] if first else []
    fees += [_priced(fact, facts, tariff) for fact in new]
    above = [line for line in fees if line.won]
    found = [*above, *_operator_fee(above, facts, tariff)]
    return (*found, *_reward(facts)) if first else tuple(found)


def _board(facts: Facts, tariff: Tariff) -> Line:
    approved = facts.approved
    basis: Basis = {"study": facts.study, "study_won": tariff.drb_study}
    return _due("drb", approved.source, facts, facts.operator + DRB_OFFICE, tariff.drb_study, basis)


def _priced(fact: Fact, facts: Facts, tariff: Tariff) -> Line:
    match fact:
        case Delivered():
            return _preparation(fact, facts, tariff)
        case Used():
            won = tariff.zone_minute * fact.minutes
            basis: Basis = {"task": fact.task, "started_minutes": fact.minutes, "minute_won": tariff.zone_minute}
            return _due("zone", fact.source, facts, fact.zone, won, basis)
        case Reviewed():
            basis = {"release": fact.release, "review_won": tariff.egress_review}
            return _due("egress-review", fact.source, facts, facts.operator, tariff.egress_review, basis)


def _preparation(fact: Delivered, facts: Facts, tariff: Tariff) -> Line:
    each = tariff.preparation_patient if fact.unit == "patients" else tariff.preparation_imaging_study
    won = tariff.preparation_dataset + each * fact.count
    basis: Basis = {
        "dataset": fact.dataset,
        fact.unit: fact.count,
        "dataset_won": tariff.preparation_dataset,
        "each_won": each,
    }
    return _due("preparation", fact.source, facts, fact.provider, won, basis)


def _due(kind: str, source: Source, facts: Facts, payee: str, won: int, basis: Basis) -> Line:
    return Line(f"{kind} {source.receipt}", kind, facts.approved.payer, payee, won, basis, (source,))


def _operator_fee(above: list[Line], facts: Facts, tariff: Tariff) -> Iterator[Line]:
    """One line; its share of each line above is rounded down by itself."""
    won = sum(fee(line.won, tariff.operator_fee) for line in above)
    if won:
        basis: Basis = {
            "basis_points": tariff.operator_fee,
            "of_won": sum(line.won for line in above),
            "lines": len(above),
        }
        yield Line("operator-fee", "operator-fee", facts.approved.payer, facts.operator, won, basis, ())


def _reward(facts: Facts) -> Iterator[Line]:
    """The outcome reward, by what each provider delivered."""
    delivered = [fact for fact in facts.facts if isinstance(fact, Delivered)]
    counts: dict[str, int] = {}
    for fact in delivered:
        counts[fact.provider] = counts.get(fact.provider, 0) + fact.count
    approved = facts.approved
    for provider, won in sorted(split(approved.outcome_reward, counts).items()):
        basis: Basis = {
            "reward_won": approved.outcome_reward,
            "delivered": counts[provider],
            "of": sum(counts.values()),
        }
        sources = (approved.source, *(fact.source for fact in delivered if fact.provider == provider))
        if won:
            yield Line(f"reward {provider}", "reward", approved.payer, provider, won, basis, sources)
