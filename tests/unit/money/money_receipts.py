"""A log made by hand: receipts with real signatures, in the order in which a study leaves them."""

import uuid
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from vocab.money.facts import Facts, Logged, facts
from vocab.money.run import Range, Run, settle
from vocab.money.tariff import Tariff, read
from vocab.records.envelope import canonical, countersigned, signed
from vocab.tlog.hash import folded, leaf

OP, H01, H02, A02, P01 = (f"did:web:{name}.example" for name in ("op", "h01", "h02", "a02", "p01"))
STUDY, PERMIT = "urn:uuid:5f6d9a52-0000-4000-8000-000000000001", "urn:uuid:permit"


@cache
def key(did: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(did.encode().ljust(32, b".")[:32])


def public(did: str) -> bytes:
    return key(did).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def tariff() -> Tariff:
    return read(files("policies").joinpath("tariff.toml").read_text("utf-8"))


@dataclass
class Ledger:
    """The entries so far."""

    entries: list[Logged] = field(default_factory=list)
    dids: set[str] = field(default_factory=lambda: {OP, A02, P01})

    @property
    def keys(self) -> dict[str, bytes]:
        return {did: public(did) for did in self.dids}

    @property
    def log(self) -> Range:
        root = folded([leaf(canonical(one.envelope)) for one in self.entries])
        return Range("op.example/log", len(self.entries), root.hex())

    def add(
        self, kind: str, author: str, counterparty: str | None, subject: dict[str, Any], *, about: str = "", both=True
    ) -> dict[str, Any]:
        self.dids |= {author, *([counterparty] if counterparty else [])}
        name = uuid.uuid5(uuid.NAMESPACE_URL, f"{kind} {about} {len(self.entries)}").urn
        body = {
            "type": kind,
            "id": name,
            "study": STUDY,
            "about": about or name,
            "author": author,
            "counterparty": counterparty,
            "at": 1_800_000_000_000 + len(self.entries),
            "subject": subject,
            "payload": "00" * 32,
        }
        envelope = signed(body, author, key(author).sign)
        if counterparty and both:
            envelope = countersigned(envelope, counterparty, key(counterparty).sign)
        self.entries.append(Logged(len(self.entries), envelope))
        return envelope

    def decision(self, reward: Any = 1_000_000) -> dict[str, Any]:
        subject = {"outcome": "approved", "applicant": A02, "permit": PERMIT, "outcome_reward": reward}
        return self.add("decision", OP, None, subject, about=STUDY)

    def agreement(self, provider: str, dataset: str, count: Any, unit: str = "patients", **more: Any) -> dict[str, Any]:
        subject = {"permit": PERMIT, "dataset": dataset, unit: count}
        return self.add("agreement", provider, A02, subject, about=f"agreement {dataset}", **more)

    def task(self, name: str, minutes: Any, **more: Any) -> dict[str, Any]:
        return self.add("task-end", P01, A02, {"started_minutes": minutes}, about=name, **more)

    def release(self, name: str, **more: Any) -> dict[str, Any]:
        return self.add("release", P01, A02, {}, about=name, **more)

    def facts(self) -> Facts:
        return facts(STUDY, OP, self.entries, self.keys, len(self.entries))

    def run(self, **more: Any) -> Run:
        return settle(self.facts(), tariff(), self.log, code="code", **more)


def golden() -> Ledger:
    """The golden file of the scenario: two hospitals, 42 minutes, two releases."""
    found = Ledger()
    found.decision()
    found.agreement(H01, "D-H01-DM", 19_993)
    found.agreement(H02, "D-H02-FUNDUS", 299, "imaging_studies")
    found.task("task-1", 42)
    found.release("release-1")
    found.release("release-2")
    return found
