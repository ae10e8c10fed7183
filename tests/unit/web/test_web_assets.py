"""Files that browsers fetch: unchanged from their makers, cached by content, and nothing else."""

import hashlib
import re
from pathlib import Path

import pytest
from web_node import Visitor, make

from connector.web import assets

FOLDER = Path(assets.__file__).parent / "static"
ROW = re.compile(r"^\| (\S+) \| \S+ \| \S+ \| .*\((\S+)\) \| (\w{64}) \|$", re.MULTILINE)
FONT = "woff2-dynamic-subset/PretendardVariable.subset.0.woff2"
TYPES = {"text/css", "text/javascript", "image/svg+xml", "font/woff2"}


def digest_of(path: Path) -> str:
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    lines = [
        f"{digest_of(file)}  {file.name}\n"
        for file in sorted(path.glob("*.woff2"), key=lambda file: file.name.encode())
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def test_vendored_files_are_what_the_list_says() -> None:
    rows = ROW.findall((FOLDER / "vendor.md").read_text("utf-8"))
    assert len(rows) == 4
    for name, licence, digest in rows:
        assert digest_of(FOLDER / name) == digest, name
        assert (FOLDER / licence).stat().st_size > 500
    ours = {"dure.css", "dure.js", "icon.svg", "vendor.md"}
    assert {path.name for path in FOLDER.iterdir() if not path.name.startswith("LICENSE")} == ours | {
        row[0] for row in rows
    }


def test_all_files_together_stay_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 4_000_000


@pytest.mark.parametrize("name", ["dure.css", "dure.js", "htmx.min.js", "icon.svg", FONT])
def test_a_file_comes_with_its_type_and_is_kept_for_a_year(name: str) -> None:
    answer = Visitor(make()).get(assets.address(name))
    assert answer.status_code == 200
    assert answer.content == (FOLDER / name).read_bytes()
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].split(";")[0] in {
        "text/css",
        "text/javascript",
        "image/svg+xml",
        "font/woff2",
    }


@pytest.mark.parametrize("name", ["vendor.md", "..%2flayout.py", "%2e%2e/layout.py", "", "//etc/passwd", "nothing.css"])
def test_nothing_else_is_served(name: str) -> None:
    assert Visitor(make()).get(f"/static/{assets.digest()}/{name}").status_code == 404


def test_an_outdated_address_is_not_found() -> None:
    assert Visitor(make()).get("/static/0000000000000000/dure.css").status_code == 404
