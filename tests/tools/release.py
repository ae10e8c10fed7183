"""Builds the default policy release with the real OPA: checks, tests, compiles, writes the module and its manifest.

    python tests/tools/release.py            check, test, build, write
    python tests/tools/release.py --into D   the same, but the results go to folder D (CI compares them)

Needs `opa` on the PATH: `sh tests/tools/install-opa /usr/local/bin`.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from connector.policy.release import digests, revision
from vocab.profile import Gate
from vocab.profile.__main__ import text

POLICIES = Path(__file__).parents[2] / "policies"
FOLDERS = ("odrl", "gates", "tables")
ENTRYPOINTS = ("dure/odrl/decision", *(f"dure/gates/{gate.value}/decision" for gate in Gate))


def opa(*arguments: str) -> str:
    """Runs the real OPA among the policies. Raises `CalledProcessError` with what it said."""
    done = subprocess.run(["opa", *arguments], cwd=POLICIES, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        done.check_returncode()
    return done.stdout


def check() -> None:
    """Everything that must hold before a release is compiled."""
    opa("check", "--strict", *FOLDERS)
    opa("fmt", "--fail", "--list", *FOLDERS)
    opa("test", *FOLDERS, "cases")


def build(into: Path) -> None:
    """Compiles to `into`: policy.wasm and manifest.json."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle.tar.gz"
        entrypoints = [part for name in ENTRYPOINTS for part in ("-e", name)]
        opa("build", "-t", "wasm", *entrypoints, "--ignore", "*_test.rego", "-o", str(bundle), *FOLDERS)
        with tarfile.open(bundle) as archive:
            member = archive.extractfile("/policy.wasm")
            if member is None:
                raise SystemExit("opa built no module")
            module = member.read()
    sources = digests(POLICIES)
    version = next(
        line.removeprefix("Version: ") for line in opa("version").splitlines() if line.startswith("Version: ")
    )
    manifest = {
        "revision": revision(sources),
        "opa": version,
        "wasm": hashlib.sha256(module).hexdigest(),
        "tables": {path: digest for path, digest in sources.items() if path.startswith("tables/")},
    }
    (into / "policy.wasm").write_bytes(module)
    (into / "manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", "utf-8")


def main() -> None:
    """See the module's own text."""
    if shutil.which("opa") is None:
        raise SystemExit("opa is not installed: sh tests/tools/install-opa /usr/local/bin")
    into = Path(sys.argv[2]) if sys.argv[1:2] == ["--into"] else POLICIES
    if into == POLICIES:
        (POLICIES / "tables" / "profile.json").write_text(text(), "utf-8")
    check()
    build(into)


if __name__ == "__main__":
    main()
