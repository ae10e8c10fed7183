"""Landlock (landlock(7)): the wall that a plain process can put around itself.

Files below the given paths only, no TCP (ABI 4), no signals and no abstract sockets to the outside (ABI 6).
"""

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from compute.sandbox import kernel

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_EXECUTE, _WRITE, _READ, _LIST = 1, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_ON_FILES: Final = _EXECUTE | _WRITE | _READ | _TRUNCATE | _IOCTL
_TCP: Final = 0b11
_SCOPES: Final = 0b11

#: From this ABI on signals are held too.
SIGNALS: Final = 6


def abi() -> int:
    """The version that this kernel speaks; 0: none."""
    try:
        return kernel.system_call(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    except OSError:
        return 0


def restrict(read: Iterable[Path], write: Iterable[Path]) -> None:
    """From here on this process and its children open nothing else. Raises `OSError` if the wall cannot stand."""
    version = abi()
    if version < 1:
        raise OSError("no Landlock")
    handled = _handled(version)
    attribute = struct.pack("QQQ", handled, _TCP if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    attribute = attribute[: 24 if version >= 6 else 16 if version >= 4 else 8]
    ruleset = kernel.system_call(_CREATE, attribute, ctypes.c_size_t(len(attribute)), ctypes.c_uint32(0))
    try:
        for path in read:
            _allow(ruleset, path, handled & (_EXECUTE | _READ | _LIST))
        for path in write:
            _allow(ruleset, path, handled & ~_EXECUTE)
        kernel.no_new_privileges()
        kernel.system_call(_RESTRICT, ruleset, ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _handled(version: int) -> int:
    """Every right on files that this version knows."""
    later = {2: 1 << 13, 3: _TRUNCATE, 5: _IOCTL}
    return (1 << 13) - 1 | sum(bit for since, bit in later.items() if version >= since)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", rights if path.is_dir() else rights & _ON_FILES, fd)
        kernel.system_call(_ADD, ruleset, 1, rule, ctypes.c_uint32(0))
    finally:
        os.close(fd)
