"""The zone's side of its launcher: starts it, asks it, and starts it again when it died."""

import asyncio
import itertools
import os
import sys
from base64 import b64encode
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from compute.launcher import wire
from compute.launcher.model import Ended, JobSpec, Json, Prepared, Walls
from vocab.errors import Refusal

#: Called with (job, executor's number) when an executor is let in.
Started = Callable[[str, int], Coroutine[None, None, None]]

_READY_SECONDS: Final = 60.0
_PAUSE: Final = 0.2  # between a launcher's death and the next one; doubles up to a minute


class Launcher:
    """A launcher process of this node, and what it can be asked. Every call raises `Refusal` as the launcher says it,
    or `Refusal("launcher-gone")` if it died meanwhile: then its jobs ended with it, and `sweep` gives their evidence.
    """

    def __init__(self, socket: Path, image: Path, started: Started | None = None) -> None:
        self.socket, self.image, self._started = socket, image, started
        self._ids = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Json]] = {}
        self._up = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._events: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Starts the launcher and returns when it is ready. Raises `Refusal("launcher-gone")` if it cannot start."""
        reader = await self._begin()
        self._keeper = asyncio.create_task(self._keep(reader))

    async def close(self) -> None:
        """Ends the launcher, and with it every job."""
        if self._keeper:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        await self._end()

    @property
    def pid(self) -> int | None:
        """The launcher's process, while it lives."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def walls(self) -> Walls:
        """What this machine can put up: tried when the launcher started."""
        return Walls.from_json(await self._ask("walls"))

    async def prepare(self, spec: JobSpec) -> Prepared:
        """Puts up the walls, empty of data, and makes the job's key."""
        return Prepared.from_json(await self._ask("prepare", spec=spec.to_json()))

    async def start(self, job: str, keys: Mapping[str, bytes]) -> None:
        """Hands over the wrapped keys by input's name; returns when the first executor was let in."""
        await self._ask("start", job=job, keys={name: b64encode(blob).decode() for name, blob in keys.items()})

    async def wait(self, job: str) -> Ended:
        """Returns when the job has ended and what is left of it was looked at."""
        return Ended.from_json(await self._ask("wait", job=job))

    async def stop(self, job: str, reason: str) -> Ended:
        """Ends the job in any phase. `evidence["end"]["stop_ms"]` says how long it took."""
        return Ended.from_json(await self._ask("stop", job=job, reason=reason))

    async def freeze(self, job: str) -> None:
        """Holds every process of the task."""
        await self._ask("freeze", job=job, frozen=True)

    async def thaw(self, job: str) -> None:
        """Lets them go on."""
        await self._ask("freeze", job=job, frozen=False)

    async def sweep(self, live: set[str]) -> dict[str, Json]:
        """Ends and cleans every job that is not `live`; the evidence of each. For the start of a node."""
        return await self._ask("sweep", live=sorted(live))

    async def forget(self, job: str) -> None:
        """The job's end is stored: until this, every `sweep` gives its evidence again."""
        await self._ask("forget", job=job)

    async def _ask(self, call: str, **values: object) -> Json:
        await self._up.wait()
        writer, number = self._writer, next(self._ids)
        if writer is None:
            raise Refusal("launcher-gone")
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            writer.write(wire.line({"id": number, "call": call, **values}))
            return await answer
        finally:
            self._asked.pop(number, None)

    async def _begin(self) -> asyncio.StreamReader:
        """A launcher process and a connection to it."""
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "compute.launcher", str(self.socket), str(self.image)]
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, start_new_session=True)
        try:
            if self._process.stdout:
                async with asyncio.timeout(_READY_SECONDS):
                    if await self._process.stdout.readline() != b"ready\n":
                        raise Refusal("launcher-gone")
            folder = os.open(self.socket.parent, os.O_PATH)
            try:
                path = f"/proc/self/fd/{folder}/{self.socket.name}"  # an address is at most 107 bytes long
                reader, self._writer = await asyncio.open_unix_connection(path, limit=wire.MOST)
            finally:
                os.close(folder)
        except (OSError, TimeoutError):
            await self._end()
            raise Refusal("launcher-gone") from None
        except BaseException:
            await self._end()
            raise
        self._up.set()
        return reader

    async def _keep(self, reader: asyncio.StreamReader) -> None:
        """Reads until the launcher dies, tells everyone who waits, starts the next one."""
        pause = _PAUSE
        while True:
            while text := await reader.readline():
                self._heard(wire.parsed(text))
                pause = _PAUSE
            self._up.clear()
            for answer in self._asked.values():
                if not answer.done():
                    answer.set_exception(Refusal("launcher-gone"))
            await self._end()
            while True:
                await asyncio.sleep(pause)
                with suppress(Refusal):
                    reader = await self._begin()
                    break
                pause = min(pause * 2, 60.0)

    def _heard(self, message: Json) -> None:
        if "event" in message:
            if self._started:
                task = asyncio.create_task(self._started(message["job"], message["number"]))
                self._events.add(task)
                task.add_done_callback(self._events.discard)
            return
        answer = self._asked.get(message["id"])
        if answer is None or answer.done():
            return
        if "refused" in message:
            answer.set_exception(wire.refusal_from_json(message["refused"]))
        else:
            answer.set_result(message["ok"])

    async def _end(self) -> None:
        if self._writer:
            self._writer.close()
            self._writer = None
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin:
            process.stdin.close()
        try:
            async with asyncio.timeout(15.0):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
