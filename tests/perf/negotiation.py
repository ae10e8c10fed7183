"""One negotiation between two real nodes over loopback HTTP, durable on both sides.

    uv run python -m tests.perf.negotiation [RUNS]

From the company's start to its row FINALIZED: offer looked up, request, agreement, verification, finalisation; every
message committed (`synchronous=FULL`) before it is answered. The hospital is a process of its own (`dure run`). The
operator is away: its standing list is kept, receipts wait. Prints p50 with machine and load. Budget: 60 ms.
"""

import asyncio
import contextlib
import json
import os
import platform
import signal
import socket
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any, Final

import httpx

from connector.datasets.describe import Description
from connector.datasets.service import offer, publish
from connector.kit.db import Unit
from connector.kit.keys import Keys
from connector.negotiation import consumer
from connector.negotiation.model import Negotiation
from connector.node import Node, build
from connector.play import space as made
from connector.policy.service import Policies
from connector.rights.acceptance import accept_standing
from connector.rights.model import PermitRow
from connector.sources.model import Snapshot
from tests.unit.datasets.forms import description
from tests.unit.negotiation.conftest import permit, snapshot
from vocab import terms
from vocab.odrl.offer import research_offer
from vocab.records.envelope import Envelope, signed

BUDGET_MS = 60
DAY = 86_400_000
DATASET = "D-H01-DM"
KINDS: Final = ("token", "receipt", "witness", "sealing")


def standing(space: made.Space, studies: list[str], now: int) -> Envelope:
    """The operator's list, as it would have pushed it: the members, every permit in force."""
    operator = space.nodes["op"].did
    keys = {name: Keys(settings.folder / "keys") for name, settings in space.nodes.items()}
    members = [
        {
            "did": settings.did,
            "url": settings.url,
            "name": {"ko": name, "en": name},
            "camp": settings.organisation.camp,
            "organisation": name,
            "roles": [],
            "purposes": [terms.MEDICAL_DEVICE_AI] if name == "a02" else [],
            "diseases": ["E10-E14"] if name == "a02" else [],
            "country": "KR",
            "keys": {kind: keys[name].public(kind).hex() for kind in KINDS},
            "vkey": f"{name}+00+00",
            "state": "active",
        }
        for name, settings in space.nodes.items()
    ]
    body: dict[str, Any] = {
        "type": "standing",
        "seq": 1,
        "at": now,
        "valid_until": now + DAY,
        "lease_seconds": 60,
        "operator": operator,
        "members": members,
        "zones": [{"did": space.nodes["p01"].did, "place": "P01", "country": "KR"}],
        "permits": dict.fromkeys(studies, "active"),
        "release": Policies().revision,
        "reviewers": [],
        "log": {"origin": "dure", "vkey": "dure", "policy": "log dure"},
    }
    return signed(body, operator, keys["op"].sign)


async def furnished(space: made.Space, studies: list[str]) -> Node:
    """Both nodes know what stands before a negotiation; the hospital's is stopped again, the company's is returned."""
    nodes = {name: build(space.nodes[name]) for name in ("h01", "a02")}
    zone, now = space.nodes["p01"].did, nodes["a02"].runtime.now()
    said = standing(space, studies, now)
    for node in nodes.values():
        await accept_standing(node.runtime, said)
    hospital = nodes["h01"].runtime
    await publish(hospital, Description.model_validate_json(json.dumps(description(DATASET))), "steward")
    await offer(hospital, DATASET, research_offer("offer-h01", zone=zone, disease="E10-E14"), "steward")
    facts = {
        "iss": space.nodes["op"].did,
        "applicant": space.nodes["a02"].did,
        "datasets": [{"id": DATASET, "provider": space.nodes["h01"].did, "columns": ["hba1c"]}],
        "zone": zone,
        "from": now - DAY,
        "until": now + 89 * DAY,
        "irb": {"decision": "approved", "until": now + 200 * DAY},
    }
    # a permit has its study's number here: one name less to keep
    permits = [permit(id=study, study=study, **facts) for study in studies]
    cuts = [snapshot(DATASET, id=f"snapshot-{study}", study=study, permit=study) for study in studies]

    def fill(unit: Unit, rows: list[PermitRow] | list[Snapshot]) -> None:
        for row in rows:
            unit.session.merge(row)

    for node in nodes.values():
        await node.runtime.store.run(lambda unit: fill(unit, permits))
    await hospital.store.run(lambda unit: fill(unit, cuts))
    await nodes["h01"].stop()
    return nodes["a02"]


async def negotiated(node: Node, committed: asyncio.Event, provider: str, study: str) -> float:
    """Milliseconds of one negotiation. `committed` is set after each commit of the company."""
    runtime, began = node.runtime, time.monotonic()
    pid = (await consumer.start(runtime, "pi", provider=provider, dataset=DATASET, study=study)).id
    async with asyncio.timeout(60):
        while True:
            row = await runtime.store.read(lambda session: session.get_one(Negotiation, pid))
            if row.state == "FINALIZED":
                return (time.monotonic() - began) * 1000
            if row.state == "TERMINATED":
                raise SystemExit(f"refused: {row.code}")
            await committed.wait()
            committed.clear()


async def answers(url: str) -> None:
    """Waits until a node is up."""
    async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(60):
        while True:
            with contextlib.suppress(httpx.TransportError):
                (await client.get(url)).raise_for_status()
                return
            await asyncio.sleep(0.1)


async def main(runs: int) -> None:
    """Prints the figure."""
    with tempfile.TemporaryDirectory(prefix="dure-perf-") as folder:
        space = made.opened(Path(folder), None)
        studies = [f"urn:uuid:{uuid.uuid4()}" for _ in range(runs + 2)]
        company = await furnished(space, studies)
        listener = socket.create_server((company.runtime.settings.host, company.runtime.settings.port))
        await company.listen(listener)
        await company.start()
        code = f"from connector.cli.main import main; main(['run', {str(Path(folder) / 'h01' / 'settings.toml')!r}])"
        hospital = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, stderr=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            await answers(f"{space.nodes['h01'].url}/.well-known/dspace-version")
            committed, loop = asyncio.Event(), asyncio.get_running_loop()

            def wake() -> None:
                loop.call_soon_threadsafe(committed.set)

            company.runtime.store.on_commit(wake)
            burnt = time.process_time()
            times = [await negotiated(company, committed, space.nodes["h01"].did, study) for study in studies][2:]
            burnt = time.process_time() - burnt
        finally:
            hospital.send_signal(signal.SIGTERM)
            await hospital.wait()
            await company.stop()
    p50 = statistics.median(times)
    print(f"{platform.machine()}, {os.cpu_count()} cores, kernel {platform.release()}, load {os.getloadavg()[0]:.1f}")
    print(f"negotiation, {runs} runs, ms: p50 {p50:.1f}, min {min(times):.1f}, max {max(times):.1f}")
    print(f"  of it the company's process was computing {burnt * 1000 / len(studies):.1f} ms each, other load or not")
    print(f"p50 / budget: {p50 / BUDGET_MS:.2f} (budget {BUDGET_MS} ms)")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 30))
