"""A data space on this machine: six folders with settings, keys and people, made once and kept.

Everything here could be done by hand on six machines; `dure up` only saves the typing.
"""

import fcntl
import json
import os
import secrets
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from connector.kit.keys import Keys
from connector.kit.settings import Settings
from vocab.errors import Refusal

#: Free space (bytes) below which a start is refused: the image and a study need about half of it.
LEAST_FREE: Final = 1_500_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """One node of the demonstration: who runs it, in which roles, with which people."""

    name: str
    roles: tuple[str, ...]
    ko: str
    en: str
    camp: str
    people: tuple[tuple[str, str, tuple[str, ...]], ...]
    member: dict[str, Any]


def _hospital(name: str, ko: str, en: str, people: tuple[str, str, str]) -> Plan:
    return Plan(
        name,
        ("provider",),
        ko,
        en,
        "hospital",
        (
            ("steward", people[0], ("steward",)),
            ("acceptor", people[1], ("acceptor",)),
            ("keykeeper", people[2], ("keykeeper",)),
        ),
        {"roles": ["provider"], "purposes": [], "diseases": []},
    )


_AI: Final = "https://w3id.org/dpv/legal/eu/ehds#TrainTestAndEvaluateMedicalDevicesAlgorithms"

#: The demonstration's nodes (scenario.md): all fictional.
PLANS: Final = (
    Plan(
        "op",
        ("authority",),
        "두레 운영기관",
        "Dure operator",
        "operator",
        (
            ("admin", "오세린", ("admin",)),
            ("secretary", "문가람", ("secretary",)),
            ("chair", "한지오", ("chair", "member")),
            ("member-1", "서다인", ("member",)),
            ("member-2", "유하람", ("member",)),
            ("member-3", "노아라", ("member",)),
            ("member-4", "백시온", ("member",)),
            ("clerk", "주이든", ("clerk",)),
        ),
        {"roles": ["authority"], "purposes": [], "diseases": []},
    ),
    _hospital("h01", "새빛대학병원", "Saebit University Hospital", ("강보름", "윤새별", "임누리")),
    _hospital("h03", "한결의료원", "Hangyeol Medical Center", ("조마루", "신가을", "허다솜")),
    Plan(
        "a02",
        ("consumer",),
        "프리딕트",
        "Predict",
        "company",
        (("pi", "정하늘", ("pi", "analyst")), ("analyst", "권도담", ("analyst",))),
        {"roles": ["consumer"], "purposes": [_AI], "diseases": ["E10-E14", "N18"]},
    ),
    Plan(
        "a03",
        ("consumer",),
        "카디오",
        "Cardio",
        "company",
        (("pi", "안리안", ("pi", "analyst")),),
        {"roles": ["consumer"], "purposes": [_AI], "diseases": ["I44-I49"]},
    ),
    Plan(
        "p01",
        ("zone",),
        "두레 분석센터",
        "Dure analysis zone",
        "zone",
        (
            ("operator", "성이룸", ("operator",)),
            ("reviewer-1", "표은결", ("reviewer",)),
            ("reviewer-2", "남바다", ("reviewer",)),
            ("reviewer-3", "변가온", ("reviewer",)),
            ("pi", "정하늘", ("reviewer",)),
        ),
        {"roles": ["zone"], "purposes": [], "diseases": [], "place": "P01", "country": "KR"},
    ),
)


@dataclass(frozen=True, slots=True)
class Space:
    """A data space in a folder."""

    folder: Path
    nodes: dict[str, Settings]

    def token(self, node: str, person: str) -> str:
        """The bearer token of a person."""
        rows = json.loads((self.folder / node / "people.json").read_text("utf-8"))
        return next(str(row["token"]) for row in rows if row["id"] == person)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder is ours alone while the block runs.

    Raises `Refusal("space-in-use" | "space-unwritable" | "space-too-small")`.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Refusal("space-unwritable", where=str(folder), why=error.strerror or type(error).__name__) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refusal("space-in-use", where=str(folder)) from None
        free = shutil.disk_usage(folder).free
        if free < LEAST_FREE:
            needed, seen = f"{LEAST_FREE // 1_000_000} MB", f"{free // 1_000_000} MB"
            raise Refusal("space-too-small", where=str(folder), needed=needed, seen=seen)
        yield
    finally:
        os.close(handle)


