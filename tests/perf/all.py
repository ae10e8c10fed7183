"""All figures, one after another: `uv run python -m tests.perf.all`. No figure is a verdict: this always succeeds.

Each runs as a process of its own, so that none warms or burdens another. Budgets are printed beside what was measured.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any, Final

#: What is run, and what the figure is about.
SCRIPTS: Final[dict[str, Sequence[str]]] = {
    "gate decisions: wasmtime in the process against OPA over HTTP (budget: 3x)": (
        "tests.perf.policy_decisions",
        "0.5",
    ),
    "launcher called to the task's first instruction (budget: 1.5x of bubblewrap)": ("tests.perf.launcher_start",),
    "negotiations between two nodes (budgets: p50 60 ms; 1,000 at once: 60 a second)": ("tests.perf.negotiation",),
}
#: Seconds that a figure may take before it is left out.
PATIENCE: Final = 300


def ran(words: Sequence[str]) -> str:
    """What a module printed, or why it printed nothing."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", *words], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no figure: not ready after {PATIENCE} s"
    if done.returncode:
        return f"no figure: {(done.stderr.strip().splitlines() or ['–'])[-1]}"
    return done.stdout.strip()


def play() -> str:
    """The figures of one whole play in a fresh space."""
    with tempfile.TemporaryDirectory(prefix="dure-perf-") as folder:
        code = f"from connector.cli.main import main; main(['up', '--exit', '--json', '--data', {folder!r}])"
        try:
            done = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            return f"no figure: not ready after {PATIENCE} s"
    rows: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if not rows or "passed" not in rows[-1]:
        return f"no figure: {(done.stderr.strip().splitlines() or ['–'])[-1]}"
    last = rows.pop()
    spent: dict[int, int] = {}
    for row in rows:
        spent[row["step"]] = spent.get(row["step"], 0) + row["ms"]
    shown = "  ".join(f"{step}: {ms / 1000:.1f}" for step, ms in sorted(spent.items()))
    return (
        f"passed {last['passed']}, {last['seconds']} s (budget 60), all nodes {last['peak_mb']} MB (budget 800)\n"
        f"seconds by step  {shown}"
    )


def main() -> None:
    """Prints everything."""
    cores = len(os.sched_getaffinity(0))
    print(f"{platform.platform()}, Python {platform.python_version()}, {cores} cores, load {os.getloadavg()[0]:.1f}")
    for what, words in SCRIPTS.items():
        print(f"\n# {what}\n{ran(words)}", flush=True)
    print(f"\n# dure up --exit\n{play()}", flush=True)


if __name__ == "__main__":
    main()
