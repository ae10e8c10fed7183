"""What `dure conformance` does: serves the profile, runs the kit, keeps what proves the outcome."""

import asyncio
import json
import os
import signal
import socket
import tempfile
from pathlib import Path

from connector.conformance import kit
from connector.conformance.profile import ACCESS_LOG, serving
from connector.kit.logs import log_to
from vocab.errors import Language
from vocab.words import word


async def serve(port: int, properties: Path, kit_port: int, lang: Language) -> None:
    """The seeded profile on 127.0.0.1 until SIGINT or SIGTERM; the kit's settings are written first."""
    stop = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    with tempfile.TemporaryDirectory(prefix="dure-conformance-") as folder:
        log_to(None)
        async with serving(port, Path(folder)) as node:
            kit.written(kit.properties(port, node.runtime.did, kit_port), properties)
            print(word("run.ready", lang, name=node.runtime.settings.name, url=node.runtime.settings.url), flush=True)
            await stop.wait()


async def run(out: Path, only: str | None, *, as_json: bool) -> int:
    """The profile and the kit against it, on free ports. Everything that proves the outcome stays in `out`."""
    await asyncio.to_thread(out.mkdir, parents=True, exist_ok=True)
    log_to(out / "connector.log")
    port, kit_port = _free(), _free()
    with tempfile.TemporaryDirectory(prefix="dure-conformance-") as folder:
        async with serving(port, Path(folder)) as node:
            found = kit.properties(port, node.runtime.did, kit_port)
            verdict = await kit.run(found, out, Path(folder) / ACCESS_LOG, only)
        (out / ACCESS_LOG).write_bytes((Path(folder) / ACCESS_LOG).read_bytes())
    (out / "verdict.json").write_text(json.dumps(verdict.to_json()), "utf-8")
    if not as_json:
        for line in kit.table(verdict.cases):
            print(line)
    print(json.dumps({**verdict.to_json(), "out": os.fspath(out)}))
    return 0 if verdict.ok else 1


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
