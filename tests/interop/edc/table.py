"""What was seen, as a page: docs/interop-edc.md. It holds no times, so the same outcome is the same page."""

from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).resolve().parents[3] / "docs" / "interop-edc.md"
VERSIONS: Final = ("0.15.1", "0.14.1")
ROLES: Final = ("provider", "consumer")
Rows = dict[tuple[str, str], list[tuple[str, str, str]]]

_HEAD: Final = """# With Eclipse EDC, live
Written by `uv run python -m tests.interop.edc.all`, which starts EDC from its published jars (`bash
tests/tools/install-edc 0.15.1 0.14.1`: a JDK and Maven, no Docker), plays every step with Dure on either side, and
writes down what it saw; `tests/interop/test_edc.py` plays it again and compares.
EDC runs with its default waits, on an open synthetic dataset.

- **identity: mock** on every row: EDC names itself in clear JSON. Nothing here says that DCP credentials work with it.
- **policy** says who read the clauses. EDC as it is shipped has no function for any operand and agrees without looking
  (`ignored`). What Dure cannot decide it refuses by name; it never agrees to a policy with a clause less.
- A step that a version cannot take stands here as `expected:` with its cause; one that it can take after all fails.

| EDC | Dure is | step | identity | policy | outcome |
|---|---|---|---|---|---|
"""


def lines(version: str, role: str, rows: list[tuple[str, str, str]]) -> list[str]:
    """The lines of one version and role."""
    return [f"| {version} | {role} | {step} | mock | {policy} | {outcome} |" for step, policy, outcome in rows]


def write(found: Rows) -> None:
    """The page."""
    known = [one for version in VERSIONS for role in ROLES for one in lines(version, role, found[version, role])]
    PAGE.write_text(_HEAD + "\n".join(known) + "\n", "utf-8")


def kept(version: str, role: str) -> list[str]:
    """What the page says of one version and role."""
    begin = f"| {version} | {role} | "
    return [one for one in PAGE.read_text("utf-8").splitlines() if one.startswith(begin)]
