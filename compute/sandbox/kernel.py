"""The few system calls that Python 3.11 has no name for. Each raises `OSError` as the kernel says it."""

import ctypes
import os
import struct
from functools import cache
from typing import Final

NEW_MOUNTS: Final = 0x00020000
NEW_USER: Final = 0x10000000

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_SECCOMP: Final = 22
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_SET_NO_NEW_PRIVS: Final = 38

NOSUID: Final = 0x2
NODEV: Final = 0x4
READ_ONLY: Final = 0x1
REMOUNT: Final = 0x20
BIND: Final = 0x1000
_REC_PRIVATE: Final = 0x4000 | 0x40000
_LOCK_AS_TOUCHED: Final = 1 | 2 | 4  # MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def warm() -> None:
    """Loads the C library's door once, before any fork."""
    _libc()


def unshare(flags: int) -> None:
    """New namespaces for this process."""
    _check(_libc().unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    """mount(2)."""
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind)]
    _check(_libc().mount(*words, ctypes.c_ulong(flags), data.encode() or None), f"mount {target}")


def private_mounts() -> None:
    """From here on no mount of ours reaches the host."""
    _check(_libc().mount(b"none", b"/", None, ctypes.c_ulong(_REC_PRIVATE), None), "mount /")


def die_with_parent(parent: int) -> None:
    """This process is killed when `parent` dies; at once if that happened already."""
    _prctl(_PR_SET_PDEATHSIG, 9)
    if os.getppid() != parent:
        os._exit(125)


def undumpable() -> None:
    """No core file, and no other process of this user may look into our memory."""
    _prctl(_PR_SET_DUMPABLE, 0)


def adopt_orphans() -> None:
    """Processes whose parent died come to this one."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def no_new_privileges() -> None:
    """No program that we start gains anything."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def load_filter(program: bytes) -> None:
    """seccomp(2) for this process and all its children, for ever."""
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    _check(_libc().prctl(_PR_SET_SECCOMP, 2, ctypes.c_char_p(head), 0, 0), "seccomp")


def lock_memory() -> bool:
    """Keeps what this process touches out of swap. False where the machine does not let us."""
    return bool(_libc().mlockall(_LOCK_AS_TOUCHED) == 0)


def system_call(number: int, *arguments: object) -> int:
    """syscall(2)."""
    return _check(_libc().syscall(ctypes.c_long(number), *arguments), f"system call {number}")


def _prctl(option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    _check(_libc().prctl(option, ctypes.c_ulong(value), zero, zero, zero), f"prctl {option}")
