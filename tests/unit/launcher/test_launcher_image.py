"""An image is what its digest says, and holds the `task` group and nothing of the host's."""

import os
import re
import tomllib
from pathlib import Path

import pytest

from compute.images import manifest, parts, shelf
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


def shelved(root: Path, name: str, age: int) -> Path:
    """An image on the shelf, put to use `age` seconds ago, and the recipe that leads to it."""
    digest = name * 64
    (root / digest / "usr").mkdir(parents=True)
    (root / digest / "usr" / "python").write_text(name)
    entries = manifest.listed(root / digest)
    manifest.save(manifest.Image(root / digest, digest, {}, entries), root / f"{digest}.json")
    (root / f"recipe-{name}").write_text(digest)
    os.utime(root / f"{digest}.json", (1_000_000_000 - age,) * 2)
    return root / digest


def test_images_that_nobody_uses_go_but_the_newest_two(tmp_path: Path) -> None:
    images = {name: shelved(tmp_path, name, age) for age, name in enumerate("abcdef")}
    (tmp_path / ".building-x" / "usr").mkdir(parents=True)
    used = shelf.Use(images["e"])  # from now on it is the newest
    kept = shelf.Use(images["d"])
    with shelf.alone(tmp_path):
        gone = shelf.prune(tmp_path)
    assert set(gone) == {images[name] for name in "abcf"}
    assert {path.name for path in tmp_path.glob("recipe-*")} == {"recipe-d", "recipe-e"}
    assert sorted(path for path in tmp_path.iterdir() if path.is_dir()) == sorted([images["d"], images["e"]])
    for name in "gh":
        shelf.Use(shelved(tmp_path, name, 0)).close()
    with shelf.alone(tmp_path):
        assert shelf.prune(tmp_path) == []
        used.close()
        assert shelf.prune(tmp_path) == [images["e"]]
    assert (images["d"] / "usr" / "python").read_text() == "d"
    kept.close()
