"""P01 alone and real, among stand-ins: an operator that lists, hospitals that keep keys, a company that signs.

The stand-ins sign with real keys and check what a real one would check; a test can take one away or make it refuse.
"""

import asyncio
import base64
import hashlib
import json as json_module
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from sqlmodel import Session, SQLModel, select

from compute.engines.service import Engines
from compute.roles import zone
from connector.evidence import api as evidence_api
from connector.evidence.model import Entry, Receipt
from connector.evidence.service import Receipts
from connector.identity import api as identity_api
from connector.identity.service import Members, ReadOnce
from connector.identity.tokens import issue
from connector.kit.db import ConnectorTable, Store, Unit
from connector.kit.http import answered
from connector.kit.keys import Keys
from connector.kit.outbox import Outbox, waiting
from connector.kit.ports import Answer, Unreachable
from connector.kit.runtime import Runtime
from connector.kit.sealed import new_key, part_key, seal_file, wrap
from connector.kit.settings import Authority, Organisation, Settings
from connector.node import MOST_BYTES
from connector.policy.service import Policies
from connector.rights import api as rights_api
from connector.rights.acceptance import accept_standing
from connector.rights.model import PermitRow
from connector.web.application import Application
from connector.web.faces import Faces
from connector.web.people import People, Person
from connector.web.refusals import install as install_web
from connector.web.session import Sessions
from connector.web.site import Site
from tests.kept import database
from tests.unit.tlog.tlog_writing import ORIGIN, TWO_CAMPS, MemoryLog
from vocab import terms
from vocab.errors import Refusal
from vocab.odrl.normalise import normalise
from vocab.odrl.offer import agreement as agreement_of
from vocab.odrl.offer import research_offer
from vocab.records.certificate import check_closing, check_task
from vocab.records.envelope import canonical, commitment, countersigned, opened, signed
from vocab.tlog.proof import Proof, inclusion

Json = dict[str, Any]

DAY = 86_400_000
KINDS = ("token", "receipt", "witness", "sealing")
NAMES = ("op", "h01", "h03", "a02", "a03", "p01")
CAMPS = {"op": "operator", "h01": "hospital", "h03": "hospital", "a02": "company", "a03": "company", "p01": "zone"}
STUDY = "urn:uuid:00000000-0000-4000-8000-000000000001"
PERMIT = "urn:uuid:00000000-0000-4000-8000-00000000000a"
PEOPLE = {
    "operator": ("operator",),
    "reviewer-1": ("reviewer",),
    "reviewer-2": ("reviewer",),
    "reviewer-3": ("reviewer",),
}
REVIEWERS = {"reviewer-1": "보건정보원", "reviewer-2": "기관 a02", "reviewer-3": "환자권리연대"}
_POLICIES = Policies()


def url(name: str) -> str:
    return f"http://localhost:{7400 + NAMES.index(name)}"


def did(name: str) -> str:
    return f"did:web:localhost%3A{7400 + NAMES.index(name)}"


@dataclass
class Clock:
    """The machine's clocks, which a test may push forward."""

    offset_ms: int = 0
    elapsed: float = 0.0

    def now(self) -> int:
        return time.time_ns() // 1_000_000 + self.offset_ms

    def monotonic(self) -> float:
        return time.monotonic() + self.elapsed

    def forward(self, seconds: float) -> None:
        self.offset_ms += round(seconds * 1000)
        self.elapsed += seconds


@dataclass
class Hospital:
    """What a hospital's node does for the zone: releases keys, destroys them, countersigns certificates."""

    name: str
    keys: Keys
    agreement: str
    dataset: str
    snapshot: str
    dek: bytes = field(default_factory=new_key)
    parts: dict[str, tuple[bytes, Json]] = field(default_factory=dict)
    refuses: str | None = None
    released: dict[tuple[str, str], str] = field(default_factory=dict)
    certificates: list[Json] = field(default_factory=list)
    destroyed_at: int | None = None

    @property
    def key_id(self) -> str:
        return f"key-{self.agreement}"

    def seal(self, folder: Path, plain: Mapping[str, bytes]) -> None:
        for part, content in plain.items():
            source, target = folder / f"{self.name}.{part}", folder / f"{self.name}.{part}.sealed"
            source.write_bytes(content)
            target.unlink(missing_ok=True)
            found = seal_file(source, target, part_key(self.dek, part), f"{self.agreement}|{part}".encode())
            about = {"name": part, "object": f"{self.name}-{part}", "bytes": found.bytes, "sha256": found.sha256}
            self.parts[part] = (target.read_bytes(), about)

    def release(self, envelope: Json, zone_key: bytes) -> Json:
        body = opened(envelope, "key-request", {did("p01"): zone_key}, did("p01"))
        if self.refuses or self.destroyed_at:
            raise Refusal(self.refuses or "provider-stopped", rule="snapshot.stopped", needed=False, seen=True)
        assert body["agreement"] == self.agreement
        found = {}
        for part in body["parts"]:
            kept = self.released.setdefault((body["task"], part), body["job_key"])
            assert kept == body["job_key"], "a key is released once a task"
            aad = f"{self.agreement}|{part}".encode()
            found[part] = base64.b64encode(wrap(part_key(self.dek, part), bytes.fromhex(body["job_key"]), aad)).decode()
        return {"keys": found}

    def certified(self, body: Json, payload: Json) -> None:
        """ "I checked the evidence"."""
        mine = [about["sha256"] for _, about in self.parts.values()]
        if body["type"] == "task-certificate":
            used = {part for task, part in self.released if task == body["about"]}
            check_task(payload, objects=[self.parts[part][1]["sha256"] for part in used])
        else:
            tasks = [one["subject"]["certificate"] for one in self.certificates if one["type"] == "task-certificate"]
            check_closing(payload, objects=mine, tasks=tasks)
            assert self.destroyed_at is not None
        if not any(one["id"] == body["id"] for one in self.certificates):
            self.certificates.append(body)


