"""Signed in with a browser: a random id in a cookie, the rest in memory. A restart signs everyone out.

Sessions last one working day. Failed sign-ins are counted by address, so that guessing is slow.
"""

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from connector.web.people import People, Person
from vocab.errors import Refusal

LASTS_S: Final = 8 * 3600
#: More sessions than people could open: the oldest goes first.
_MOST: Final = 1_000
_FAILURES: Final = 5
_WINDOW_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class _Session:
    person_id: str
    ends: float


class Sessions:
    """Open sessions of one node. `monotonic` gives seconds that only grow."""

    def __init__(self, people: People, monotonic: Callable[[], float]) -> None:
        self._people = people
        self._monotonic = monotonic
        self._open: dict[str, _Session] = {}
        self._failed: dict[str, deque[float]] = {}

    def sign_in(self, token: str, address: str) -> str:
        """A new session's id. Raises `Refusal("too-many-sign-ins")`, `Refusal("token-unknown")`."""
        self._slow_down(address)
        person = self._people.who(token)
        if person is None:
            self._failed.setdefault(address, deque(maxlen=_FAILURES)).append(self._monotonic())
            raise Refusal("token-unknown")
        self._failed.pop(address, None)
        session_id = secrets.token_urlsafe(32)
        self._open[session_id] = _Session(person.id, self._monotonic() + LASTS_S)
        while len(self._open) > _MOST:
            del self._open[next(iter(self._open))]
        return session_id

    def who(self, session_id: str) -> Person | None:
        """Whose session this is, while it lasts and the person is still one of ours."""
        session = self._open.get(session_id)
        if session is None:
            return None
        if self._monotonic() >= session.ends:
            self.sign_out(session_id)
            return None
        return self._people.get(session.person_id)

    def sign_out(self, session_id: str) -> None:
        """The id is worth nothing from now on."""
        self._open.pop(session_id, None)

    def _slow_down(self, address: str) -> None:
        """Forgets failures older than the window, then refuses an address that has too many left."""
        since = self._monotonic() - _WINDOW_S
        for known, failures in list(self._failed.items()):
            if failures[-1] <= since:
                del self._failed[known]
        failures = self._failed.get(address, deque())
        if len(failures) == _FAILURES and failures[0] > since:
            wait = max(1, round(failures[0] - since))
            raise Refusal(
                "too-many-sign-ins", needed=f"< {_FAILURES} / {_WINDOW_S:.0f} s", seen=len(failures), seconds=wait
            )
