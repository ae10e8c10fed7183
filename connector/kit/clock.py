"""The one clock of a running node. Nothing in a node moves time; tests bring their own."""

import time


class SystemClock:
    """The machine's clocks."""

    def now(self) -> int:
        """UTC milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()
