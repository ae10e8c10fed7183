"""`dure up`: starts a space on this machine, plays one study through it, and says whether every row came out right."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

from sqlmodel import col, select

from connector.evidence.model import Entry
from connector.kit.logs import log_to
from connector.node import Node, build
from connector.play.hands import Hands
from connector.play.join import join
from connector.play.memory import Peak
from connector.play.report import Failed, Report
from connector.play.space import Space, held, listeners, opened
from connector.play.stage import Play
from connector.play.study_one import play
from connector.play.withdraw import withdraw_abandoned
from connector.sources.cohort import make_source
from vocab.errors import Language, Refusal
from vocab.words import word

#: Patients of each hospital's synthetic source (scenario.md), and the seed that makes it.
SOURCES = {"h01": ("H01", 20_000), "h03": ("H03", 8_000)}
SEED = 1
#: A clock may be this much behind the newest record (ms): two processes never agree to the millisecond.
SLACK = 2_000


async def main(folder: Path, *, port: int | None, leave: bool, as_json: bool, lang: Language) -> int:
    """Plays, prints, and returns the exit status. Raises `Refusal` for what this machine cannot give."""
    report = Report(lang, as_json)
    with held(folder), Peak() as peak:
        space = opened(folder, port)
        log_to(folder / "dure.log")
        report.say(word("play.title", lang, folder=str(folder)))
        async with nodes(space, report) as running:
            hands = Hands(space, lang)
            try:
                good = await _play(Play(space, hands, report, running))
            finally:
                await hands.close()
            good = report.finish(peak.mb) and good
            if not leave:
                await _stay(space, report)
    return 0 if good else 1


async def _play(stage: Play) -> bool:
    try:
        await join(stage.space, stage.hands, stage.space.nodes)
        await withdraw_abandoned(stage)
        await play(stage)
    except Failed:
        return False
    return True


@contextlib.asynccontextmanager
async def nodes(space: Space, report: Report) -> AsyncIterator[dict[str, Node]]:
    """All nodes of the space, listening and started, inside the block."""
    begun = time.monotonic()
    open_sockets = listeners(space)
    running: dict[str, Node] = {}
    try:
        await asyncio.gather(*(asyncio.to_thread(_source, space, name) for name in SOURCES))
        for name, settings in space.nodes.items():
            running[name] = build(settings)
            await _clock(running[name])
            await running[name].listen(open_sockets.pop(name))
        await asyncio.gather(*(node.start() for node in running.values()))
        for name, settings in space.nodes.items():
            report.say(f"  {name:<4} {settings.url}  {settings.organisation.ko}  {', '.join(settings.roles)}")
        report.say(word("play.ready", report.lang, seconds=round(time.monotonic() - begun, 1)))
        yield running
    finally:
        for one in open_sockets.values():
            one.close()
        await asyncio.gather(*(node.stop() for node in running.values()), return_exceptions=True)


async def _clock(node: Node) -> None:
    """Raises `Refusal("clock-behind")` when this node has records from the future: signing now would lie."""
    newest = await node.runtime.store.read(
        lambda session: session.exec(select(Entry.at).order_by(col(Entry.at).desc()).limit(1)).first()
    )
    if newest and newest > node.runtime.now() + SLACK:
        raise Refusal("clock-behind", node=node.runtime.settings.name, needed=newest, seen=node.runtime.now())


def _source(space: Space, name: str) -> None:
    hospital, patients = SOURCES[name]
    path = space.folder / name / "source.sqlite"
    if not path.exists():
        make_source(path, hospital, patients, SEED)


async def _stay(space: Space, report: Report) -> None:
    """Keeps the pages open until Ctrl-C."""
    stop = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    report.say(word("play.stay", report.lang, people=str(space.folder / "<node>" / "people.json")))
    await stop.wait()
