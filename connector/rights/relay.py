"""Another node's refusal, said again here: what the operator answers a hospital must reach the hospital's people."""

from connector.kit.outbox import TryLater
from connector.kit.ports import Answer
from vocab.errors import Refusal, catalogue

_OWN = frozenset({"code", "rule", "needed", "seen", "self"})


def demand(answer: Answer, status: int) -> None:
    """The peer did as asked: it says `status`. Raises its refusal, or `TryLater` for what no node would say."""
    if answer.status == status:
        return
    if answer.ok or not (isinstance(answer.body, dict) and answer.body.get("code") in catalogue()):
        raise TryLater(f"status {answer.status}")
    raise relayed(answer)


def relayed(answer: Answer) -> Refusal:
    """The refusal in a peer's answer, in our own words for its code; `peer-refused` for a code that we do not know."""
    body = answer.body if isinstance(answer.body, dict) else {}
    code = body.get("code")
    if not isinstance(code, str) or code not in catalogue():
        return Refusal("peer-refused", seen=str(code or answer.status)[:100])
    values = body.get("values")
    named = {str(name): value for name, value in values.items()} if isinstance(values, dict) else {}
    rule = body.get("rule")
    return Refusal(
        code,
        rule=rule if isinstance(rule, str) else None,
        needed=body.get("needed"),
        seen=body.get("seen"),
        **{name: value for name, value in named.items() if name not in _OWN},
    )
