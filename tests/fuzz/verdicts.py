"""What every answer must be: not our fault, and if it is a no, one that explains itself."""

import re
from collections import Counter
from typing import Any, Final, NamedTuple

from vocab.errors import catalogue

#: What only the inside of a program says.
_INSIDE: Final = re.compile(
    r"Traceback \(most recent|File \"/|\.py\", line|sqlalchemy|sqlite3\.|psycopg|pydantic_core|object at 0x"
)
#: Codes that stand for whatever went wrong inside.
_OURS: Final = frozenset({"bug", "store-failed", "store-busy", "given-up"})
#: Somebody else does not answer, or it may pass by itself: said on purpose.
_LATER: Final = frozenset({502, 503, 504})


class Answer(NamedTuple):
    """What came back, without the library that fetched it."""

    status: int
    kind: str
    text: str
    body: Any


#: A line for each test that asked.
ASKED: Final[list[str]] = []


class Findings:
    """What was wrong, once for each door and fault; and how much was asked."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], str] = {}
        self.times: Counter[tuple[str, str]] = Counter()
        self.statuses: Counter[int] = Counter()

    def add(self, door: str, fault: str, how: str) -> None:
        """A fault at a door; `how` repeats the request."""
        self.times[door, fault] += 1
        self.found.setdefault((door, fault), how)

    def __str__(self) -> str:
        return "\n".join(
            f"{door}: {fault} ({self.times[door, fault]}x)\n    {how}" for (door, fault), how in self.found.items()
        )

    def nothing(self, where: str) -> None:
        """Says how much was asked. Raises `AssertionError` with every fault."""
        ASKED.append(f"{where}: {self.statuses.total()} requests: {dict(sorted(self.statuses.items()))}")
        assert self.statuses.total()
        assert not self.found, f"\n{self}"


def answered(response: Any) -> Answer:
    """The answer in a response of `requests`."""
    try:
        body = response.json()
    except ValueError:
        body = None
    return Answer(response.status_code, response.headers.get("content-type", ""), response.text, body)


def faults(path: str, answer: Answer) -> list[str]:
    """What is wrong with an answer of ours, whatever was asked."""
    wrong = ["it tells the inside"] if _INSIDE.search(answer.text) else []
    if answer.status < 400:
        return wrong
    if path == "/witness/add-checkpoint" and answer.kind.startswith(("text/plain", "text/x.tlog.size")):
        return wrong  # C2SP tlog-witness has its own words
    body = answer.body if isinstance(answer.body, dict) else {}
    code = body.get("code")
    if answer.status >= 500 and (answer.status not in _LATER or code in _OURS):
        return [*wrong, f"{answer.status} {code}"]
    if not answer.kind.startswith("application/json"):
        return [*wrong, f"{answer.status} as {answer.kind or 'nothing'}"]
    if code not in catalogue():
        return [*wrong, f"{answer.status} without a code of ours: {code}"]
    return wrong + (_typed(body) if path.startswith("/dsp/") and "@type" in body else _explained(body))


def _explained(body: dict[str, Any]) -> list[str]:
    """Our form: what and what to do; where and why, if the request's own shape is at fault."""
    wrong = [f"no `{name}`" for name in ("what", "do") if not isinstance(body.get(name), str) or not body[name]]
    values = body.get("values") or {}
    if body["code"] == "request-invalid":
        wrong += [f"no `{name}`" for name in ("where", "why") if not values.get(name)]
    return wrong


def _typed(body: dict[str, Any]) -> list[str]:
    """The protocol's form: a typed error with a reason."""
    named = str(body["@type"]).endswith("Error")
    reasons = body.get("reason")
    return [
        *([] if named else ["not an error of the protocol"]),
        *(
            []
            if isinstance(reasons, list) and reasons and all(isinstance(one, str) and one for one in reasons)
            else ["no reason"]
        ),
    ]
