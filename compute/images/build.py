"""Builds the image that every task runs in: once, named by its digest, and used again while nothing changed."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from compute.images import bytecode, manifest, parts, shelf
from compute.images.manifest import Image
from compute.images.shelf import Use
from vocab.errors import Refusal

_ENTRY: Final = Path(__file__).parent.parent / "sandbox" / "entry.py"
_SHARED: Final = Path("/var/lib/dure/images")
#: Where the room's own file systems go: an image is read-only, so the places must exist.
_PLACES: Final = ("proc", "dev", "tmp", "in", "out", "code", "etc", "usr/bin", "usr/lib/dure", "usr/lib/python3")
_LINKS: Final = {
    "bin": "usr/bin",
    "lib": "usr/lib",
    "lib64": "usr/lib",
    "usr/lib64": "lib",
    "usr/bin/python": parts.INTERPRETER.rpartition("/")[2],
    "usr/bin/python3": parts.INTERPRETER.rpartition("/")[2],
    "usr/lib/python3/dist-packages": f"../{parts.LIBRARY.rpartition('/')[2]}/site-packages",  # where Debian looks
}
_TEXTS: Final = {
    "etc/passwd": "task:x:10001:10001::/tmp:/nonexistent\n",
    "etc/group": "task:x:10001:\n",
    "etc/hosts": "127.0.0.1 localhost\n",
}
_COMPILERS: Final = 2


def images_folder(data: Path) -> Path:
    """Where images lie: for root outside every private home, for others in $XDG_DATA_HOME or the node's folder."""
    if os.geteuid() == 0 and os.access("/var/lib", os.W_OK):
        return _SHARED
    shared = os.environ.get("XDG_DATA_HOME")
    return Path(shared) / "dure" / "images" if shared else data / "images"


def build_image(root: Path) -> tuple[Image, Use]:
    """The image of this interpreter and the `task` packages, below `root`: built if there is none, else as it lies. It
    stays there until its use is closed; older images that nobody uses are cleared away.

    Raises `Refusal("image-impossible")` if a package is missing or is not what its RECORD says.
    """
    root.mkdir(parents=True, exist_ok=True, mode=0o755)
    packages = parts.packages()
    recipe = root / f"recipe-{_recipe([str(one.locate_file('')) for one in packages.values()])}"
    with shelf.alone(root):
        image = _built_before(root, recipe) or _built_now(root, recipe)
        use = Use(image.path)
        shelf.prune(root)
    return image, use


def _built_before(root: Path, recipe: Path) -> Image | None:
    try:
        image = manifest.load(root / f"{recipe.read_text().strip()}.json")
        sources = {path: _stamp(Path(path)) for path in image.sources}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return image if sources == image.sources and manifest.unchanged(image) else None


def _built_now(root: Path, recipe: Path) -> Image:
    room = Path(tempfile.mkdtemp(prefix=".building-", dir=root))
    try:
        sources = _fill(room)
        entries = manifest.listed(room)
        image = Image(root / manifest.digest(entries), manifest.digest(entries), sources, entries)
        lying = manifest.listed(image.path) if image.path.exists() else []
        if manifest.digest(lying) == image.digest:  # another recipe gave the same: tasks may be running in it
            shutil.rmtree(room)
            image = replace(image, entries=lying)
        else:
            shutil.rmtree(image.path, ignore_errors=True)
            room.rename(image.path)
    except BaseException:
        shutil.rmtree(room, ignore_errors=True)
        raise
    manifest.save(image, root / f"{image.digest}.json")
    recipe.write_text(image.digest)
    return image


def _fill(room: Path) -> dict[str, list[int]]:
    """Puts everything into `room`; returns the stamps of the machine's own files that went in."""
    room.chmod(0o755)
    for place in _PLACES:
        (room / place).mkdir(parents=True, exist_ok=True)
    python = parts.interpreter()
    ours = [parts.Part(python, parts.INTERPRETER), parts.Part(_ENTRY, "usr/lib/dure/entry.py")]
    ours += parts.standard_library()
    for package in parts.packages().values():
        ours += parts.package_files(package)
    sources = [one for one in ours if one.source.suffix == ".py"]
    others = [one for one in ours if one.source.suffix != ".py"]
    _copy_all(sources, room)
    compilers = _compilers(room, [one.target for one in sources])
    try:
        binaries = [one.source for one in others if ".so" in one.source.name]
        machine = parts.shared_libraries([python, *binaries], {path.resolve() for path in binaries})
        _copy_all([*others, *machine], room)
        _small_things(room)
    finally:
        compiled = [process.wait() == 0 for process in compilers]
    if not all(compiled):
        raise Refusal("image-impossible", why="bytecode")
    _even(room)
    return {str(one.source): _stamp(one.source) for one in [ours[0], *machine]}


def _small_things(room: Path) -> None:
    for link, target in _LINKS.items():
        (room / link).symlink_to(target)
    for name, text in _TEXTS.items():
        (room / name).write_text(text)
        (room / name).chmod(0o444)


def _copy_all(some: list[parts.Part], room: Path) -> None:
    for one in some:
        _copy(one, room)


def _copy(part: parts.Part, room: Path) -> None:
    target = room / part.target
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        content = part.source.read_bytes()
    except OSError as error:
        raise Refusal("image-impossible", why=f"{part.source.name}: {error.strerror}") from None
    parts.promised(part, content)
    target.write_bytes(content)
    program = part.source.suffix != ".py" and content[:4] == b"\x7fELF"
    target.chmod(0o555 if program else 0o444)


def _compilers(room: Path, files: list[str]) -> list[subprocess.Popen[str]]:
    """Two fresh interpreters at work, each on a fixed half: the same files give the same bytes."""
    command = [str(parts.interpreter()), "-I", "-S", "-B", bytecode.__file__]
    running = []
    for share in range(_COMPILERS):
        with tempfile.TemporaryFile("w+") as lines:
            lines.writelines(f"{room / name}\t/{name}\n" for name in sorted(files)[share::_COMPILERS])
            lines.seek(0)
            running.append(subprocess.Popen(command, stdin=lines, stderr=subprocess.DEVNULL, text=True))
    return running


def _even(room: Path) -> None:
    """The same modes whatever the builder's umask was."""
    for folder, _, names in os.walk(room):
        Path(folder).chmod(0o755)
        for name in names:
            if name.endswith(".pyc"):
                (Path(folder) / name).chmod(0o444)


def _recipe(folders: list[str]) -> str:
    """What decides whether an image must be built anew: interpreter, packages, and this room's own code."""
    seen = hashlib.sha256(sys.version.encode() + str(parts.interpreter()).encode())
    for one in sorted(parts.packages().values(), key=lambda one: one.name):
        seen.update(f"{one.name} {one.version}\n".encode() + (one.read_text("RECORD") or "").encode())
    for file in (*sorted(Path(__file__).parent.glob("*.py")), _ENTRY):
        seen.update(file.read_bytes())
    seen.update("\n".join(sorted(set(folders))).encode())
    return seen.hexdigest()[:32]


def _stamp(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]
