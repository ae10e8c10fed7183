"""Files that browsers fetch, under a path that carries their content's digest: cached for a year, never stale."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, HTTPException
from fastapi import Path as PathValue
from fastapi.responses import FileResponse

_FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
_HEADERS: Final = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}

router = APIRouter(include_in_schema=False)


@cache
def served() -> dict[str, Path]:
    """Every file that may be fetched, by its name under `static/`: what is not in this table does not exist."""
    files = sorted(path for path in _FOLDER.rglob("*") if path.suffix in _TYPES)
    return {path.relative_to(_FOLDER).as_posix(): path for path in files}


@cache
def digest() -> str:
    """Names the content of all files together: fonts are found relative to the sheet that names them."""
    total = hashlib.sha256()
    for name, path in served().items():
        total.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()[:16]


def address(name: str) -> str:
    """The address of a file. Raises `KeyError` for one that is not there: a template's mistake."""
    return f"/static/{digest()}/{served()[name].relative_to(_FOLDER).as_posix()}"


@router.get("/static/{version}/{name:path}")
async def fetch(version: Annotated[str, PathValue()], name: Annotated[str, PathValue()]) -> FileResponse:
    """One file. An outdated digest is not found: a page that names it is outdated too."""
    path = served().get(name)
    if path is None or version != digest():
        raise HTTPException(404)
    return FileResponse(path, media_type=_TYPES[path.suffix], headers=_HEADERS)
