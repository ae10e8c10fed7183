"""How long, and with which dice. DURE_FUZZ_SECONDS bounds how much is tried (60); DURE_SEED repeats a run: the same
requests in the same order, but for the ids that the nodes chose.
"""

import os
import random
import time
from collections.abc import Callable
from typing import Final

SECONDS: Final = float(os.environ.get("DURE_FUZZ_SECONDS", "60"))
SEED: Final = int(os.environ.get("DURE_SEED", str(random.randrange(1 << 30))))


def share(part: float) -> Callable[[], bool]:
    """Whether there is time left of this part of all seconds."""
    end = time.monotonic() + SECONDS * part
    return lambda: time.monotonic() < end


def dice(*names: object) -> random.Random:
    """The dice of one place."""
    return random.Random(f"{SEED}:{':'.join(map(str, names))}")
