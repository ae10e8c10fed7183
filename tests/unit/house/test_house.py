"""The house holds its plan: an agent runs without the operator's and the zone's code, and refusals are whole."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from connector.play.scenario import ROWS
from connector.play.space import opened
from vocab.errors import catalogue

ROOT = Path(__file__).parents[3]
PACKAGES = ("vocab", "connector", "governance", "compute")
DOCUMENT = (ROOT / "docs" / "errors.md").read_text("utf-8")

#: A Python in which the operator's and the zone's packages were never installed; it serves one node and asks it.
ALONE = """
import asyncio, importlib.metadata, json, socket, sys
from pathlib import Path

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("governance", "compute"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
everything = importlib.metadata.entry_points

def installed(**asked):
    return [one for one in everything(**asked) if one.value.partition(".")[0] not in ("governance", "compute")]

importlib.metadata.entry_points = installed

import httpx
from connector.kit.settings import Settings
from connector.node import running
from vocab.errors import Refusal

async def main(path):
    settings = Settings.load(Path(path))
    try:
        async with running(settings, socket.create_server((settings.host, settings.port))):
            async with httpx.AsyncClient(base_url=settings.url, trust_env=False) as client:
                answers = {where: await client.get(where) for where in ("/.well-known/dspace-version", "/openapi.json")}
    except Refusal as refusal:
        return {"refused": refusal.code}
    loaded = sorted({name.partition(".")[0] for name in sys.modules} & {"governance", "compute", "connector", "vocab"})
    return {"loaded": loaded, **{where: [one.status_code, one.json()] for where, one in answers.items()}}

print(json.dumps(asyncio.run(main(sys.argv[1]))))
"""


def alone(settings: Path) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(settings)], check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize(("node", "path"), [("h01", "/api/snapshots"), ("a02", "/api/studies")])
def test_an_agent_runs_without_the_operator_s_and_the_zone_s_code(tmp_path: Path, node: str, path: str) -> None:
    assert {"authority", "zone"} <= {one.name for one in entry_points(group="dure.roles")}, "here they are installed"
    opened(tmp_path, None)
    said = alone(tmp_path / node / "settings.toml")
    assert said["loaded"] == ["connector", "vocab"]
    status, versions = said["/.well-known/dspace-version"]  # type: ignore[misc]
    assert status == 200
    assert [one["version"] for one in versions["protocolVersions"]] == ["2025-1"]
    status, interface = said["/openapi.json"]  # type: ignore[misc]
    assert status == 200
    assert path in interface["paths"]


def test_a_role_that_is_not_installed_is_refused_by_name(tmp_path: Path) -> None:
    opened(tmp_path, None)
    assert alone(tmp_path / "p01" / "settings.toml") == {"refused": "role-unknown"}


def texts() -> Iterator[str]:
    """Every text that the programs and the rules hold as a whole."""
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
    for path in (ROOT / "policies").rglob("*.rego"):
        if not path.name.endswith("_test.rego"):
            yield from re.findall(r'"([^"]+)"', path.read_text("utf-8"))


def test_no_code_is_unused() -> None:
    assert set(catalogue()) - set(texts()) == set()


def test_every_code_that_a_rule_gives_stands_in_the_catalogue() -> None:
    """What gates say is checked where it is said: a word with a dash that a rule hands on as its reason."""
    rules = [path for path in (ROOT / "policies" / "gates").glob("*.rego") if not path.name.endswith("_test.rego")]
    said = {word for path in rules for word in re.findall(r"rows\.\w+\(\"([a-z-]+)\"", path.read_text("utf-8"))}
    assert len(said) >= 10, "this test must see the codes"
    assert said - {path.stem for path in rules} <= set(catalogue()), "neither a gate nor a code"


def test_the_catalogue_is_whole_however_it_is_read() -> None:
    """Each entry of each file arrives, under one code, and nothing else does."""
    files = sorted((ROOT / "vocab" / "errors").glob("*.toml"))
    written = [code for file in files for code in tomllib.loads(file.read_text("utf-8"))]
    assert sorted(written) == sorted(catalogue())
    assert all(re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code) for code in written)


@pytest.mark.parametrize("code", sorted(catalogue()))
def test_every_code_is_in_the_document_with_both_languages(code: str) -> None:
    entry = catalogue()[code]
    line = next(line for line in DOCUMENT.splitlines() if f'<a id="{code}"></a>' in line)
    for sentence in (entry.ko, entry.en, entry.do_ko, entry.do_en):
        assert sentence.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ") in line


def test_every_cell_that_must_be_refused_has_a_code_and_its_line_in_the_document() -> None:
    """A built row is either done or refused with a code; the document lists it with that code, by the same words."""
    table = DOCUMENT.partition("## All codes")[0]
    refused = [(step, row.code) for (step, _), row in ROWS.items() if row.code]
    assert len(refused) > 30
    for step, code in refused:
        assert code in catalogue()
        assert re.search(rf"^\| {step} \| .+ \| \[`{code}`\]\(#{code}\) \|$", table, re.MULTILINE), (step, code)
    lines = re.findall(r"^\| (\d+) \| .+ \| \[`([a-z-]+)`\]", table, re.MULTILINE)
    assert sorted((int(step), code) for step, code in lines) == sorted(refused)
