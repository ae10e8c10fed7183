"""A case before the board: everything that a vote or a decision leans on, read at once."""

from dataclasses import dataclass

from sqlmodel import Session, col, select

from connector.rights.service import Standing
from governance.boards import seats
from governance.boards.intake import application_row
from governance.boards.model import ApplicationRow, HospitalVeto, Recusal, SeatRow, VoteRow
from governance.boards.rules import Seat, conflicts, counted
from governance.boards.states import State, Step, after
from vocab.records.application import Application, read
from vocab.records.decision import Arithmetic


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a decision on an application leans on, read at once. `row.revision` tells whether it changed."""

    row: ApplicationRow
    application: Application
    seat_rows: tuple[SeatRow, ...]
    recused: dict[str, str]
    votes: tuple[VoteRow, ...]
    vetoes: tuple[HospitalVeto, ...]
    numbers: Arithmetic

    @property
    def seats(self) -> list[Seat]:
        """The seats as the rules see them."""
        return [Seat(row.member, row.organisation, row.external) for row in self.seat_rows]


def case(session: Session, standing: Standing, application: str) -> Case:
    """The case as it stands now. Raises `Refusal("not-found")`."""
    row = application_row(session, application)
    seat_rows = tuple(seats.rows(session))
    seated = [Seat(one.member, one.organisation, one.external) for one in seat_rows]
    same_round = {"application": row.id, "round": row.round}
    declared = [one.member for one in session.exec(select(Recusal).filter_by(**same_round))]
    votes = tuple(session.exec(select(VoteRow).filter_by(**same_round).order_by(col(VoteRow.member))))
    vetoes = session.exec(
        select(HospitalVeto).where(HospitalVeto.application == row.id).order_by(col(HospitalVeto.dataset))
    )
    applicant = standing.member(row.applicant)
    recused = conflicts(seated, {applicant.organisation} if applicant else set(), declared)
    members = {seat.member for seat in seated}
    numbers = counted(seated, recused, {one.member: one.vote for one in votes if one.member in members})
    return Case(row, read(row.envelope["body"]), seat_rows, recused, votes, tuple(vetoes), numbers)


def advance(row: ApplicationRow, step: Step, reason: str | None) -> None:
    """The application takes `step`. Raises `Refusal("board-step-refused")`."""
    row.state, row.reason, row.deadline_at = after(State(row.state), step), reason, None
    row.revision += 1
