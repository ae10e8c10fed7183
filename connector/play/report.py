"""What `dure up` prints: each row as it happens, what was refused and why, real times; or one JSON object a row."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from connector.play.hands import Late, NotSo, Said
from connector.play.scenario import ROWS, STEPS, parts, whole
from vocab.errors import Language, Refusal, sentence
from vocab.words import word


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
    _step: int = 0

    def say(self, text: str) -> None:
        """A line for people only."""
        if not self.as_json:
            print(text, flush=True)

    def ready(self) -> None:
        """All nodes answer."""
        self.ready_s = round(time.monotonic() - self.started, 1)
        self.say(word("play.ready", self.lang, seconds=self.ready_s))

    def wanted(self, step: int, key: str) -> str:
        """The code that a row must be refused with."""
        return ROWS[step, key].code or ""

    @contextmanager
    def done(self, step: int, key: str, **values: Any) -> Iterator[dict[str, Any]]:
        """The block is one row that must succeed; what it puts into the dictionary is shown."""
        begun, shown = time.monotonic(), dict(values)
        try:
            yield shown
        except (Said, Late, Refusal, NotSo, KeyError, TypeError) as error:
            code = getattr(error, "code", None)
            self._line(step, key, "done", "failed", code, begun, {**shown, "why": str(error) or type(error).__name__})
            raise Failed(key) from error
        self._line(step, key, "done", "done", None, begun, shown)

    @contextmanager
    def refused(self, step: int, key: str, **values: Any) -> Iterator[dict[str, Any]]:
        """The block is one row that must be refused with the code that the scenario's table names."""
        begun, shown, wanted = time.monotonic(), dict(values), ROWS[step, key].code
        code: str | None = None
        try:
            yield shown
        except (Said, Refusal) as error:
            code = error.code
            shown.update(_reason(error, self.lang))
        except (Late, NotSo, KeyError, TypeError) as error:
            shown["why"] = str(error) or type(error).__name__
        code = code or shown.pop("code", None)
        if code == wanted:
            self._line(step, key, "refused", "refused", code, begun, shown)
            return
        self._line(
            step, key, "refused", "failed" if code is None else "refused", code, begun, {**shown, "wanted": wanted}
        )
        raise Failed(key)

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
            }
            print(json.dumps(last), flush=True)
            return good
        key = "play.passed" if good else "play.failed"
        told = word(
            key, self.lang, whole=len(steps_whole), part=len(steps_part), of=len(STEPS), seconds=seconds, peak=peak_mb
        )
        print("\n" + told, flush=True)
        if missed:
            print("  " + ", ".join(missed), flush=True)
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
            print(f"\n{step:>2}  {word(f'play.step.{step}', self.lang)}", flush=True)
        mark = {"done": "✓", "refused": "✗", "failed": "!"}[outcome]
        detail = "  ".join(f"{name} {value}" for name, value in shown.items() if name not in ("why", "wanted"))
        print(f"    {mark} {what}  {code or ''}  {detail}".rstrip() + f"  [{ms} ms]", flush=True)
        if why := shown.get("why"):
            print(f"        {why}", flush=True)
        sys.stdout.flush()


def _reason(error: Said | Refusal, lang: Language) -> dict[str, Any]:
    """Why it was refused, as the node told it."""
    if isinstance(error, Refusal):
        return {"why": sentence(error.code, lang, dict(error.values)).what}
    body = error.body
    found = {name: body[name] for name in ("needed", "seen") if body.get(name) is not None}
    reason = body.get("what") or body.get("reason") or ""
    why = reason if isinstance(reason, str) else " ".join(str(one) for one in reason)
    if found:
        why += f" ({', '.join(f'{name}: {value}' for name, value in found.items())})"
    return {"why": why, **({"link": body["link"]} if body.get("link") else {})}
