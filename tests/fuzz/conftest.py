"""One space for the whole ring: what a fuzzer has done to it is part of what the next one meets."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.bounds import SECONDS, SEED
from tests.fuzz.verdicts import ASKED
from tests.fuzz.world import World, world


@pytest.fixture(scope="session")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The space, in the middle of a study."""
    folder: Path = tmp_path_factory.mktemp("fuzz")
    with world(folder, study=True) as found:
        yield found
    shutil.rmtree(folder, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says with which dice, so that a run can be repeated, and how much was asked."""
    terminalreporter.write_line(f"fuzz: DURE_SEED={SEED} DURE_FUZZ_SECONDS={SECONDS:g}")
    for line in ASKED:
        terminalreporter.write_line(f"fuzz: {line}")
