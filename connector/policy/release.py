"""A policy release in its folder: the compiled module and its tables, held together by the manifest's digests."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from vocab.errors import Refusal


@dataclass(frozen=True, slots=True)
class Release:
    """What an engine runs. `revision` is "sha256:" and the digest of all sources, tests and tables."""

    revision: str
    module: bytes
    data: dict[str, Any]


def load(folder: Path | None) -> Release:
    """The release in `folder`, or the one in the wheel. Raises `Refusal("release-broken")` when a digest differs."""
    root: Traversable = folder or files("policies")
    try:
        manifest = json.loads((root / "manifest.json").read_text("utf-8"))
        module = (root / "policy.wasm").read_bytes()
        tables = {name: (root / name).read_bytes() for name in manifest["tables"]}
        wanted = {"policy.wasm": manifest["wasm"], **manifest["tables"]}
        revision = str(manifest["revision"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refusal("release-broken", file=str(error)) from None
    for name, content in {"policy.wasm": module, **tables}.items():
        seen = hashlib.sha256(content).hexdigest()
        if seen != wanted[name]:
            raise Refusal("release-broken", file=name, needed=wanted[name], seen=seen)
    data: dict[str, Any] = {}
    for content in tables.values():
        data |= json.loads(content)
    return Release(revision, module, data)


def digests(root: Traversable) -> dict[str, str]:
    """Each source of a release (Rego, its tests, cases, tables) with its digest, by path."""
    return {path: hashlib.sha256(file.read_bytes()).hexdigest() for path, file in sorted(_sources(root, ""))}


def revision(sources: dict[str, str]) -> str:
    """The one digest that stands for all of `digests`: what the board votes on."""
    lines = "".join(f"{digest}  {path}\n" for path, digest in sorted(sources.items()))
    return "sha256:" + hashlib.sha256(lines.encode()).hexdigest()


def _sources(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _sources(item, f"{path}{item.name}/")
        elif path and item.name.endswith((".rego", ".json", ".yaml")):
            yield path + item.name, item
