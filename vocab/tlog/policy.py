"""C2SP tlog-policy: whose signatures make a checkpoint count. Groups may hold groups, so a quorum can span camps.

A policy is part of what an auditor trusts, so it is read strictly: a line that is not understood refuses the file.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from vocab.tlog import note as notes
from vocab.tlog.broken import LogBroken, decimal
from vocab.tlog.note import Algorithm, Checkpoint, Key

NONE: Final = "none"
LONGEST_POLICY: Final = 1024 * 1024
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Group:
    """Counts as having signed when `needed` of its members (witnesses or groups) have."""

    needed: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Signed:
    """A checkpoint whose signatures hold: the witnesses of the policy that cosigned, each with its time in ms."""

    checkpoint: Checkpoint
    cosigners: Mapping[str, int]


@dataclass(frozen=True)
class Policy:
    """Logs, witnesses by name, groups in the order of their definition, and the name that must have signed."""

    logs: tuple[Key, ...]
    witnesses: Mapping[str, Key] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    quorum: str = NONE

    def __bytes__(self) -> bytes:
        lines = [f"log {log}" for log in self.logs]
        lines += [f"witness {name} {key}" for name, key in self.witnesses.items()]
        lines += [f"group {name} {group.needed} {' '.join(group.members)}" for name, group in self.groups.items()]
        return "".join(f"{line}\n" for line in [*lines, f"quorum {self.quorum}"]).encode()

    def satisfied(self, cosigners: Collection[str]) -> bool:
        """Whether the quorum is met when these witnesses cosigned."""
        return self.quorum == NONE or self.quorum in self._reached(cosigners)

    def _reached(self, cosigners: Collection[str]) -> set[str]:
        """Witnesses and groups that signed. A group names only earlier ones, so one pass in order is enough."""
        reached = set(cosigners) & set(self.witnesses)
        for name, group in self.groups.items():
            if sum(member in reached for member in group.members) >= group.needed:
                reached.add(name)
        return reached

    def log_signed(self, data: bytes) -> Signed:
        """A checkpoint with the log's own signature, and who cosigned; the quorum is not asked.

        Raises `LogBroken`: note-malformed, checkpoint-malformed, signature-broken, log-signature-missing.
        """
        read = notes.note(data)
        tree = notes.checkpoint(read.text)
        found = notes.signers(read, [*self.logs, *self.witnesses.values()])
        if not any(log in found and log.name == tree.origin for log in self.logs):
            raise LogBroken("log-signature-missing", origin=tree.origin)
        times = {name: notes.signed_at(key, found[key]) for name, key in self.witnesses.items() if key in found}
        return Signed(tree, {name: at for name, at in times.items() if at is not None})

    def cosigned(self, data: bytes) -> Signed:
        """A checkpoint that counts. Raises `LogBroken`: quorum-missing, or as `log_signed`."""
        signed = self.log_signed(data)
        if not self.satisfied(signed.cosigners):
            wanted = {*self.witnesses, *self.groups} - self._reached(signed.cosigners)
            missing = ", ".join(name for name in [*self.witnesses, *self.groups] if name in wanted)
            seen = ", ".join(signed.cosigners) or "–"
            raise LogBroken("quorum-missing", needed=self.quorum, seen=seen, missing=missing)
        return signed


def policy(data: bytes) -> Policy:
    """Reads a policy file. Raises `LogBroken("policy-malformed")` with the line."""
    draft = _Draft()
    try:
        if len(data) > LONGEST_POLICY:
            raise ValueError("too long")
        for line in data.decode().split("\n"):
            draft.read(line)
        if draft.quorum is None or not draft.logs:
            raise ValueError("a log and one quorum line are needed")
    except (ValueError, LogBroken) as error:
        why = error.code if isinstance(error, LogBroken) else str(error)
        raise LogBroken("policy-malformed", line=draft.line, why=why) from None
    return Policy(tuple(draft.logs), draft.witnesses, draft.groups, draft.quorum)


class _Draft:
    """A policy while its lines are read, each of which may use only what stands above it."""

    def __init__(self) -> None:
        self.logs: list[Key] = []
        self.witnesses: dict[str, Key] = {}
        self.groups: dict[str, Group] = {}
        self.quorum: str | None = None
        self.line = 0
        self._members: set[str] = set()

    def read(self, line: str) -> None:
        """Takes one line. Raises `ValueError` or `LogBroken("key-malformed")`."""
        self.line += 1
        if _FORBIDDEN.search(line):
            raise ValueError("control character")
        words = [word for word in line.replace("\t", " ").split(" ") if word]
        if not words or words[0].startswith("#"):
            return
        lines: dict[str, tuple[Callable[[list[str]], None], range]] = {
            "log": (self._log, range(1, 3)),
            "witness": (self._witness, range(2, 4)),
            "group": (self._group, range(3, 1 << 20)),
            "quorum": (self._quorum, range(1, 2)),
        }
        if words[0] not in lines or len(words) - 1 not in lines[words[0]][1]:
            raise ValueError(f"not understood: {words[0][:40]}")
        lines[words[0]][0](words[1:])

    def _log(self, words: list[str]) -> None:
        found = notes.key(words[0])
        if found.algorithm != Algorithm.ED25519 or any(found.public == log.public for log in self.logs):
            raise ValueError("not a log key, or twice the same")
        self.logs.append(found)

    def _witness(self, words: list[str]) -> None:
        found = notes.key(words[1])
        twice = any(found.public == key.public for key in self.witnesses.values())
        if found.algorithm != Algorithm.COSIGNATURE_ED25519 or twice:
            raise ValueError("not a cosigner key, or twice the same")
        self.witnesses[self._new(words[0])] = found

    def _group(self, words: list[str]) -> None:
        name, needed, members = words[0], words[1], words[2:]
        count = {"any": 1, "all": len(members)}.get(needed) or decimal(needed)
        if not 1 <= count <= len(members):
            raise ValueError("a group needs between one and all of its members")
        for member in members:
            if not self._defined(member) or member in self._members:
                raise ValueError(f"member not defined above, or member twice: {member}")
            self._members.add(member)
        self.groups[self._new(name)] = Group(count, tuple(members))

    def _quorum(self, words: list[str]) -> None:
        if self.quorum is not None or not (words[0] == NONE or self._defined(words[0])):
            raise ValueError("a second quorum, or one not defined above")
        self.quorum = words[0]

    def _defined(self, name: str) -> bool:
        return name in self.witnesses or name in self.groups

    def _new(self, name: str) -> str:
        if name == NONE or self._defined(name):
            raise ValueError(f"name already taken: {name}")
        return name
