"""Shared by all rings: tools that may be missing, and a real PostgreSQL beside SQLite."""

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TOOLS = Path(__file__).parent / "tools"

# no test is about time: a busy machine may be slow
settings.register_profile("dure", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dure")


def need(found: object, command: str) -> None:
    """Skips the test and names the one command that installs what it needs; in CI a missing tool is a failure."""
    if found:
        return
    if os.environ.get("DURE_CI"):
        pytest.fail(f"not installed: {command}")
    pytest.skip(f"not installed: {command}")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a real PostgreSQL server, started for this session in a folder that its own user may enter."""
    need(any(Path("/usr/lib/postgresql").glob("*/bin/postgres")), "bash tests/tools/postgres.sh install")
    script = ["bash", str(TOOLS / "postgres.sh")]
    with (
        tempfile.TemporaryDirectory(prefix="dure-postgresql-") as folder,
        socket.create_server(("127.0.0.1", 0)) as free,
    ):
        Path(folder).chmod(0o755)
        port = str(free.getsockname()[1])
        free.close()
        subprocess.run([*script, "start", port, folder], check=True, capture_output=True, text=True)
        try:
            yield f"postgresql+psycopg://dure@127.0.0.1:{port}/dure"
        finally:
            subprocess.run([*script, "stop", folder], check=False, capture_output=True)
