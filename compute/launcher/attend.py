"""While an executor runs: its output is counted, its use is metered, its limits are watched, it can be frozen."""

import os
import selectors
import signal
import time
from typing import Final

from compute.launcher.model import Limits, State
from compute.launcher.wire import Lines
from compute.sandbox import watch
from compute.sandbox.cgroup import Group
from compute.sandbox.standing import Standing

_KEPT: Final = 64 * 1024
_LOOK: Final = 0.02  # without a group we are the limit: look often
_GLANCE: Final = 0.2
_REPORT: Final = 0.5


class Attendance:
    """What is known of one job's executors together; `texts` and `counts` are of the one that ended last."""

    def __init__(self, lines: Lines, group: Group | None, deadline: float, limits: Limits) -> None:
        self.lines, self.group, self.deadline, self.limits = lines, group, deadline, limits
        self.cpu_ms = self.peak_mb = 0
        self.texts = [b"", b""]
        self.counts = [0, 0]
        self._before_ms = 0
        self._reported = 0.0
        self._broken = False

    def until_end(self, standing: Standing) -> tuple[int, State]:
        """Waits for the executor's end: its exit code and what that means. Kills it when a limit is reached."""
        self.texts, self.counts, self._before_ms = [b"", b""], [0, 0], self.cpu_ms
        end = os.pidfd_open(standing.main)
        state: State | None = None
        with selectors.DefaultSelector() as waiting:
            for number, fd in enumerate((standing.stdout, standing.stderr)):
                waiting.register(fd, selectors.EVENT_READ, number)
            waiting.register(self.lines.end, selectors.EVENT_READ, "lines")
            waiting.register(end, selectors.EVENT_READ, "end")
            ended = False
            while not ended:
                for key, _ in waiting.select(_LOOK if not self.group else _GLANCE):
                    if key.data == "end":
                        ended = True
                    elif key.data == "lines":
                        self._told(standing)
                    elif not self._read(key.fd, key.data):
                        waiting.unregister(key.fd)
                state = state or self._over(standing)
                if state:
                    standing.pull_down(self.group)
                    ended = True
        for number, fd in enumerate((standing.stdout, standing.stderr)):
            self._drain(fd, number)
        os.close(end)
        code = _exit_code(standing.main)
        if state is None and self.group and self.group.out_of_memory():
            state = "memory"
        return code, state or ("complete" if code == 0 else "executor-error")

    def _told(self, standing: Standing) -> None:
        for message in self.lines.received():
            if "freeze" in message:
                self._freeze(standing, bool(message["freeze"]))
                self.lines.send({"frozen": message["freeze"]})
        if self.lines.closed:
            os._exit(0)

    def _freeze(self, standing: Standing, frozen: bool) -> None:
        if self.group:
            self.group.freeze(frozen)
            return
        number = signal.SIGSTOP if frozen else signal.SIGCONT
        for _ in range(3):  # a process may fork between the look and the signal
            watch.signal_all([standing.main, *watch.descendants(standing.main)], number)

    def _over(self, standing: Standing) -> State | None:
        """The limit that was reached, if one was; meters on the way."""
        now = time.monotonic()
        if self.group is None:
            used = watch.use([standing.main, *watch.descendants(standing.main)])
            self.cpu_ms = max(self.cpu_ms, self._before_ms + used.cpu_ms)
            self.peak_mb = max(self.peak_mb, used.memory_mb)
            if used.memory_mb > self.limits.memory_mb:
                return "memory"
            if used.processes > self.limits.processes + 2:  # bubblewrap itself is two
                return "executor-error"
        else:
            self.cpu_ms, self.peak_mb = self.group.cpu_ms(), self.group.peak_mb()
            if self.group.out_of_memory():
                return "memory"
        if now - self._reported > _REPORT:
            self._reported = now
            self.lines.send({"meter": {"cpu_ms": self.cpu_ms, "peak_mb": self.peak_mb}})
        return "expired" if now > self.deadline else None

    def _read(self, fd: int, number: int) -> bool:
        piece = os.read(fd, 1 << 16)
        self.counts[number] += len(piece)
        self.texts[number] += piece[: _KEPT - len(self.texts[number])]
        return bool(piece)

    def _drain(self, fd: int, number: int) -> None:
        os.set_blocking(fd, False)
        try:
            while self._read(fd, number):
                pass
        except BlockingIOError:
            pass
        os.close(fd)


def _exit_code(pid: int) -> int:
    """The executor's exit code, 128 + N for signal N; 137 if someone else collected it after a kill."""
    try:
        status = os.waitpid(pid, 0)[1]
    except ChildProcessError:
        return 128 + signal.SIGKILL
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
