"""An image is what its digest says, and holds the `task` group and nothing of the host's."""

import re
import tomllib
from pathlib import Path

import pytest

from compute.images import manifest, parts
from vocab.errors import Refusal

ROOT = Path(__file__).parents[3]


def small(tmp_path: Path) -> manifest.Image:
    """A folder that looks like an image."""
    folder = tmp_path / "image"
    (folder / "usr").mkdir(parents=True)
    (folder / "usr" / "python").write_text("interpreter")
    (folder / "bin").symlink_to("usr")
    entries = manifest.listed(folder)
    return manifest.Image(folder, manifest.digest(entries), {}, entries)


def test_the_image_holds_exactly_the_task_group() -> None:
    group = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["task"]
    assert sorted(re.split(r"[<>=~!\[; ]", name)[0] for name in group) == sorted(parts.TASK)
    assert {"numpy", "scipy", "scikit-learn", "protobuf"} <= set(parts.packages())
    assert not {"cryptography", "httpx", "sqlmodel", "pytest"} & set(parts.packages())


def test_an_untouched_image_verifies(tmp_path: Path) -> None:
    image = small(tmp_path)
    manifest.verify(image.path, image.digest)
    assert manifest.unchanged(image)
    manifest.save(image, tmp_path / "image.json")
    assert manifest.load(tmp_path / "image.json") == image


@pytest.mark.parametrize("change", ["content", "mode", "more", "less", "link"])
def test_any_change_changes_the_digest(tmp_path: Path, change: str) -> None:
    image = small(tmp_path)
    python = image.path / "usr" / "python"
    if change == "content":
        python.write_text("Interpreter")
    elif change == "mode":
        python.chmod(0o600 if python.stat().st_mode & 0o777 != 0o600 else 0o640)
    elif change == "more":
        (image.path / "usr" / "extra").touch()
    elif change == "less":
        python.unlink()
    else:
        (image.path / "bin").unlink()
        (image.path / "bin").symlink_to("/usr")
    assert not manifest.unchanged(image) or change == "link"
    with pytest.raises(Refusal, match="image-changed"):
        manifest.verify(image.path, image.digest)


def test_a_file_that_is_not_what_its_package_promised_stops_the_build(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    part = parts.Part(tmp_path / "a.py", "a.py", "AAAA")
    with pytest.raises(Refusal, match="image-impossible"):
        parts.promised(part, b"x = 1")
