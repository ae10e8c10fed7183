"""What travels arrives as it was; what no one should have sent is refused."""

import socket
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compute.launcher import wire
from compute.launcher.check import checked_spec
from compute.launcher.model import Ended, Finding, Input, JobSpec, Limits, Output, Prepared, Walls
from compute.sandbox import gate
from compute.sandbox.command import Hold, Room, bwrap, first_program, leave
from compute.sandbox.model import LEVELS, not_above
from vocab.errors import Refusal, entry

SPEC = JobSpec(
    job="urn:uuid:1",
    image="/images/1",
    image_digest="1",
    executors=[["python", "-I", "/code/a.py"]],
    outputs="/o",
    code={"a.py": "/a"},
    inputs=[Input("data.csv", "/c", "2", 3, "agreement|train")],
    limits=Limits(seconds=5),
)


@pytest.mark.parametrize(
    "value",
    [
        SPEC,
        Prepared("j", bytes(range(32)), "user", {"a": 1}),
        Walls("thin", {}, "full: not root"),
        Ended(
            "j", "stopped", outputs=[Output("a", 1, "2")], findings=[Finding("symlink", "x")], evidence={"begin": {}}
        ),
    ],
)
def test_a_value_arrives_as_it_was_sent(value: Any) -> None:
    assert type(value).from_json(wire.parsed(wire.line(value.to_json()))) == value


def test_a_refusal_arrives_as_it_was_raised() -> None:
    seen = wire.refusal_from_json(
        wire.refusal_to_json(Refusal("input-changed", name="x", why="digest", needed=1, seen=2))
    )
    assert (seen.code, seen.values, seen.needed, seen.seen) == ("input-changed", {"name": "x", "why": "digest"}, 1, 2)


@given(st.lists(st.dictionaries(st.text(), st.text()), max_size=5), st.integers(1, 50))
def test_lines_arrive_whole_however_they_are_cut(messages: list[dict[str, str]], cut: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        lines, found = wire.Lines(theirs), []
        raw = b"".join(wire.line(one) for one in messages)
        for start in range(0, len(raw), cut):
            ours.sendall(raw[start : start + cut])
            found += lines.received()
        assert found == messages
        ours.close()
        lines.received()
        assert lines.closed


@pytest.mark.parametrize(
    "wrong",
    [
        {"job": "../x"},
        {"job": ""},
        {"executors": []},
        {"executors": [[]]},
        {"executors": [["a\0b"]]},
        {"executors": [["python"]] * 9},
        {"env": {"ld_preload": "x"}},
        {"code": {"../a.py": "/a"}},
        {"code": {"/a.py": "/a"}},
        {"code": {"..": "/a"}},
        {"code": {"a//b": "/a"}},
        {"plain": {"data.csv": "/b"}},
        {"inputs": [Input("줄", "/c", "2", 3, "x")]},
        {"limits": Limits(memory_mb=0)},
        {"limits": Limits(cpus=True)},
        {"limits": Limits(seconds=1.5)},  # type: ignore[arg-type]
        {"at_most": "bare"},
    ],
)
def test_a_wrong_specification_is_refused(wrong: dict[str, Any]) -> None:
    checked_spec(SPEC)
    with pytest.raises(Refusal, match="spec-invalid"):
        checked_spec(replace(SPEC, **wrong))


def test_the_lower_of_two_levels_counts() -> None:
    assert not_above("full", "thin") == not_above("thin", "full") == "thin"
    assert not_above("user", "user") == "user"
    assert LEVELS[-1] == "none"


def test_the_gate_finds_a_bare_process_wanting() -> None:
    host = gate.host_namespaces()
    import os

    seen = gate.look(os.getpid())
    found = gate.faults(seen, host, Hold("full", 12345), None)
    assert {"seccomp", "new-privileges", "host-uid", "namespace-net", "namespace-pid", "interfaces"} <= set(found)


@pytest.mark.parametrize(
    ("what", "value", "fault"),
    [
        ("seccomp", 0, "seccomp"),
        ("no_new_privileges", 0, "new-privileges"),
        ("host_uids", [0], "host-uid"),
        ("host_uids", [70001, 70002], "host-uid"),
        ("interfaces", ["eth0", "lo"], "interfaces"),
        ("capabilities", {"CapEff": "0000000000000001"}, "capabilities"),
        ("namespaces", {**dict.fromkeys(gate.KINDS, 2), "net": 1}, "namespace-net"),
        ("namespaces", {**dict.fromkeys(gate.KINDS, 2), "mnt": 0}, "namespace-mnt"),
    ],
)
def test_the_gate_stays_shut_for_one_missing_wall(what: str, value: Any, fault: str) -> None:
    good = {
        "pid": 1,
        "capabilities": {"CapEff": "0000000000000000"},
        "seccomp": 2,
        "no_new_privileges": 1,
        "host_uids": [70001],
        "namespaces": dict.fromkeys(gate.KINDS, 2),
        "interfaces": ["lo"],
    }
    host, hold = dict.fromkeys(gate.KINDS, 1), Hold("full", 70001)
    assert gate.faults(good, host, hold, None) == []
    assert gate.faults({**good, what: value}, host, hold, None) == [fault]


def test_nothing_on_a_command_line_names_the_data(tmp_path: Any) -> None:
    room, hold = Room(tmp_path / "image", tmp_path / "place"), Hold("full", 70001)
    assert not [word for word in first_program(room, hold) if str(tmp_path) in word]
    assert "--share-net" not in bwrap(room, hold)


def test_thin_walls_get_the_real_places(tmp_path: Any) -> None:
    room, hold = Room(tmp_path / "image", tmp_path / "place"), Hold("thin", 70001)
    text = leave(room, hold, ["python", "/code/a.py", "/in/data.csv", "--x=/in"], {}).decode()
    assert f"{tmp_path}/image/usr/bin/python3" in text
    assert f"{tmp_path}/place/code/a.py\0{tmp_path}/place/in/data.csv\0--x=/in" in text


def test_every_refusal_of_the_launcher_is_in_the_catalogue() -> None:
    for code in ("no-walls", "synthetic-only", "gate-failed", "input-changed", "launcher-gone"):
        assert entry(code).room == "launcher"
