"""What the operator's people do with members: invite, admit, suspend, reinstate, end, appoint reviewers."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from sqlmodel import Session, col, select

from connector.evidence import journal
from connector.identity.did import document_url, public_keys
from connector.kit.db import Unit
from connector.kit.outbox import Handler, Performed, Promise, TryLater
from connector.kit.ports import Unreachable
from connector.kit.runtime import Runtime
from connector.rights.relay import relayed
from connector.rights.service import accept_standing
from governance.members.model import MemberRow, PermitState, ReviewerRow
from governance.members.standing import (
    RENEW,
    RENEWAL,
    Announced,
    in_force,
    keep_renewed,
    newest,
    release_of,
    restate,
    witness_vkey,
)
from governance.members.states import Command, State, after
from vocab.errors import Refusal

T = TypeVar("T")

KEYS: Final = ("token", "receipt", "witness", "sealing")

#: command -> the journal's word for it
_SAID: Final[Mapping[Command, str]] = {
    Command.SUSPEND: "member-suspended",
    Command.REINSTATE: "member-reinstated",
    Command.END: "member-ended",
}


async def admit(runtime: Runtime, by: str, fields: Mapping[str, Any]) -> MemberRow:
    """Invites a participant and, when its DID document can be read, admits it with the keys found there.

    Raises `Refusal("member-unreachable")` (it stays invited: ask again), `did-invalid`, `member-exists`.
    """
    did = fields["did"]

    def invite(unit: Unit) -> None:
        row = unit.session.get(MemberRow, did)
        if row is not None and row.state != State.INVITED:
            raise Refusal("member-exists", did=did, seen=row.state)
        state = after(State(row.state) if row else None, Command.INVITE, did)
        row = row or MemberRow(**fields, state=state, changed_at=runtime.now())
        row.sqlmodel_update(dict(fields))
        unit.session.add(row)
        journal.record(unit, "member-invited", now=runtime.now(), by=by, name=fields["name"]["ko"], did=did)

    await runtime.store.run(invite)
    keys = await _keys_of(runtime, did)

    def enter(unit: Unit) -> MemberRow:
        row = _row(unit.session, did)
        _enter(row, keys, runtime.now())
        journal.record(unit, "member-admitted", now=runtime.now(), by=by, name=row.name["ko"], did=did)
        restate(unit, runtime, f"admit {did}")
        return row

    return await _changed(runtime, enter)


async def command(runtime: Runtime, by: str, did: str, what: Command, reason: str) -> MemberRow:
    """Suspends, reinstates or ends a membership. Raises `Refusal("member-command-refused")`, `operator-stays`."""
    if did == runtime.did:
        raise Refusal("operator-stays")

    def change(unit: Unit) -> MemberRow:
        row = _row(unit.session, did)
        row.state, row.changed_at = after(State(row.state), what, did), runtime.now()
        journal.record(unit, _SAID[what], now=runtime.now(), by=by, name=row.name["ko"], did=did, reason=reason)
        restate(unit, runtime, f"{what} {did}")
        return row

    return await _changed(runtime, change)


async def appoint(runtime: Runtime, by: str, reviewer: str, organisation: str) -> ReviewerRow:
    """Appoints a person who may review what leaves a zone."""

    def add(unit: Unit) -> ReviewerRow:
        row = unit.session.get(ReviewerRow, reviewer) or ReviewerRow(
            id=reviewer, organisation=organisation, at=runtime.now()
        )
        row.organisation = organisation
        unit.session.add(row)
        journal.record(unit, "reviewer-appointed", now=runtime.now(), by=by, id=reviewer, organisation=organisation)
        restate(unit, runtime, f"reviewer {reviewer}")
        return row

    return await _changed(runtime, add)


def set_permit(unit: Unit, runtime: Runtime, permit: str, study: str, state: str) -> None:
    """The standing list says from now on that `permit` is active, suspended or ended."""
    row = unit.session.get(PermitState, permit) or PermitState(
        id=permit, study=study, state=state, changed_at=runtime.now()
    )
    row.state, row.changed_at = state, runtime.now()
    unit.session.add(row)
    restate(unit, runtime, f"permit {state}")


async def take_effect(runtime: Runtime) -> None:
    """The operator leans on its own list like everybody, without waiting for its own post."""
    row = await runtime.store.read(newest)
    if row is not None:
        await accept_standing(runtime, row.envelope)


def members(session: Session, *, after_did: str = "", limit: int = 100) -> list[MemberRow]:
    """Members by DID, in every state."""
    return list(session.exec(select(MemberRow).where(MemberRow.did > after_did).order_by(MemberRow.did).limit(limit)))


def reviewers(session: Session) -> list[ReviewerRow]:
    """The reviewers by id."""
    return list(session.exec(select(ReviewerRow).order_by(col(ReviewerRow.id))))


def install(runtime: Runtime) -> None:
    """Registers what this room performs; on start the operator is the first member of its own space."""
    runtime.add(Announced(runtime))
    runtime.outbox.handlers["standing"] = Handler(partial(_push, runtime))
    runtime.outbox.handlers[RENEWAL] = Handler(partial(_renew, runtime))
    runtime.on_start.append(partial(_ourselves, runtime))


async def _changed(runtime: Runtime, change: Callable[[Unit], T]) -> T:
    found = await runtime.store.run(change)
    await take_effect(runtime)
    return found


async def _ourselves(runtime: Runtime) -> None:
    keys = {name: runtime.keys.public(name) for name in KEYS}

    def enter(unit: Unit) -> None:
        if unit.session.get(MemberRow, runtime.did) is not None:
            _restate_if_needed(unit, runtime)
            return
        organisation = runtime.settings.organisation
        row = MemberRow(
            did=runtime.did,
            url=runtime.settings.url,
            name={"ko": organisation.ko, "en": organisation.en},
            camp="operator",
            organisation=runtime.settings.name,
            roles=["authority"],
            purposes=[],
            diseases=[],
            country="KR",
            state=after(None, Command.INVITE, runtime.did),
            changed_at=runtime.now(),
        )
        _enter(row, keys, row.changed_at)
        unit.session.add(row)
        restate(unit, runtime, "the operator itself")

    await runtime.store.run(enter)
    await take_effect(runtime)


def _restate_if_needed(unit: Unit, runtime: Runtime) -> None:
    """Signs a list that is old or names another policy release, and sees to it that a renewal waits in any case."""
    last = in_force(unit.session)
    if last.envelope["body"]["release"] != release_of(runtime):
        restate(unit, runtime, "policy release")
    elif last.at + RENEW <= runtime.now():
        restate(unit, runtime, "renewal")
    else:
        keep_renewed(unit, runtime.now(), last.at + RENEW)


def _enter(row: MemberRow, keys: Mapping[str, bytes], now: int) -> None:
    row.state, row.changed_at = after(State(row.state), Command.ADMIT, row.did), now
    row.keys = {name: keys[name].hex() for name in KEYS}
    row.vkey = witness_vkey(row.did, keys["witness"])


def _row(session: Session, did: str) -> MemberRow:
    row = session.get(MemberRow, did)
    if row is None:
        raise Refusal("not-found", what=did)
    return row


async def _keys_of(runtime: Runtime, did: str) -> dict[str, bytes]:
    url = document_url(did, development=runtime.settings.development)
    try:
        answer = await runtime.peer.request("GET", url)
    except Unreachable as error:
        raise Refusal("member-unreachable", did=did, why=error.why) from None
    if not answer.ok:
        raise Refusal("member-unreachable", did=did, why=str(answer.status))
    return public_keys(answer.body, did)


async def _push(runtime: Runtime, row: Promise) -> Performed:
    """Effect `standing`: the newest list, which makes the older promises to the same member good as well."""
    did, seq = row.payload["did"], row.payload["seq"]
    member, issued = await runtime.store.read(lambda session: (session.get(MemberRow, did), in_force(session)))
    if member is None or issued.seq != seq or member.state == State.ENDED:
        return None
    answer = await runtime.peer.request("POST", f"{member.url}/standing", json=issued.envelope)
    if answer.status != 204:
        raise TryLater(str(relayed(answer)))
    return None


async def _renew(runtime: Runtime, _row: Promise) -> Performed:
    """Effect `standing-renew`: the list is signed anew before it is out of date."""
    return partial(_restate_if_needed, runtime=runtime)
