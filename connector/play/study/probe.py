"""A hostile task: knocks at every wall it knows and writes what opened. It must find nothing.

Runs with a permit, like any other code; that is why the walls must hold whatever the code does.
"""

import ctypes
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

LIBC = ctypes.CDLL(None)
IN, OUT = Path(os.environ.get("DURE_IN", "/in")), Path(os.environ.get("DURE_OUT", "/out"))
HOST_ADDRESSES = (("127.0.0.1", 22), ("127.0.0.1", 80), ("169.254.169.254", 80), ("192.0.2.1", 443))
HOST_FILES = ("/etc/shadow", "/root", "/home", "/var/lib/dure", "/proc/kcore")


def opens(attempt: Callable[[], object]) -> bool:
    """Whether `attempt` gets through."""
    try:
        attempt()
    except (OSError, ValueError):
        return False
    return True


def connects(family: int, address: object) -> Callable[[], object]:
    """A connection within a second."""

    def attempt() -> None:
        with socket.socket(family) as one:
            one.settimeout(1)
            one.connect(address)  # type: ignore[arg-type]

    return attempt


def looks(path: str) -> Callable[[], object]:
    """Reading a file or listing a folder of the host."""
    return lambda: os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1)  # noqa: PTH112, PTH123, PTH208


def foreign_environment() -> bool:
    """Whether some process that can be seen carries more of its starter's environment than a search path."""
    found: set[bytes] = set()
    for process in Path("/proc").glob("[0-9]*/environ"):
        try:
            found |= {entry.partition(b"=")[0] for entry in process.read_bytes().split(b"\0")}
        except OSError:
            continue
    return bool(found - {b"", *os.environb, b"PATH", b"PWD"})


def doors() -> dict[str, bool]:
    """Every door, and whether it is open."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    return {
        **{f"tcp {host}:{port}": opens(connects(socket.AF_INET, (host, port))) for host, port in HOST_ADDRESSES},
        "udp": opens(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))),
        "name lookup": opens(lambda: socket.getaddrinfo("example.org", 443)),
        "vsock": opens(lambda: socket.socket(40, socket.SOCK_STREAM)),
        **{f"file {path}": opens(looks(path)) for path in HOST_FILES},
        "write /": opens(lambda: Path("/x").write_text("x")),
        "write /in": opens(lambda: (IN / "x").write_text("x")),
        "write core_pattern": opens(lambda: os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))),
        "environment of others": foreign_environment(),
        "hold-out": any("holdout" in path.name for path in IN.iterdir()),
        "new user namespace": LIBC.unshare(0x10000000) == 0,
        "capabilities": int(status["CapEff"], 16) != 0,
        "may gain privileges": status["NoNewPrivs"].strip() != "1",
        "no filter": status["Seccomp"].strip() != "2",
        "host's root": os.getuid() == 0,
    }


if __name__ == "__main__":
    found = doors()
    (OUT / "doors.json").write_text(json.dumps({"tried": len(found), "open": sum(found.values())}))
    raise SystemExit(3 if any(found.values()) else 0)
