"""The documents say what the code does."""

import ast
import itertools
import re
import shlex
from pathlib import Path
from types import UnionType
from typing import Any, get_args

import pytest
from cyclopts import App
from pydantic import BaseModel

from compute.engines.service import ZoneSettings
from connector.cli.ends import ENVIRONMENT
from connector.cli.main import app
from connector.kit.settings import Settings
from connector.play.scenario import ROWS
from tests.tools.documents import DOCS, WRITTEN
from vocab.errors import catalogue

ROOT = DOCS.parent
README = ROOT / "README.md"
PAGES = [
    README,
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "policies" / "README.md",
    *sorted(DOCS.rglob("*.md")),
]
#: The two commands of the README, as `.ci/run` types them.
COMMANDS = ("pip install uv && uv run dure up --exit", "pip install uv && uv run pytest")


@pytest.mark.parametrize("name", WRITTEN)
def test_a_written_document_is_not_stale(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == WRITTEN[name](), "run: uv run python tests/tools/documents.py"


def test_the_readme_gives_the_two_commands_exactly() -> None:
    lines = README.read_text("utf-8").splitlines()
    for command in COMMANDS:
        assert command in lines


def shown(path: Path) -> list[str]:
    """Every `dure ...` that a document tells people to type."""
    text = path.read_text("utf-8")
    inline, typed = re.findall(r"`(dure [^`]+)`", text), re.findall(r"^(?:uv run )?(dure .+)$", text, re.MULTILINE)
    return [span for span in (*inline, *typed) if "..." not in span]


def resolved(words: list[str]) -> tuple[App, list[str]]:
    """The command that `words` begin with, and the rest of them."""
    found: App = app
    while words and not words[0].startswith("-") and words[0] in found:
        found = found[words.pop(0)]
    return found, words


@pytest.mark.parametrize(
    ("page", "line"),
    [(page.relative_to(ROOT).as_posix(), line) for page in PAGES if page.name != "cli.md" for line in shown(page)],
)
def test_every_command_that_a_document_shows_exists_with_its_options(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    command, rest = resolved(words)
    assert command is not app, f"{page}: {line}"
    options = {name for one in command.assemble_argument_collection() for name in one.names}
    assert {word for word in rest if word.startswith("--")} <= options | {"--help"}, f"{page}: {line}"


def test_commands_are_shown_at_all() -> None:
    assert len(shown(README)) >= 5


def links(page: Path) -> list[str]:
    """Where the links of a page lead, those to other sites left out."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]


def anchors(page: Path) -> set[str]:
    """What can be linked to in a page: marked places and headings."""
    text = page.read_text("utf-8")
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {
        *re.findall(r'<a id="([^"]+)">', text),
        *(re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in titles),
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_every_decision_has_its_number_once() -> None:
    names = [path.name for path in sorted((DOCS / "decisions").iterdir())]
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


def keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    """The settings of a model as they are written, sections with a dot."""
    found = []
    for name, field in model.model_fields.items():
        kind: Any = field.annotation
        inner = kind if isinstance(kind, type) else next((one for one in get_args(kind) if isinstance(one, type)), None)
        section = isinstance(inner, type) and not isinstance(kind, UnionType) and issubclass(inner, BaseModel)
        found += keys(inner, f"{prefix}{name}.") if section else [f"{prefix}{name}"]  # type: ignore[arg-type]
    return found


def test_every_setting_is_documented_and_nothing_else() -> None:
    wanted = {*keys(Settings), *keys(ZoneSettings, "zone.")} - {"zone"}
    table = (DOCS / "settings.md").read_text("utf-8").partition("## Environment")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert wanted == {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def raised() -> set[tuple[str, str]]:
    """Each code that is raised by its name, and where."""
    found = set()
    for path in itertools.chain.from_iterable(
        (ROOT / one).rglob("*.py") for one in ("vocab", "connector", "governance", "compute")
    ):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Refusal" and node.args:
                found |= {
                    (one.value, str(path.relative_to(ROOT)))
                    for one in ast.walk(node.args[0])
                    if isinstance(one, ast.Constant)
                    and isinstance(one.value, str)
                    and re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", one.value)
                }
    return found


def test_every_code_that_is_raised_or_wanted_stands_in_the_catalogue() -> None:
    named = raised()
    assert len(named) > 100, "this test must see the codes"
    assert {one for one in named if one[0] not in catalogue()} == set()
    assert {row.code for row in ROWS.values() if row.code} <= set(catalogue())
    assert set(catalogue()) >= ENVIRONMENT


def test_ci_runs_only_what_exists() -> None:
    text = (ROOT / ".ci" / "run").read_text("utf-8")
    named = set(re.findall(r"tests/[\w./-]+", text)) | {
        module.replace(".", "/") + ".py" for module in re.findall(r"python -m (tests[\w.]+)", text)
    }
    assert len(named) >= 8
    assert sorted(name for name in named if not (ROOT / name).exists()) == []