@dataclass
class World:
    """P01 and its neighbours."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    log: MemoryLog = field(default_factory=MemoryLog)
    hospitals: dict[str, Hospital] = field(default_factory=dict)
    receipts: list[Json] = field(default_factory=list)
    down: set[str] = field(default_factory=set)
    seq: int = 0
    standing_envelope: Json = field(default_factory=dict)
    lease_seconds: int = 60
    permits: dict[str, str] = field(default_factory=lambda: {PERMIT: "active"})
    kept_keys: dict[str, Keys] = field(default_factory=dict)
    runtime: Runtime = None  # type: ignore[assignment]
    app: Application = None  # type: ignore[assignment]
    tokens: dict[str, str] = field(default_factory=lambda: {person: secrets.token_urlsafe(32) for person in PEOPLE})

    # -- the neighbours

    def keys(self, name: str) -> Keys:
        if name not in self.kept_keys:
            (self.folder / name).mkdir(exist_ok=True)
            self.kept_keys[name] = Keys(self.folder / name / "keys")
        return self.kept_keys[name]

    async def request(
        self,
        method: str,
        url_: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The zone's way to its peers."""
        _ = content, headers
        name = NAMES[(urlsplit(url_).port or 0) - 7400]
        await asyncio.sleep(0)
        if name in self.down:
            raise Unreachable(url_, "down")
        path = urlsplit(url_).path
        try:
            found = self._answer(name, method, path, json)
        except Refusal as refusal:
            body = {"code": refusal.code, "rule": refusal.rule, "needed": refusal.needed, "seen": refusal.seen}
            return Answer(refusal.status, body, "")
        return answered(url_, 200, "application/json", json_module.dumps(found).encode())

    async def send_file(self, *_: object) -> Answer:
        raise AssertionError("a zone pushes nothing")

    def _answer(self, name: str, method: str, path: str, json: Any) -> Any:
        if name == "op":
            if path == "/standing":
                return self.standing_envelope
            entry = canonical(json["envelope"])
            if entry not in self.log.entries:
                self.log.append(entry)
            return {"index": self.log.entries.index(entry), "digest": hashlib.sha256(entry).hexdigest()}
        if path == "/receipts":
            body, payload = json["envelope"]["body"], json["payload"]
            assert commitment(bytes.fromhex(json["salt"]), payload) == body["payload"]
            if name in self.hospitals:
                self.hospitals[name].certified(body, payload)
            self.receipts.append(body)
            return {"envelope": countersigned(json["envelope"], did(name), self.keys(name).sign)}
        hospital = self.hospitals[name]
        if path == "/keys/release":
            return hospital.release(json, self.keys("p01").public("receipt"))
        assert path.endswith("/destroy-keys")
        hospital.destroyed_at = hospital.destroyed_at or self.clock.now()
        key = {"key_id": hospital.key_id, "agreement": hospital.agreement, "destroyed_at": hospital.destroyed_at}
        said = {"type": "keys-destroyed", "study": STUDY, "hospital": did(name), "keys": [key]}
        return signed(said, did(name), hospital.keys.sign)

    # -- evidence

    def agreed(self, name: str) -> Hospital:
        """An agreement of A02 with this hospital: the document and its two-signed, logged receipt."""
        dataset, agreement = f"D-{name.upper()}-DM", str(uuid.uuid4())
        found = Hospital(name, self.keys(name), agreement, dataset, f"sha256:{name}")
        self.hospitals[name] = found
        return found

    def receipt(self, hospital: Hospital) -> Json:
        offer = research_offer("offer-1", zone=did("p01"), disease="E10-E14")
        at = self.clock.now()
        document = agreement_of(
            offer,
            hospital.agreement,
            target=hospital.dataset,
            assigner=did(hospital.name),
            assignee=did("a02"),
            at=at,
        )
        payload, salt = {"agreement": document, "k": 5, "deid_profile": "kr-med-1"}, secrets.token_bytes(16)
        subject = {
            "agreement": hospital.agreement,
            "provider": did(hospital.name),
            "consumer": did("a02"),
            "dataset": hospital.dataset,
            "study": STUDY,
            "permit": PERMIT,
            "policy": normalise(document).digest,
            "offer": "–",
            "snapshot": hospital.snapshot,
            "patients": 600,
            "until": at + 89 * DAY,
        }
        body = {
            "type": "agreement",
            "id": uuid.uuid4().urn,
            "study": STUDY,
            "about": hospital.agreement,
            "author": did(hospital.name),
            "counterparty": did("a02"),
            "at": at,
            "subject": subject,
            "payload": commitment(salt, payload),
        }
        one = signed(body, did(hospital.name), hospital.keys.sign)
        envelope = countersigned(one, did("a02"), self.keys("a02").sign)
        return {"envelope": envelope, "payload": payload, "salt": salt.hex(), "proof": self.proof(canonical(envelope))}

    def proof(self, entry: bytes) -> str:
        self.log.append(entry)
        index = len(self.log.entries) - 1
        path = tuple(inclusion(index, index + 1, self.log.read))
        return bytes(Proof(index, path, self.log.files["checkpoint"])).decode()

    async def standing(self, *, suspended: tuple[str, ...] = (), tell: bool = True) -> None:
        """A new standing list."""
        self.seq += 1
        now = self.clock.now()
        body = {
            "type": "standing",
            "seq": self.seq,
            "at": now,
            "valid_until": now + DAY,
            "lease_seconds": self.lease_seconds,
            "operator": did("op"),
            "members": [self._member(name, name in suspended) for name in NAMES],
            "zones": [{"did": did("p01"), "place": "P01", "country": "KR"}],
            "permits": self.permits,
            "release": _POLICIES.revision,
            "reviewers": [{"id": one, "organisation": which} for one, which in REVIEWERS.items()],
            "log": {"origin": ORIGIN, "vkey": "log", "policy": bytes(TWO_CAMPS).decode()},
        }
        self.standing_envelope = signed(body, did("op"), self.keys("op").sign)
        if tell:
            await accept_standing(self.runtime, self.standing_envelope)

    def _member(self, name: str, suspended: bool) -> Json:
        keys = self.keys(name)
        return {
            "did": did(name),
            "url": url(name),
            "name": {"ko": f"기관 {name}", "en": name},
            "camp": CAMPS[name],
            "organisation": f"기관 {name}",
            "roles": [],
            "purposes": [terms.MEDICAL_DEVICE_AI] if CAMPS[name] == "company" else [],
            "diseases": ["E10-E14", "N18"],
            "country": "KR",
            "keys": {kind: keys.public(kind).hex() for kind in KINDS},
            "vkey": f"{name}+00+00",
            "state": "suspended" if suspended else "active",
        }

    def permit(self, codes: list[str], images: list[str], **changed: Any) -> PermitRow:
        now = self.clock.now()
        claims = {
            "id": PERMIT,
            "iss": did("op"),
            "study": STUDY,
            "applicant": did("a02"),
            "datasets": [
                {"id": f"D-{one.upper()}-DM", "provider": did(one), "columns": ["age", "sex", "outcome", "egfr"]}
                for one in ("h01", "h03")
            ],
            "purpose": terms.MEDICAL_DEVICE_AI,
            "legal_purpose": terms.SCIENTIFIC_RESEARCH,
            "disease": ["E11"],
            "code_digests": codes,
            "image_digests": images,
            "zone": did("p01"),
            "from": now - DAY,
            "until": now + 89 * DAY,
            "irb": {"decision": "approved", "until": now + 200 * DAY},
            "drb": "approved",
            "outcome_reward": 1_000_000,
            "max_jobs": 20,
            "decision_digest": "00",
            **changed,
        }
        return PermitRow(
            id=claims["id"],
            study=claims["study"],
            jws="",
            fields=claims,
            decision={},
            until=claims["until"],
            received_at=now,
        )

    # -- P01

    async def start(self, engine: Any = None, zone_settings: Json | None = None) -> None:
        """P01 starts, the first time or again on what it left. `engine`: a stand-in for the real one."""
        settings = Settings(
            name="p01",
            did=did("p01"),
            url=url("p01"),
            port=7405,
            roles=("zone",),
            organisation=Organisation(ko="분석센터", en="Analysis zone", camp="zone"),
            authority=Authority(did=did("op"), url=url("op"), key=self.keys("op").public("receipt").hex()),
            folder=self.folder / "p01",
            development=True,
            zone=zone_settings or {},
        )
        settings.folder.mkdir(exist_ok=True)
        store = Store(database(settings.folder / "node.sqlite", ConnectorTable.metadata, zone.metadata))
        self.runtime = Runtime(settings, self.clock, store, self.keys("p01"), self, Outbox(store, self.clock))
        people = People((Person(one, one, frozenset(duty)), self.tokens[one]) for one, duty in PEOPLE.items())
        self.app = Application(max_body_size=MOST_BYTES)
        self.app.state.runtime = self.runtime
        site = Site("p01", "p01", "p01", ("zone",), people, Sessions(people, self.clock.monotonic))
        install_web(self.app, site)
        for part in (Members(), ReadOnce(self.clock.now()), Receipts(), Faces(), _POLICIES, site):
            self.runtime.add(part)
        for room in (identity_api.room, rights_api.room, evidence_api.room, *zone.rooms):
            room.install(self.runtime)
            for router in room.routers:
                self.app.add_doors(router)
        if engine is not None:
            self.runtime.on_start = [call for call in self.runtime.on_start if call.func.__name__ != "_start"]  # type: ignore[attr-defined]
            self.runtime.get(Engines).use(engine)
        for call in self.runtime.on_start:
            await call()
        self.runtime.outbox.start()

    async def stop(self) -> None:
        await self.runtime.outbox.stop()
        for call in reversed(self.runtime.on_stop):
            await call()
        await asyncio.to_thread(self.runtime.store.close)

    async def call(
        self, name: str, method: str, path: str, json: Any = None, *, content: bytes | None = None, **headers: str
    ) -> tuple[int, Any]:
        """A peer's request with a fresh token, or a person's of P01."""
        token = self.tokens.get(name) or issue(self.keys(name), did(name), did("p01"), self.clock.now())
        given = {"authorization": f"Bearer {token}", **{key.replace("_", "-"): value for key, value in headers.items()}}
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=url("p01")) as client:
            response = await client.request(method, path, json=json, content=content, headers=given)
        kind = response.headers.get("content-type", "")
        return response.status_code, response.json() if response.content and kind.startswith(
            "application/json"
        ) else response.text

    async def add(self, *rows: SQLModel) -> None:
        def function(unit: Unit) -> None:
            for row in rows:
                unit.session.merge(row)

        await self.runtime.store.run(function)

    async def rows(self, table: type[SQLModel]) -> list[Any]:
        return await self.runtime.store.read(lambda session: list(session.exec(select(table))))

    async def journal(self, kind: str) -> list[Entry]:
        def found(session: Session) -> list[Entry]:
            return list(session.exec(select(Entry).where(Entry.kind == kind)))

        return await self.runtime.store.read(found)

    async def authored(self, kind: str) -> list[Receipt]:
        return [row for row in await self.rows(Receipt) if row.type == kind and row.author == did("p01")]

    async def eventually(self, look: Callable[[], Any], what: str = "it", seconds: float = 90.0) -> Any:
        """Waits until `look` (a coroutine function) finds something."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := await look():
                return found
            await asyncio.sleep(0.02)
        left = [(row.process, row.kind, row.last_error) for row in await self.runtime.store.read(waiting)]
        raise AssertionError(f"{what} did not happen; waiting: {left}")

    # -- the usual

    def wanted(self, hospital: Hospital, **changed: Any) -> Json:
        """The body of `POST /slots`."""
        return {
            "study": STUDY,
            "permit": PERMIT,
            "agreement": hospital.agreement,
            "consumer": did("a02"),
            "dataset": hospital.dataset,
            "snapshot": hospital.snapshot,
            "site": hospital.name,
            "key_id": hospital.key_id,
            "synthetic": True,
            "min_walls": "thin",
            "parts": [about for _, (_, about) in sorted(hospital.parts.items())],
            "receipt": self.receipt(hospital),
            **changed,
        }

    async def staged(self, name: str, plain: Mapping[str, bytes] | None = None) -> Hospital:
        """A hospital agrees, seals and pushes."""
        hospital = self.agreed(name)
        hospital.seal(self.folder, plain or {"train": b"train of " + name.encode(), "holdout": b"holdout"})
        status, slot = await self.call(name, "POST", "/slots", self.wanted(hospital))
        assert status == 201, slot
        for part, (content, _) in hospital.parts.items():
            path = f"/slots/{slot['slot']}/{part}"
            status, said = await self.call(name, "PUT", path, content=content, slot_token=slot["token"])
            assert status == 204, said
        return hospital
