"""The standing list, made from what the operator's tables say, numbered and signed in the unit that changed them."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote

from sqlmodel import Session, col, select

from connector.evidence import journal
from connector.evidence.witness import key_of
from connector.kit import outbox
from connector.kit.db import Unit
from connector.kit.outbox import Promise
from connector.kit.runtime import Runtime
from connector.policy.service import Policies
from governance.members.model import Issued, MemberRow, PermitState, ReviewerRow
from governance.members.states import State
from vocab.errors import Refusal
from vocab.records.envelope import Envelope, signed
from vocab.tlog.note import Algorithm, Key

#: How long a list may be leaned on (ms): a day. It is signed anew after a third of that.
VALID: Final = 24 * 3600 * 1000
RENEW: Final = VALID // 3
#: The timer that does it: effect and process.
RENEWAL: Final = "standing-renew"

#: What the list says of the log: origin, vkey and policy. The log room brings it.
LogInfo = Callable[[Session], dict[str, str]]


class Announced:
    """What other rooms of the operator put into the standing list, and who among them hears of a new one."""

    def __init__(self, runtime: Runtime) -> None:
        ours = _log_of_our_keys(runtime)
        self.log: LogInfo = lambda _: ours
        #: Run in the unit that signs a list.
        self.on_list: list[Callable[[Unit], None]] = []


def host(did: str) -> str:
    """Host and port of a did:web, as signed notes name their keys."""
    return unquote(did.removeprefix("did:web:").split(":")[0])


def witness_vkey(did: str, key: bytes) -> str:
    """The vkey of a member's witness."""
    return str(key_of(did, key))


def release_of(runtime: Runtime) -> str:
    """The policy release that this node decides with, which is the space's."""
    return runtime.get(Policies).revision


def newest(session: Session) -> Issued | None:
    """The list in force."""
    return session.exec(select(Issued).order_by(col(Issued.seq).desc()).limit(1)).first()


def in_force(session: Session) -> Issued:
    """The same. Raises `Refusal("standing-missing")` when none was signed yet."""
    row = newest(session)
    if row is None:
        raise Refusal("standing-missing")
    return row


def restate(unit: Unit, runtime: Runtime, why: str) -> Envelope:
    """Signs the next list in this unit and promises it to every member, and its own renewal."""
    now, session = runtime.now(), unit.session
    session.flush()
    last = newest(session)
    seq = last.seq + 1 if last else 1
    members = list(session.exec(select(MemberRow).order_by(MemberRow.did)))
    envelope = signed(_body(runtime, session, members, seq, now), runtime.did, runtime.keys.sign)
    session.add(Issued(seq=seq, envelope=envelope, at=now))
    for member in members:
        if member.state in (State.ACTIVE, State.SUSPENDED):
            payload = {"did": member.did, "seq": seq}
            outbox.promise(unit, f"standing {member.did}", "standing", payload, now=now, deadline_at=now + VALID)
    keep_renewed(unit, now, now + RENEW)
    journal.record(unit, "standing-signed", now=now, seq=seq, why=why)
    for call in runtime.get(Announced).on_list:
        call(unit)
    session.flush()
    return envelope


def keep_renewed(unit: Unit, now: int, due_at: int) -> None:
    """One renewal waits, whatever became of earlier ones: it is moved, or promised."""
    query = select(Promise).where(Promise.process == RENEWAL, Promise.state == "waiting")
    waiting = unit.session.exec(query).first()
    if waiting is None:
        outbox.promise(unit, RENEWAL, RENEWAL, {}, now=now, due_at=due_at)
    else:
        waiting.due_at, waiting.deadline_at = due_at, due_at + outbox.DEADLINE


def _body(runtime: Runtime, session: Session, members: list[MemberRow], seq: int, now: int) -> dict[str, Any]:
    listed = [member for member in members if member.state in (State.ACTIVE, State.SUSPENDED)]
    return {
        "type": "standing",
        "seq": seq,
        "at": now,
        "valid_until": now + VALID,
        "lease_seconds": runtime.settings.lease_seconds,
        "operator": runtime.did,
        "members": [_member(member) for member in listed],
        "zones": [
            {"did": member.did, "place": member.zone["place"], "country": member.zone["country"]}
            for member in listed
            if member.zone is not None
        ],
        "permits": {row.id: row.state for row in session.exec(select(PermitState).order_by(PermitState.id))},
        "release": release_of(runtime),
        "reviewers": [
            {"id": row.id, "organisation": row.organisation}
            for row in session.exec(select(ReviewerRow).order_by(ReviewerRow.id))
        ],
        "log": runtime.get(Announced).log(session),
    }


def _member(row: MemberRow) -> dict[str, Any]:
    fields = ("did", "url", "name", "camp", "organisation", "roles", "purposes", "diseases", "country", "keys", "vkey")
    return {**{name: getattr(row, name) for name in fields}, "state": row.state}


def _log_of_our_keys(runtime: Runtime) -> dict[str, str]:
    """Until the log room says more: whose log it will be."""
    origin = f"{host(runtime.did)}/log"
    return {"origin": origin, "vkey": str(Key(origin, Algorithm.ED25519, runtime.keys.public("log"))), "policy": ""}
