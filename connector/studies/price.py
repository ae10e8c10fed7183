"""What a study costs so far: the tariff's own formula over the receipts that this company countersigned. Pure."""

from collections.abc import Iterable

from connector.evidence.model import Receipt
from connector.rights.model import PermitRow
from vocab.money.facts import Approved, Delivered, Fact, Facts, Reviewed, Source, Used
from vocab.money.lines import Line, lines
from vocab.money.tariff import Tariff


def due(permit: PermitRow, operator: str, receipts: Iterable[Receipt], tariff: Tariff) -> tuple[Line, ...]:
    """The lines that a settlement would have if the study ended now. The settlement itself reads the log."""
    approved = Approved(Source(permit.id, 0), permit.fields["applicant"], permit.id, permit.fields["outcome_reward"])
    facts = tuple(fact for row in receipts if row.state == "complete" and (fact := _fact(row)) is not None)
    return lines(Facts(permit.study, operator, approved, facts, ()), tariff)


def _fact(row: Receipt) -> Fact | None:
    source, subject = Source(row.id, row.log_index or 0), row.envelope["body"]["subject"]
    match row.type:
        case "agreement":
            return Delivered(source, row.author, subject["dataset"], "patients", subject["patients"])
        case "task-end":
            return Used(source, row.author, row.about, subject["started_minutes"])
        case "release":
            return Reviewed(source, row.about)
        case _:
            return None