def opened(folder: Path, base_port: int | None) -> Space:
    """The space in `folder`, made on first use. Ports are chosen free once and kept.

    Raises `Refusal("port-taken")` before anything is written, `Refusal("port-kept")` when it has others than these.
    """
    if not (folder / "space.json").exists():
        ports = _ports(base_port)
        try:
            _make(folder, ports)
        except OSError as error:
            raise Refusal("space-unwritable", where=str(folder), why=error.strerror or type(error).__name__) from None
    found = {plan.name: Settings.load(folder / plan.name / "settings.toml") for plan in PLANS}
    if base_port is not None and (kept := found[PLANS[0].name].port) != base_port:
        raise Refusal("port-kept", where=str(folder), needed=kept, seen=base_port)
    return Space(folder, found)


def listeners(space: Space) -> dict[str, socket.socket]:
    """An open socket for each node. Raises `Refusal("port-taken")` that names the node."""
    found: dict[str, socket.socket] = {}
    try:
        for name, settings in space.nodes.items():
            found[name] = listener(settings)
    except Refusal:
        for one in found.values():
            one.close()
        raise
    return found


def listener(settings: Settings) -> socket.socket:
    """An open socket at a node's address. Raises `Refusal("port-taken")`."""
    return _bound(settings.host, settings.port, settings.name)


def _bound(host: str, port: int, name: str) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=128)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        raise Refusal("port-taken", port=port, node=name, why=why) from None


def _make(folder: Path, ports: Mapping[str, int]) -> None:
    url = {name: f"http://localhost:{port}" for name, port in ports.items()}
    did = {name: f"did:web:localhost%3A{port}" for name, port in ports.items()}
    for plan in PLANS:
        (folder / plan.name).mkdir(mode=0o700, exist_ok=True)
        _people(folder / plan.name / "people.json", plan)
    key = Keys(folder / "op" / "keys").public("receipt").hex()
    for plan in PLANS:
        text = f'''# Made by `dure up`. A node of its own: `dure run {folder / plan.name / "settings.toml"}`
name = "{plan.name}"
did = "{did[plan.name]}"
url = "{url[plan.name]}"
port = {ports[plan.name]}
roles = {json.dumps(plan.roles)}
development = true

[organisation]
ko = "{plan.ko}"
en = "{plan.en}"
camp = "{plan.camp}"

[authority]
did = "{did["op"]}"
url = "{url["op"]}"
key = "{key}"
'''
        _write(folder / plan.name / "settings.toml", text)
    nodes = {plan.name: {"roles": plan.roles, "url": url[plan.name], "did": did[plan.name]} for plan in PLANS}
    _write(folder / "space.json", json.dumps({"nodes": nodes}, indent=2))


def _people(path: Path, plan: Plan) -> None:
    if path.exists():
        return
    rows = [
        {"id": person, "name": name, "duties": list(duties), "token": secrets.token_urlsafe(32)}
        for person, name, duties in plan.people
    ]
    _write(path, json.dumps(rows, ensure_ascii=False, indent=2))


def _write(path: Path, text: str) -> None:
    scratch = path.with_suffix(".new")
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    scratch.rename(path)


def _ports(base: int | None) -> dict[str, int]:
    """Six ports that are free now, from `base` on or any."""
    sockets: dict[str, socket.socket] = {}
    try:
        for offset, plan in enumerate(PLANS):
            sockets[plan.name] = _bound("127.0.0.1", 0 if base is None else base + offset, plan.name)
        return {name: one.getsockname()[1] for name, one in sockets.items()}
    finally:
        for one in sockets.values():
            one.close()
