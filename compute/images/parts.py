"""What goes into an image: this interpreter, its standard library, the locked `task` packages, the libraries they load.

Nothing of the host's `/usr` is bound into a task's room: a host library beside another interpreter's standard library
breaks in ways that no one finds (research/compute.md 4.3).
"""

import base64
import hashlib
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from vocab.errors import Refusal

#: The roots of the `task` dependency group in pyproject.toml; a test holds the two together.
TASK: Final = ("duckdb", "numpy", "onnx", "onnxruntime", "scikit-learn", "skl2onnx")

#: Folders that no task imports.
_FOLDERS: Final = frozenset(
    {"test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "pydoc_data", "__pycache__"}
    | {"site-packages", "dist-packages"}
)
#: Extension modules that need a terminal, a window, a directory service or a test.
_MODULES: Final = re.compile(r"(_tkinter|readline|_curses.*|nis|_gdbm|_dbm|_test.*|_xxtest.*|xxlimited.*)\.")
#: What a compiler reads and a running program does not.
_SUFFIXES: Final = frozenset({".pyc", ".pyi", ".pxd", ".pyx", ".h", ".hpp", ".c", ".cpp", ".proto", ".a", ".in"})

_VERSION: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"
LIBRARY: Final = f"usr/lib/{_VERSION}"
INTERPRETER: Final = f"usr/bin/{_VERSION}"


@dataclass(frozen=True, slots=True)
class Part:
    """A file to be copied; `sha256` (base64, as in RECORD) is what its package promised, where it did."""

    source: Path
    target: str
    sha256: str | None = None


def interpreter() -> Path:
    """The real interpreter behind a virtual environment."""
    base: str = getattr(sys, "_base_executable", sys.executable)
    return Path(base).resolve()


def standard_library() -> Iterator[Part]:
    """The standard library without what no task needs."""
    folder = Path(sysconfig.get_path("stdlib", vars={"base": sys.base_prefix, "installed_base": sys.base_prefix}))
    for path in _tree(folder):
        inner = path.relative_to(folder)
        if not _MODULES.match(path.name) and not inner.parts[0].startswith("config-"):
            yield Part(path, f"{LIBRARY}/{inner}")


def packages() -> dict[str, metadata.Distribution]:
    """The closure of `TASK` among the installed packages. Raises `Refusal("image-impossible")` if one is missing."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [(name, True) for name in TASK]
    while waiting:
        name, needed = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in found:
            continue
        try:
            found[key] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            if needed:
                raise Refusal("image-impossible", why=f"{name} is not installed") from None
            continue
        waiting += _requirements(found[key])
    return found


def package_files(one: metadata.Distribution) -> Iterator[Part]:
    """The files that the package's RECORD lists and that a running program may read."""
    for file in one.files or ():
        folders, name = file.parts[:-1], file.parts[-1]
        if file.parts[0] == ".." or file.suffix in _SUFFIXES or _FOLDERS & set(folders):
            continue
        if folders and folders[0].endswith(".dist-info") and name != "METADATA":
            continue
        promised = file.hash.value if file.hash and file.hash.mode == "sha256" else None
        yield Part(Path(str(one.locate_file(file))), f"{LIBRARY}/site-packages/{file}", promised)


def shared_libraries(binaries: list[Path], inside: set[Path]) -> list[Part]:
    """The libraries of this machine that `binaries` load, the loader too; not those that are `inside` already."""
    command = ["ldd", *map(str, binaries)]
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refusal("image-impossible", why=f"ldd: {type(error).__name__}") from None
    found = {Path(path) for path in re.findall(r"(?:=>\s+|^\s+)(/\S+) \(0x", text, re.MULTILINE)}
    outside = sorted(path for path in found if path.resolve() not in inside)
    return [Part(path.resolve(), f"usr/lib/{path.name}") for path in outside]


def promised(part: Part, content: bytes) -> str:
    """The hex SHA-256 of `content`. Raises `Refusal("image-impossible")` if the package promised another."""
    seen = hashlib.sha256(content)
    if part.sha256 and base64.urlsafe_b64encode(seen.digest()).rstrip(b"=").decode() != part.sha256:
        raise Refusal("image-impossible", why=f"{part.source.name} is not what its package says")
    return seen.hexdigest()


def _requirements(one: metadata.Distribution) -> Iterator[tuple[str, bool]]:
    """Names that `one` asks for, and whether it asks on every machine: a marker may exclude this one."""
    for text in one.requires or ():
        name, marker = re.match(r"[A-Za-z0-9._-]+", text), text.partition(";")[2]
        if name and "extra" not in marker:
            yield name.group(), not marker


def _tree(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in _FOLDERS or path.suffix in _SUFFIXES:
            continue
        if path.is_dir():
            yield from _tree(path)
        elif path.is_file():
            yield path
