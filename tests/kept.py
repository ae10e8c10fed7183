"""What is made once for many tests: each goes on from a copy of its own."""

import asyncio
import shutil
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def apart(work: Coroutine[Any, Any, T]) -> T:
    """Does `work` on a loop of its own: what is made for many tests must not live on the loop of the first."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def copied(kept: Path, folder: Path) -> None:
    """What stopped nodes left in `kept`, in `folder` too; sockets stay behind."""
    shutil.copytree(kept, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))
