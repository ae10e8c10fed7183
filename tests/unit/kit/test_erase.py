"""Erasing touches only what it was given: never what a link points to, never a file's second name."""

import os
from pathlib import Path

import pytest

from connector.kit.erase import erase, overwrite


def test_a_file_is_overwritten_before_it_is_removed(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"secret")
    held = os.open(file, os.O_RDONLY)
    erase(file)
    assert not file.exists()
    assert os.pread(held, 10, 0) == bytes(6)
    os.close(held)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "folder" / "link"
    target.write_text("not yours")
    target.chmod(0o644)
    link.parent.mkdir()
    link.symlink_to(target)
    with pytest.raises(OSError, match="regular file"):
        overwrite(link)
    erase(link.parent)
    assert target.read_text() == "not yours"
    assert target.stat().st_mode & 0o777 == 0o644
    assert not link.parent.exists()


def test_a_second_name_keeps_its_content(tmp_path: Path) -> None:
    target, other = tmp_path / "target", tmp_path / "other"
    target.write_text("not yours")
    other.hardlink_to(target)
    erase(other)
    assert target.read_text() == "not yours"


def test_a_folder_goes_with_everything_below_it(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "file").write_text("x")
    os.mkfifo(inner / "pipe")
    erase(tmp_path / "a")
    assert not (tmp_path / "a").exists()
