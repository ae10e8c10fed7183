"""Gate decisions per second: the release on wasmtime in this process, and the same release in an OPA server over HTTP.

    python tests/perf/policy_decisions.py [SECONDS]

Both answer the same input (study S1 at `transfer`: 11 clauses, 4 prohibitions, full report) in turns, so that other
load falls on both. A decision is two entrypoints, the policy's and the gate's; the server gets both in one request.
"""

import http.client
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "unit" / "policy")]

from studyfacts import NOW, REQUESTS, facts, policy  # noqa: E402 - the path comes first

from connector.policy.service import Policies  # noqa: E402
from vocab.profile import Gate  # noqa: E402
from vocab.profile.world import world  # noqa: E402

GATE = Gate.TRANSFER
ROUNDS = 7
#: What the server runs: both entrypoints on one input, as an object.
BOTH = f"""package both

odrl := data.dure.odrl.decision

gate := data.dure.gates.{GATE.value}.decision
"""


def rate(ask: Callable[[], object], seconds: float) -> tuple[float, list[float]]:
    """Calls per second, and each call's milliseconds."""
    times, end = [], time.monotonic() + seconds
    while (start := time.monotonic()) < end:
        ask()
        times.append((time.monotonic() - start) * 1000)
    return len(times) / sum(times) * 1000, times


def server(folder: Path) -> tuple[subprocess.Popen[bytes], http.client.HTTPConnection]:
    """A real OPA with the same Rego and tables, ready to answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "both.rego").write_text(BOTH)
    sources = [*(str(ROOT / "policies" / name) for name in ("odrl", "gates", "tables")), str(folder / "both.rego")]
    quiet = ["--skip-version-check", "--log-level", "error", "--ignore", "*_test.rego"]
    process = subprocess.Popen(["opa", "run", "--server", "--addr", f"127.0.0.1:{port}", *quiet, *sources])
    for _ in range(200):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/health")
            connection.getresponse().read()
            return process, connection
        except OSError:
            time.sleep(0.05)
    process.kill()
    raise SystemExit("opa did not start")


def main(seconds: float) -> None:
    """Prints both rates, their ratio, the machine and its load."""
    if shutil.which("opa") is None:
        raise SystemExit("opa is not installed: sh tests/tools/install-opa /usr/local/bin")
    policies, subject, given = Policies(), policy(GATE), facts()
    document = {
        "gate": GATE.value,
        "now": NOW,
        "policy": subject.to_json(),
        "request": REQUESTS[GATE],
        "world": world(GATE, given, NOW),
        "facts": given,
    }

    def ours() -> object:
        return policies.decide(GATE, policy=subject, request=REQUESTS[GATE], facts=given, now=NOW)

    with tempfile.TemporaryDirectory() as folder:
        process, connection = server(Path(folder))

        def theirs() -> object:
            connection.request(
                "POST", "/v1/data/both", orjson.dumps({"input": document}), {"Content-Type": "application/json"}
            )
            return orjson.loads(connection.getresponse().read())["result"]

        try:
            decision, answer = ours(), theirs()
            if answer["odrl"]["report"] != list(decision.report) or not decision.allow or not answer["gate"]["allow"]:
                raise SystemExit("the two do not answer alike")
            rounds = [(rate(ours, seconds), rate(theirs, seconds)) for _ in range(ROUNDS)]
        finally:
            process.terminate()
            process.wait()
    result = {
        name: statistics.median(one[place][0] for one in rounds) for place, name in enumerate(("wasm", "opa_http"))
    }
    slow = {name: [t for one in rounds for t in one[place][1]] for place, name in enumerate(("wasm", "opa_http"))}
    print(
        json.dumps(
            {
                "decisions_per_second": {name: round(value) for name, value in result.items()},
                "ratio": round(result["wasm"] / result["opa_http"], 1),
                "p50_ms": {name: round(statistics.median(times), 2) for name, times in slow.items()},
                "p99_ms": {name: round(sorted(times)[int(len(times) * 0.99)], 2) for name, times in slow.items()},
                "rounds": ROUNDS,
                "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
                "load": os.getloadavg()[0],
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
