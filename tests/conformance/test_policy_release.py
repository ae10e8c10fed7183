"""The release in the wheel is what the real OPA makes of its sources: checked, formatted, tested, equal to the byte."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSTALL = "sh tests/tools/install-opa /usr/local/bin"


@pytest.fixture(scope="module")
def opa() -> str:
    found = shutil.which("opa")
    if found is None:
        if os.environ.get("DURE_CI"):
            pytest.fail(f"opa is missing: {INSTALL}")
        pytest.skip(f"opa is missing: {INSTALL}")
    return found


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )


@pytest.mark.timeout(120)
def test_a_rebuild_by_the_real_opa_is_equal_to_the_byte(opa, tmp_path):
    done = run(sys.executable, "tests/tools/release.py", "--into", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("policy.wasm", "manifest.json"):
        assert (tmp_path / name).read_bytes() == (ROOT / "policies" / name).read_bytes(), name


@pytest.mark.timeout(120)
def test_the_boards_own_tests_cover_their_rules(opa):
    done = run(
        opa,
        "test",
        "--coverage",
        "--threshold",
        "90",
        *(f"policies/{name}" for name in ("odrl", "gates", "tables", "cases")),
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


@pytest.mark.parametrize("builtin", ["http.send({})", "time.now_ns()", "opa.runtime()"])
def test_a_rule_that_reaches_outside_does_not_pass_for_a_release(opa, tmp_path, builtin):
    """The host refuses a module that leaves a built-in to it; here the module is really compiled and really refused."""
    from connector.policy.engine import EngineFailed, WasmEngine

    (tmp_path / "outside.rego").write_text(f"package outside\n\ndefault decision := false\n\ndecision := {builtin}\n")
    bundle = tmp_path / "b.tar.gz"
    done = run(opa, "build", "-t", "wasm", "-e", "outside/decision", "-o", str(bundle), str(tmp_path / "outside.rego"))
    assert done.returncode == 0, done.stderr
    run("tar", "xzf", str(bundle), "-C", str(tmp_path), "/policy.wasm")
    with pytest.raises(EngineFailed, match="the module needs"):
        WasmEngine((tmp_path / "policy.wasm").read_bytes(), {})
