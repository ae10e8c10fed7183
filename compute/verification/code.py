"""The zone's validation code as one file, whose sha256 is its code digest: a permit can name it."""

import hashlib
import io
import json
import zipfile
from functools import cache
from importlib.resources import files
from typing import Final

NAME: Final = "verify.pyz"
#: Inside the walls: read /in, write /out.
COMMAND: Final = ("python3", "-I", f"/code/{NAME}")
_ENTRY: Final = (
    "from pathlib import Path\nimport sys\n\nfrom inside.main import main\n\nmain(*map(Path, sys.argv[1:]))\n"
)
_ZIP_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


@cache
def bundle() -> bytes:
    """The package `inside` as an uncompressed zip archive with fixed times: the same sources, the same bytes."""
    sources = {"__main__.py": _ENTRY}
    for file in files("compute.verification").joinpath("inside").iterdir():
        if file.name.endswith(".py"):
            sources[f"inside/{file.name}"] = file.read_text("utf-8")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(sources):
            info = zipfile.ZipInfo(name, _ZIP_EPOCH)
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, sources[name])
    return buffer.getvalue()


def digest() -> str:
    """The zone's code digest, sha256 in hex."""
    return hashlib.sha256(bundle()).hexdigest()


def plan(secret: bytes, threshold: float) -> bytes:
    """The text of `/in/plan.json`. `secret` is 32 fresh random bytes of the zone; nobody else may learn them."""
    return json.dumps({"secret": secret.hex(), "threshold": threshold}).encode()
