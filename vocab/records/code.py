"""The digest of a task's code: what a permit names, computed alike by who applies, who decides and who runs it."""

import hashlib
from collections.abc import Mapping


def code_digest(files: Mapping[str, bytes]) -> str:
    """`sha256:<hex>` over the sorted lines `sha256 name`; `files` by name below `/code`."""
    lines = [f"{hashlib.sha256(content).hexdigest()} {name}\n" for name, content in files.items()]
    return "sha256:" + hashlib.sha256("".join(sorted(lines, key=lambda line: line[65:])).encode()).hexdigest()
