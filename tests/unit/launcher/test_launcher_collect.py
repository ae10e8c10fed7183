"""The structural gate, trick by trick."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from compute.sandbox.collect import collect


def folders(tmp_path: Path) -> tuple[Path, Path]:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    (source / "good.csv").write_text("1")
    return source, target


def deep(folder: Path) -> None:
    (folder / "/".join(["d"] * 400)).mkdir(parents=True)


def bound(path: Path) -> None:
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name)


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(50 << 30)


def setid(path: Path) -> None:
    path.touch()
    path.chmod(0o4755)


def flood(folder: Path) -> None:
    for number in range(2500):
        (folder / str(number)).touch()


TRICKS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a symlink": ("symlink", lambda f: (f / "x").symlink_to("/etc/passwd")),
    "a link to a folder": ("symlink", lambda f: (f / "x").symlink_to("/etc")),
    "a second name": ("hard-link", lambda f: (f / "x").hardlink_to(f / "good.csv")),
    "a pipe": ("not-regular", lambda f: os.mkfifo(f / "x")),
    "a socket": ("not-regular", lambda f: bound(f / "x")),
    "a file of holes": ("sparse", lambda f: sparse(f / "x")),
    "four hundred folders": ("too-deep", deep),
    "a line in a name": ("bad-name", lambda f: (f / "a\nb").touch()),
    "a name that reads backwards": ("bad-name", lambda f: (f / "\u202evsc.exe").touch()),
    "a Korean name": ("bad-name", lambda f: (f / "환자.csv").touch()),
    "a name that is no text": ("bad-name", lambda f: Path(os.fsdecode(os.fsencode(f) + b"/\xff")).touch()),
    "a name of dots": ("bad-name", lambda f: (f / "...").touch()),
    "a long name": ("bad-name", lambda f: (f / ("x" * 121)).touch()),
    "too many files": ("too-many", flood),
    "a setuid file": ("setid", lambda f: setid(f / "x")),
    "a big file": ("too-big", lambda f: (f / "x").write_bytes(os.urandom(3 << 20))),
    "many files that are big together": (
        "too-big",
        lambda f: [(f / str(n)).write_bytes(os.urandom(1 << 20)) for n in range(3)],
    ),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_a_trick_is_named_and_nothing_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trick: str) -> None:
    monkeypatch.chdir(tmp_path)
    source, target = folders(tmp_path)
    code, play = TRICKS[trick]
    play(source)
    found = collect(source, target, 2)
    assert code in {one.code for one in found.findings}
    assert found.outputs == []
    assert list(target.iterdir()) == []
    assert all(one.name.isascii() and one.name.isprintable() and len(one.name) <= 200 for one in found.findings)


def test_plain_files_leave_as_they_are(tmp_path: Path) -> None:
    source, target = folders(tmp_path)
    (source / "inner").mkdir()
    (source / "inner" / "model.onnx").write_bytes(b"\0\1")
    found = collect(source, target, 2)
    assert found.findings == []
    assert {one.name: one.bytes for one in found.outputs} == {"good.csv": 1, "inner/model.onnx": 2}
    assert (target / "inner" / "model.onnx").read_bytes() == b"\0\1"


def test_an_output_never_replaces_what_is_there(tmp_path: Path) -> None:
    source, target = folders(tmp_path)
    (target / "good.csv").write_text("mine")
    with pytest.raises(FileExistsError):
        collect(source, target, 2)
    assert (target / "good.csv").read_text() == "mine"
