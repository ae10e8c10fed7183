"""A log in memory, written as the operator will write it: entries, tiles, a signed and cosigned checkpoint."""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vocab.tlog import hash as tree
from vocab.tlog import note, tiles
from vocab.tlog.note import Algorithm, Checkpoint, Key, Note
from vocab.tlog.policy import Group, Policy

ORIGIN = "log.dure.example/2026"
NOW = 1_795_459_579_123


@dataclass(frozen=True)
class Signer:
    """A key pair made from one byte, so that every run signs alike."""

    name: str
    seed: int
    algorithm: Algorithm = Algorithm.COSIGNATURE_ED25519

    @property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(bytes([self.seed]) * 32)

    @property
    def key(self) -> Key:
        return Key(self.name, self.algorithm, self.private.public_key().public_bytes_raw())


LOG = Signer(ORIGIN, 1, Algorithm.ED25519)
HOSPITAL, COMPANY = Signer("h01.example/witness", 2), Signer("a02.example/witness", 3)
TWO_CAMPS = Policy(
    logs=(LOG.key,),
    witnesses={"h01": HOSPITAL.key, "a02": COMPANY.key},
    groups={
        "hospitals": Group(1, ("h01",)),
        "companies": Group(1, ("a02",)),
        "both": Group(2, ("hospitals", "companies")),
    },
    quorum="both",
)


def signed(checkpoint: Checkpoint, *witnesses: Signer) -> bytes:
    """The checkpoint with the log's signature and these cosignatures."""
    text = str(checkpoint)
    own = note.signed(text, LOG.key, LOG.private.sign)
    return bytes(Note(text, (own, *(note.cosigned(text, by.key, by.private.sign, NOW) for by in witnesses))))


@dataclass
class MemoryLog:
    """Entries, hashes and files of a log."""

    entries: list[bytes] = field(default_factory=list)
    nodes: tree.Nodes = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def read(self, level: int, index: int) -> bytes:
        return self.nodes[level, index]

    def root(self, size: int | None = None) -> bytes:
        return tree.root(len(self.entries) if size is None else size, self.read)

    def append(self, *entries: bytes) -> "MemoryLog":
        """Adds the entries and publishes: tiles first, then the checkpoint."""
        old = len(self.entries)
        self.nodes |= tree.grown(old, self.read, map(tree.leaf, entries))
        self.entries += entries
        self.files |= tiles.growth(old, len(self.entries), self.read, self.entries.__getitem__)
        self.files["checkpoint"] = signed(Checkpoint(ORIGIN, len(self.entries), self.root()), HOSPITAL, COMPANY)
        return self


def entry(number: int) -> bytes:
    return b'{"n":%d,"what":"receipt"}' % number


def log_of(*sizes: int) -> MemoryLog:
    """A log that published a checkpoint at each of `sizes`."""
    log = MemoryLog()
    for size in sizes:
        log.append(*(entry(number) for number in range(len(log.entries), size)))
    return log
