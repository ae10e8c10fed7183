"""Lists of tasks: a consumer's own, newest first, page by page (TES), and all of them for the zone's people."""

from dataclasses import dataclass

from sqlmodel import Session, col, select

from compute.tasks.model import Task
from compute.tasks.states import State, tes
from vocab.errors import Refusal


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tasks: TES filters, and the page."""

    name_prefix: str = ""
    state: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    page_size: int = 256
    page_token: str = ""


def page(session: Session, consumer: str, wanted: Wanted) -> tuple[list[Task], str | None]:
    """One page and the token of the next one, None after the last. Raises `Refusal("task-outside-profile")`."""
    query = select(Task).where(Task.consumer == consumer).order_by(col(Task.number).desc())
    if wanted.page_token:
        if not wanted.page_token.isdecimal() or len(wanted.page_token) > 15 or not wanted.page_token.isascii():
            raise Refusal("task-outside-profile", where="page_token", needed="next_page_token", seen="–")
        query = query.where(col(Task.number) < int(wanted.page_token))
    found: list[Task] = []
    for row in session.exec(query):
        if not _matches(row, wanted):
            continue
        if len(found) == wanted.page_size:
            return found, str(found[-1].number)
        found.append(row)
    return found, None


def everyone(session: Session, study: str | None, after: int, limit: int) -> list[Task]:
    """All tasks by number; of one study, or of all."""
    query = select(Task).where(col(Task.number) > after).order_by(col(Task.number)).limit(limit)
    return list(session.exec(query if study is None else query.where(Task.study == study)))


def _matches(row: Task, wanted: Wanted) -> bool:
    tags = row.document.get("tags", {})
    state = tes(State(row.state), row.result, row.stopping == "task-canceled")
    return (
        str(row.document.get("name", "")).startswith(wanted.name_prefix)
        and wanted.state in (None, state)
        and all(key in tags and value in ("", tags[key]) for key, value in wanted.tags)
    )
