"""Writes the documents that follow from the code: every refusal, every command.

uv run python tests/tools/documents.py        (a test fails when they are stale)
"""

from collections.abc import Callable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Final

import connector.cli.main as cli
from connector.cli.ends import ENVIRONMENT
from connector.play.scenario import ROWS
from vocab.errors import Entry, catalogue
from vocab.words import known, word

DOCS: Final = Path(__file__).parents[2] / "docs"

_ERRORS: Final = """# Refusals
Written by `tests/tools/documents.py` from `vocab/errors/*.toml` and `connector/play/scenario.py`. Do not edit.

A refusal is a "no" with a stable code. It says what happened, which rule said so, the value that was needed, the
value that was seen, and what to do. Programs get it as JSON, people as a sentence in Korean or English, peers without
what they may not know. It is stored and has a link (`/why/<id>`). `dure explain CODE` prints an entry of this list,
`dure explain ID --node URL` a stored refusal. In the terminal a refusal ends `dure` with status 1, or with 3 when it
says what this machine cannot give: {environment}.

## What the scenario wants refused
`dure up` plays each row; it passes only when it was refused with this code. A row without a code is not built yet.

| step | what | code |
|---|---|---|
{rows}

## All codes
"""


def errors() -> str:
    """docs/errors.md."""
    rows = [
        f"| {step} | {_said(f'play.{step}.{key}')} | {_code(row.code)} |"
        for (step, key), row in ROWS.items()
        if row.code or not row.built
    ]
    found = [_ERRORS.format(environment=", ".join(map(_code, sorted(ENVIRONMENT))), rows="\n".join(rows))]
    for room, entries in groupby(sorted(catalogue().values(), key=lambda one: one.room), key=lambda one: one.room):
        found += [f"### {room}", "| code | HTTP | what it says | what to do |", "|---|---|---|---|"]
        found += [*map(_entry, entries), ""]
    return "\n".join(found)


def _entry(entry: Entry) -> str:
    what, do = (f"{_cell(en)}<br>{_cell(ko)}" for en, ko in ((entry.en, entry.ko), (entry.do_en, entry.do_ko)))
    return f'| <a id="{entry.code}"></a>`{entry.code}` | {entry.status} | {what} | {do} |'


def _said(key: str) -> str:
    if not known(key):
        return key.rpartition(".")[2].replace("-", " ")
    return f"{_cell(word(key, 'en'))}<br>{_cell(word(key, 'ko'))}"


def _code(code: str | None) -> str:
    return f"[`{code}`](#{code})" if code else ""


def _cell(sentence: str) -> str:
    return sentence.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def commands() -> str:
    """docs/cli.md."""
    title, _, rest = cli.app.generate_docs(output_format="markdown", recursive=True).partition("\n")
    doc = str(cli.__doc__)
    status = " ".join(doc[doc.index("Exit status") :].split())
    note = f"Written by `tests/tools/documents.py` from the commands themselves. Do not edit.\n\n{status}\n"
    return f"{title}\n{note}{rest.rstrip()}\n"


#: What is written where.
WRITTEN: Final[Mapping[str, Callable[[], str]]] = {"errors.md": errors, "cli.md": commands}

if __name__ == "__main__":
    for name, written in WRITTEN.items():
        (DOCS / name).write_text(written(), "utf-8")
