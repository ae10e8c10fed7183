"""What is made once for many tests: each goes on from a copy of its own."""

import asyncio
import functools
import shutil
import tempfile
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import MetaData

from connector.kit.db import Store

T = TypeVar("T")


def apart(work: Coroutine[Any, Any, T]) -> T:
    """Does `work` on a loop of its own: what is made for many tests must not live on the loop of the first."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def copied(kept: Path, folder: Path) -> None:
    """What stopped nodes left in `kept`, in `folder` too; sockets stay behind."""
    shutil.copytree(kept, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))


def database(file: Path, *tables: MetaData) -> str:
    """The URL of a node's SQLite file; where there is none yet, it is there now, with these tables."""
    if not file.exists():
        file.write_bytes(_empty(tables))
    return f"sqlite:///{file}"


@functools.cache
def _empty(tables: tuple[MetaData, ...]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "node.sqlite"
        store = Store(f"sqlite:///{file}")
        for metadata in tables:
            store.create(metadata)
        store.close()
        return file.read_bytes()
