"""What `dure up` prints: each row as it happens, what was refused and why, real times; or one JSON object a row."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from connector.play.hands import Late, NotSo, Said
from connector.play.scenario import ROWS, STEPS, parts, whole
from connector.play.tell import Teller
from vocab.errors import Language, Refusal, render
from vocab.words import word

#: A row that ends in one of these did not come out: an answer of another shape, none in time, a node that is gone.
WRONG: Final = (Late, NotSo, LookupError, TypeError, ValueError, StopIteration, TimeoutError, httpx.HTTPError)


class Failed(Exception):
    """A row did not come out as the scenario says: the play ends here."""


@dataclass(slots=True)
class Report:
    """Collects the rows of one play and prints them."""

    lang: Language
    as_json: bool
    started: float = field(default_factory=time.monotonic)
    passed: set[tuple[int, str]] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)
    #: Seconds from the command to nodes that answer; nothing before.
    ready_s: float | None = None
    #: The nodes by DID, for readers.
    names: dict[str, str] = field(default_factory=dict)
    #: Why it ended between two rows; empty for a play that did not.
    why: str = ""
    _step: int = 0
    _told: set[int] = field(default_factory=set)

    def say(self, text: str) -> None:
        """A line for people only."""
        if not self.as_json:
            print(text, flush=True)

    def ready(self) -> None:
        """All nodes answer."""
        self.ready_s = round(time.monotonic() - self.started, 1)
        self.say(word("play.ready", self.lang, seconds=str(self.ready_s)))

    def broke(self, error: Exception) -> None:
        """The play cannot go on for a reason that is no row's: a node did not do what it always does."""
        self.why = Teller(self.lang, self.names).plain(str(error))
        self.failed.append("between rows")
        self.say("    ! " + word("play.broke", self.lang, why=self.why))

    def wanted(self, step: int, key: str) -> str:
        """The code that a row must be refused with."""
        return ROWS[step, key].code or ""

    @contextmanager
    def done(self, step: int, key: str, **values: Any) -> Iterator[dict[str, Any]]:
        """The block is one row that must succeed; what it puts into the dictionary is shown."""
        begun, shown = time.monotonic(), dict(values)
        try:
            yield shown
        except (Said, Refusal, *WRONG) as error:
            code = getattr(error, "code", None)
            self._line(step, key, "done", "failed", code, begun, {**shown, "why": str(error) or type(error).__name__})
            raise Failed(key) from error
        self._line(step, key, "done", "done", None, begun, shown)

    @contextmanager
    def refused(self, step: int, key: str, **values: Any) -> Iterator[dict[str, Any]]:
        """The block is one row that must be refused with the code that the scenario's table names."""
        begun, shown, wanted = time.monotonic(), dict(values), ROWS[step, key].code
        code: str | None = None
        said: Said | Refusal | None = None
        try:
            yield shown
        except (Said, Refusal) as error:
            code, said = error.code, error
            shown.update(self._reason(error))
        except WRONG as error:
            shown["why"] = str(error) or type(error).__name__
        if code is None and (code := shown.pop("code", None)) and "why" not in shown:
            told = {name: shown.pop(name, None) for name in ("rule", "needed", "seen")}
            shown["why"] = Teller(self.lang, self.names).why({"code": code, **told})
        if code == wanted:
            self._line(step, key, "refused", "refused", code, begun, shown)
            return
        self._line(
            step, key, "refused", "failed" if code is None else "refused", code, begun, {**shown, "wanted": wanted}
        )
        raise Failed(key) from said

    def finish(self, peak_mb: int) -> bool:
        """The last line; whether all rows that are built passed."""
        steps_whole = [step for step in STEPS if whole(step, self.passed)]
        steps_part = [step for step in STEPS if step not in steps_whole and parts(step, self.passed)]
        missed = [f"{step}:{key}" for (step, key), row in ROWS.items() if row.built and (step, key) not in self.passed]
        good, seconds = not missed and not self.failed, round(time.monotonic() - self.started, 1)
        if self.as_json:
            last = {
                "passed": good,
                "steps_whole": steps_whole,
                "steps_part": steps_part,
                "of": len(STEPS),
                "seconds": seconds,
                "ready_s": self.ready_s,
                "peak_mb": peak_mb,
                **({"missed": missed} if missed else {}),
                **({"why": self.why} if self.why else {}),
            }
            print(json.dumps(last), flush=True)
            return good
        if missed:
            self.say("\n" + word("play.missed", self.lang, rows=missed))
        refusals = sum(1 for key in self.passed if ROWS[key].code)
        rows = word(
            "play.rows", self.lang, rows=len(self.passed), refusals=refusals, seconds=str(seconds), peak=peak_mb
        )
        rest = [step for step in STEPS if step not in steps_whole + steps_part]
        told = {"whole": _steps(steps_whole), "part": _steps(steps_part), "rest": _steps(rest)}
        count = {"of": len(STEPS), "count": len(steps_whole), "some": len(steps_part)}
        self.say("\n" + rows + "\n" + word("play.passed" if good else "play.failed", self.lang, **told, **count))
        return good

    def _line(
        self, step: int, key: str, expect: str, outcome: str, code: str | None, begun: float, shown: dict[str, Any]
    ) -> None:
        ms = round((time.monotonic() - begun) * 1000)
        if outcome == expect and "wanted" not in shown:
            self.passed.add((step, key))
        else:
            self.failed.append(f"{step}:{key}")
        what = word(f"play.{step}.{key}", self.lang)
        if self.as_json:
            line = {
                "step": step,
                "key": key,
                "what": what,
                "expect": expect,
                "outcome": outcome,
                "code": code,
                "ms": ms,
            }
            print(
                json.dumps({**line, **({"seen": shown} if shown else {})}, ensure_ascii=False, default=str), flush=True
            )
            return
        if step != self._step:
            self._step = step
            again = word("play.again", self.lang) if step in self._told else ""
            print(f"\n{step:>2}  {word(f'play.step.{step}', self.lang)}{again}", flush=True)
            self._told.add(step)
        mark = {"done": "✓", "refused": "✗", "failed": "!"}[outcome]
        teller = Teller(self.lang, self.names)
        told = {name: value for name, value in shown.items() if name not in ("why", "link", "wanted")}
        head = "  ".join(part for part in (what, code or "", teller.figures(told), f"[{ms:,} ms]") if part)
        print(f"    {mark} {head}", flush=True)
        if "wanted" in shown:
            print(f"        {word('play.wanted', self.lang, code=str(shown['wanted']))}", flush=True)
        if tail := "  → ".join(str(shown[name]) for name in ("why", "link") if shown.get(name)):
            print(f"        {tail}", flush=True)
        sys.stdout.flush()

    def _reason(self, error: Said | Refusal) -> dict[str, Any]:
        """Why it was refused, as the node told it, and where its own page says more."""
        if isinstance(error, Refusal):
            return {"why": Teller(self.lang, self.names).plain(render(error, self.lang).what)}
        why, link = Teller(self.lang, self.names).why(error.body), error.body.get("link")
        return {"why": why, **({"link": f"{error.url}{link}"} if link else {})}


def process_began() -> float:
    """When this process began, on the monotonic clock: who waits for the play waits for Python's imports too."""
    ticks = int(Path("/proc/self/stat").read_text("utf-8").rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.monotonic() - age


def _steps(steps: list[int]) -> str:
    """Numbers of steps, runs of them with a dash: `1, 6-9`."""
    runs: list[list[int]] = []
    for step in steps:
        if runs and step == runs[-1][-1] + 1:
            runs[-1].append(step)
        else:
            runs.append([step])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs) or "–"
