"""`dure up`: starts a space on this machine, plays one study through it, and says whether every row came out right."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from connector.kit.logs import log_to
from connector.node import Node, build
from connector.play.hands import Hands, Said
from connector.play.join import join
from connector.play.memory import Peak
from connector.play.report import WRONG, Failed, Report, process_began
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


async def main(folder: Path, *, port: int | None, leave: bool, as_json: bool, lang: Language) -> int:
    """Plays, prints, and returns the exit status. Raises `Refusal` for what this machine cannot give."""
    report, stop = Report(lang, as_json, process_began()), Stop()
    with held(folder), Peak() as peak:
        space = opened(folder, port)
        log_to(folder / "dure.log")
        report.names = {settings.did: name for name, settings in space.nodes.items()}
        report.say(word("play.title", lang, folder=str(folder)))
        try:
            async with nodes(space, report) as running:
                hands = Hands(space, lang)
                try:
                    good = await _play(Play(space, hands, report, running))
                finally:
                    await hands.close()
                report.say(word("play.next", lang, folder=str(folder)))
                good = report.finish(peak.mb) and good
                if not leave:
                    await _stay(space, report, stop)
        except asyncio.CancelledError:
            if stop.by is None:
                raise
            report.say(word("play.stopped", lang, signal=stop.by.name))
            if as_json:
                report.finish(peak.mb)
            return 128 + stop.by
    return 0 if good else 1


class Stop:
    """SIGINT and SIGTERM end the play where it is: nodes, launcher and tasks are stopped in order. A second signal ends
    the process at once.
    """

    def __init__(self) -> None:
        self.by: signal.Signals | None = None
        self._doing = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        for one in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(one, self._stop, one)

    def instead(self, call: Callable[[], object]) -> None:
        """From now on a signal is what is waited for."""
        for one in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(one, call)

    def _stop(self, by: signal.Signals) -> None:
        self.by = by
        for one in (signal.SIGINT, signal.SIGTERM):
            self._loop.remove_signal_handler(one)
        if self._doing:
            self._doing.cancel()


async def _play(stage: Play) -> bool:
    try:
        await join(stage.space, stage.hands, stage.space.nodes)
        await withdraw_abandoned(stage)
        await play(stage)
    except Failed as failed:
        _demand_store(failed.__cause__)
        return False
    except (Said, *WRONG) as error:
        _demand_store(error)
        stage.report.broke(error)
        return False
    return True


def _demand_store(error: BaseException | None) -> None:
    """Raises what a node said of its store: a full disk is this machine's fault, not a row's."""
    if isinstance(error, Said) and error.code == "store-failed":
        raise Refusal("store-failed", **error.body.get("values", {})) from None


@contextlib.asynccontextmanager
async def nodes(space: Space, report: Report) -> AsyncIterator[dict[str, Node]]:
    """All nodes of the space, listening and started, inside the block."""
    open_sockets = listeners(space)
    running: dict[str, Node] = {}
    try:
        for name, settings in space.nodes.items():
            running[name] = build(settings)
            await running[name].demand_clock()
        await asyncio.gather(*(asyncio.to_thread(_source, space, name) for name in SOURCES))
        for name, node in running.items():
            await node.listen(open_sockets.pop(name))
        await asyncio.gather(*(node.start() for node in running.values()))
        for name, settings in space.nodes.items():
            called = getattr(settings.organisation, report.lang)
            report.say(f"  {name:<4} {settings.url}  {called}  {', '.join(settings.roles)}")
        report.ready()
        yield running
    finally:
        for one in open_sockets.values():
            one.close()
        await asyncio.gather(*(node.stop() for node in running.values()), return_exceptions=True)


def _source(space: Space, name: str) -> None:
    hospital, patients = SOURCES[name]
    path = space.folder / name / "source.sqlite"
    if not path.exists():
        make_source(path, hospital, patients, SEED)


async def _stay(space: Space, report: Report, stop: Stop) -> None:
    """Keeps the pages open until Ctrl-C."""
    over = asyncio.Event()
    stop.instead(over.set)
    report.say(word("play.stay", report.lang, people=str(space.folder / "<node>" / "people.json")))
    await over.wait()
