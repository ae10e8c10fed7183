"""Strangers' programs read the log that we write: Go's checksum-database code, and Torchwood for proof files.

Needs `go` (1.24 or newer) and, the first time, the Go module proxy. With DURE_CI=1 a missing tool is a failure.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vocab.tlog import hash as tree
from vocab.tlog import note, proof, tiles, witness
from vocab.tlog.note import Algorithm, Checkpoint, Key, Note
from vocab.tlog.policy import Group, Policy, policy
from vocab.tlog.verify import check_log

HERE = Path(__file__).parent / "tlog"
ORIGIN = "op.dure.example/log/2026"
NOW = 1_795_459_579_000
#: The log's sizes at its checkpoints, in three batches: full tiles and partial ones of each kind, and 600 at the end.
BATCHES = (100, 512, 600)
INDEX = 123


def absent(what: str, remedy: str) -> None:
    (pytest.fail if os.environ.get("DURE_CI") == "1" else pytest.skip)(f"{what}; {remedy}")


def built(module: Path, program: str, out: Path) -> Path:
    """The program of a Go module, built by `go`."""
    if not (go := shutil.which("go", path=f"{os.environ['PATH']}:/usr/local/go/bin")):
        absent("go is missing", "run: curl -sSL https://go.dev/dl/go1.26.8.linux-amd64.tar.gz | tar -C /usr/local -xz")
    command = [str(go), "build", "-o", str(out / program), "."]
    made = subprocess.run(command, cwd=module, capture_output=True, text=True, check=False)
    if made.returncode:
        absent(f"{program} does not build: {made.stderr[-500:]}", f"run: cd {module} && go mod download")
    return out / program


def entry(number: int) -> bytes:
    return b'{"n":%d,"what":"receipt"}' % number


class Party:
    """A key, and for a witness what it has seen."""

    def __init__(self, name: str, algorithm: Algorithm) -> None:
        self.private = Ed25519PrivateKey.generate()
        self.key = Key(name, algorithm, self.private.public_key().public_bytes_raw())
        self.known = witness.Known()

    def add_checkpoint(self, body: bytes, log: Key) -> bytes:
        agreed = witness.agreed(witness.asked(body), log, self.known)
        self.known = witness.Known(agreed.size, agreed.root)
        return witness.cosignature(agreed, self.key, self.private.sign, NOW).body


class OurLog:
    """Written with vocab.tlog alone, into a folder, as the operator does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = Party(ORIGIN, Algorithm.ED25519)
        cosigner = Algorithm.COSIGNATURE_ED25519
        self.camps = {name: Party(f"{name}.dure.example/witness", cosigner) for name in ("h01", "a02")}
        self.nodes: tree.Nodes = {}
        groups = {"hospitals": Group(1, ("h01",)), "companies": Group(1, ("a02",))}
        groups["both"] = Group(len(groups), tuple(groups))
        keys = {name: party.key for name, party in self.camps.items()}
        self.policy = Policy((self.log.key,), keys, groups, "both")

    def read(self, level: int, index: int) -> bytes:
        return self.nodes[level, index]

    def publish(self, old: int, new: int) -> bytes:
        self.nodes |= tree.grown(old, self.read, (tree.leaf(entry(number)) for number in range(old, new)))
        for name, data in tiles.growth(old, new, self.read, entry).items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(data)
        checkpoint = Checkpoint(ORIGIN, new, tree.root(new, self.read))
        own = note.signed(str(checkpoint), self.log.key, self.log.private.sign)
        body = witness.request(old, proof.consistency(old, new, self.read), bytes(Note(str(checkpoint), (own,))))
        lines = [
            line
            for party in self.camps.values()
            for line in witness.cosignatures(checkpoint, party.add_checkpoint(body, self.log.key), [party.key])
        ]
        signed = bytes(Note(str(checkpoint), (own, *lines)))
        (self.folder / "checkpoint").write_bytes(signed)
        return signed


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """Our log in a folder, with its policy, an older checkpoint, one entry and that entry's proof beside it."""
    root = tmp_path_factory.mktemp("ours")
    log = OurLog(root / "log")
    checkpoints = [log.publish(old, new) for old, new in zip((0, *BATCHES), BATCHES, strict=False)]
    path = tuple(proof.inclusion(INDEX, BATCHES[-1], log.read))
    files = {
        "policy": bytes(log.policy),
        "old": checkpoints[0],
        "entry": entry(INDEX),
        "proof": bytes(proof.Proof(INDEX, path, checkpoints[-1])),
    }
    for name, data in files.items():
        (root / name).write_bytes(data)
    return root


@pytest.fixture(scope="module")
def tlogcheck(tmp_path_factory):
    return built(HERE, "tlogcheck", tmp_path_factory.mktemp("tlogcheck"))


def told(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, check=False)


def test_our_own_check_accepts_our_log(ours):
    trusted = policy((ours / "policy").read_bytes())
    checked = check_log(lambda name: (ours / "log" / name).read_bytes(), trusted, (ours / "old").read_bytes())
    assert (checked.size, set(checked.cosigners)) == (BATCHES[-1], {"h01", "a02"})


def test_a_stranger_accepts_our_log_and_its_growth(ours, tlogcheck):
    run = told(tlogcheck, "-policy", ours / "policy", "-log", ours / "log", "-all", "-old", ours / "old")
    assert run.returncode == 0, run.stderr
    assert "size 600, 2 witnesses, quorum both met" in run.stdout


def test_a_stranger_accepts_our_proof_offline(ours, tlogcheck):
    run = told(tlogcheck, "-policy", ours / "policy", "-proof", ours / "proof", "-entry", ours / "entry")
    assert run.returncode == 0, run.stderr


def test_a_stranger_refuses_all_nine_tampered_copies(ours, tlogcheck):
    run = told(HERE / "tamper", tlogcheck, ours / "log", ours / "policy", ours / "old", INDEX, ours / "entry")
    assert run.returncode == 0, run.stdout
    assert [line.split()[0] for line in run.stdout.splitlines()] == ["ok"] * 10


def test_a_strangers_proof_is_ours(ours, tlogcheck, tmp_path):
    made = tmp_path / "theirs.tlog-proof"
    asked = ("-index", INDEX, "-entry", ours / "entry", "-write-proof", made)
    run = told(tlogcheck, "-policy", ours / "policy", "-log", ours / "log", *asked)
    assert run.returncode == 0, run.stderr
    assert made.read_bytes() == (ours / "proof").read_bytes()


def test_torchwood_accepts_our_proof_and_no_other_entry(ours, tmp_path):
    proofcheck = built(HERE / "proofcheck", "proofcheck", tmp_path)
    run = told(proofcheck, ours / "policy", ours / "proof", ours / "entry")
    assert run.returncode == 0, run.stderr
    (tmp_path / "other").write_bytes(entry(INDEX) + b"x")
    assert told(proofcheck, ours / "policy", ours / "proof", tmp_path / "other").returncode == 1
