"""Negotiations between two real nodes over loopback HTTP, durable on both sides: one after another, and all at once.

    uv run python -m tests.perf.negotiation [RUNS] [AT_ONCE]

From the company's start to its row FINALIZED: offer looked up, request, agreement, verification, finalisation; every
message committed (`synchronous=FULL`) before it is answered. The hospital is a process of its own (`dure run`). The
operator is away: its standing list is kept, receipts wait. Prints p50 and finished a second, with machine, load and the
CPU time of each process, which other load changes less. The company's process also does the measuring.
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
import threading
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import uvloop
from sqlmodel import func, select

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

BUDGET_MS: Final = 60
BUDGET_A_SECOND: Final = 60
#: What has not ended by then is counted as not finished (seconds).
PATIENCE: Final = 60
#: What each thread of a node does, by its name.
WORK: Final = {
    "MainThread": "loop: HTTP, JSON, tokens",
    "store-writer": "units",
    "store_": "reads",
    "asyncio_": "gates",
}
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


def burnt(stat: Path) -> float:
    """CPU milliseconds of a process or thread, by its `stat` file."""
    fields = stat.read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Pair:
    """The company's node in this process, the hospital's in another, and an event for each commit of the company."""

    company: Node
    hospital: str
    process: int
    committed: asyncio.Event

    def cpu(self) -> tuple[float, float]:
        """CPU milliseconds of the company's process and of the hospital's."""
        return time.process_time() * 1000, burnt(Path(f"/proc/{self.process}/stat"))

    def threads(self) -> Counter[str]:
        """CPU milliseconds of the company's process by kind of work."""
        found: Counter[str] = Counter()
        for thread in threading.enumerate():
            what = next((what for name, what in WORK.items() if thread.name.startswith(name)), "other")
            found[what] += round(burnt(Path(f"/proc/self/task/{thread.native_id}/stat")))
        return found


@contextlib.asynccontextmanager
async def running(folder: Path, studies: list[str]) -> AsyncIterator[Pair]:
    """Both nodes, furnished and answering, inside the block."""
    space = made.opened(folder, None)
    company = await furnished(space, studies)
    await company.listen(
        socket.create_server((company.runtime.settings.host, company.runtime.settings.port), backlog=128)
    )
    await company.start()
    code = f"from connector.cli.main import main; main(['run', {str(folder / 'h01' / 'settings.toml')!r}])"
    quiet = asyncio.subprocess.DEVNULL
    hospital = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stderr=quiet, stdout=quiet)
    committed, loop = asyncio.Event(), asyncio.get_running_loop()
    company.runtime.store.on_commit(lambda: loop.call_soon_threadsafe(committed.set) and None)
    try:
        await answers(f"{space.nodes['h01'].url}/.well-known/dspace-version")
        yield Pair(company, space.nodes["h01"].did, hospital.pid, committed)
    finally:
        with contextlib.suppress(ProcessLookupError):
            hospital.send_signal(signal.SIGTERM)
        await hospital.wait()
        await company.stop()


async def one_by_one(pair: Pair, studies: list[str]) -> None:
    """Prints how long one negotiation takes."""
    warm, measured = studies[:2], studies[2:]
    for study in warm:
        await negotiated(pair.company, pair.committed, pair.hospital, study)
    before = pair.cpu()
    times = [await negotiated(pair.company, pair.committed, pair.hospital, study) for study in measured]
    company, hospital = ((now - then) / len(times) for now, then in zip(pair.cpu(), before, strict=True))
    p50 = statistics.median(times)
    print(f"one after another, {len(times)} runs, ms: p50 {p50:.1f}, min {min(times):.1f}, max {max(times):.1f}")
    print(f"  CPU each: company {company:.1f} ms, hospital {hospital:.1f} ms")
    print(f"  p50 / budget: {p50 / BUDGET_MS:.2f} (budget {BUDGET_MS} ms)")


async def at_once(pair: Pair, studies: list[str]) -> None:
    """Prints how many end in a second when all are begun together, and which did not."""
    runtime, wanted = pair.company.runtime, len(studies)
    earlier, before, threads = await states(pair), pair.cpu(), pair.threads()
    began = time.monotonic()
    asked = [consumer.start(runtime, "pi", provider=pair.hospital, dataset=DATASET, study=study) for study in studies]
    begun = asyncio.gather(*asked, return_exceptions=True)
    ended: Counter[str] = Counter()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while ended["FINALIZED"] + ended["TERMINATED"] < wanted:
                await pair.committed.wait()
                pair.committed.clear()
                await asyncio.sleep(0.1)
                ended = await states(pair) - earlier
    seconds = time.monotonic() - began
    company, hospital = ((now - then) / wanted for now, then in zip(pair.cpu(), before, strict=True))
    spent = pair.threads() - threads
    begun.cancel()
    failed = [one for one in (await asyncio.gather(begun, return_exceptions=True))[:1] if isinstance(one, Exception)]
    rate, finished = ended["FINALIZED"] / seconds, ended["FINALIZED"]
    print(f"{wanted} at once: {finished} finished in {seconds:.1f} s, {rate:.1f} a second", *failed)
    print(
        f"  refused {ended['TERMINATED']}, not finished after {PATIENCE} s: {wanted - finished - ended['TERMINATED']}"
    )
    print(f"  CPU each: company {company:.1f} ms, hospital {hospital:.1f} ms")
    whole = sum(spent.values()) or 1
    print("  company by thread: " + ", ".join(f"{what} {ms / whole:.0%}" for what, ms in spent.most_common()))
    print(f"  finished a second / budget: {rate / BUDGET_A_SECOND:.2f} (budget {BUDGET_A_SECOND} a second)")


async def states(pair: Pair) -> Counter[str]:
    """How many negotiations of the company are in each state."""
    query = select(Negotiation.state, func.count()).group_by(Negotiation.state)
    return Counter(dict(await pair.company.runtime.store.read(lambda session: session.exec(query).all())))


async def main(runs: int, crowd: int) -> None:
    """Prints both figures."""
    with tempfile.TemporaryDirectory(prefix="dure-perf-") as folder:
        studies = [f"urn:uuid:{uuid.uuid4()}" for _ in range(runs + 2 + crowd)]
        async with running(Path(folder), studies) as pair:
            print(f"{platform.machine()}, {os.cpu_count()} cores, kernel {platform.release()}, load {load()}")
            await one_by_one(pair, studies[: runs + 2])
            print(f"load {load()}")
            await at_once(pair, studies[runs + 2 :])


def load() -> str:
    """How busy the machine is with everything."""
    return f"{os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    uvloop.run(main(*(numbers + [30, 1000][len(numbers) :])))
