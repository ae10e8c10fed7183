"""A hostile task: tries every door of the walls and writes down which ones opened. Runs inside."""

# ruff: noqa: BLE001, PTH101, PTH208, S103, SIM115

import ctypes
import json
import os
import socket
import sys
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
WORLD = json.loads(Path(os.environ["DURE_IN"], "world.json").read_text())


def can(act) -> bool:
    try:
        return act() is not False
    except Exception:
        return False


def connects(family: int, address: object) -> None:
    with socket.socket(family) as one:
        one.settimeout(1)
        one.connect(address)


def call(number: int, *arguments: object) -> bool:
    return LIBC.syscall(ctypes.c_long(number), *arguments) >= 0


def cloned_user_namespace() -> bool:
    pid = LIBC.syscall(ctypes.c_long(56), ctypes.c_ulong(0x10000000 | 17), None, None, None, None)
    if pid == 0:
        os._exit(0)
    return pid > 0


def setid_file() -> bool:
    path = Path(os.environ["DURE_OUT"], "setid")
    path.write_text("")
    try:
        os.chmod(path, 0o4755)
        return bool(path.stat().st_mode & 0o4000)
    finally:
        path.unlink()


STATUS = dict(one.split(":\t", 1) for one in Path("/proc/self/status").read_text().splitlines() if ":\t" in one)
LAUNCHER, PORT, OTHER = WORLD["launcher"], WORLD["port"], WORLD["other"]
DOORS = {
    "host tcp": lambda: connects(socket.AF_INET, ("127.0.0.1", PORT)),
    "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", PORT)),
    "abstract unix socket": lambda: connects(socket.AF_UNIX, f"\0dure-{PORT}"),
    "unix socket by path": lambda: connects(socket.AF_UNIX, WORLD["socket"]),
    "shared memory": lambda: LIBC.shmget(PORT, 0, 0) >= 0,
    "vsock": lambda: socket.socket(40, socket.SOCK_STREAM),
    "netlink": lambda: socket.socket(16, socket.SOCK_RAW),
    "packet": lambda: socket.socket(17, socket.SOCK_RAW),
    "crypto sockets": lambda: socket.socket(38, socket.SOCK_SEQPACKET),
    "look at other processes": lambda: Path(f"/proc/{LAUNCHER}/cmdline").read_text(),
    "signal the launcher": lambda: os.kill(LAUNCHER, 0),
    "signal another job": lambda: os.kill(OTHER, 0),
    "read another job": lambda: Path(f"/proc/{OTHER}/root/in/data.csv").read_text(),
    "memory of another job": lambda: Path(f"/proc/{OTHER}/mem").open("rb"),
    "another job's folder": lambda: os.listdir(WORLD["other_folder"]),
    "read outside": lambda: Path(WORLD["secret"]).read_text(),
    "write outside": lambda: Path(WORLD["open_folder"], "x").write_text("x"),
    "change modes outside": lambda: os.chmod(WORLD["own_file"], 0o777),
    "change times outside": lambda: os.utime(WORLD["own_file"], (1, 1)),
    "write core_pattern": lambda: Path("/proc/sys/kernel/core_pattern").open("a").close(),
    "write /": lambda: Path("/dure-was-here").write_text("x"),
    "write to the image": lambda: Path(os.__file__).open("a").close(),
    "write to an input": lambda: Path(os.environ["DURE_IN"], "world.json").open("a").close(),
    "write to /dev": lambda: Path("/dev/dure-was-here").write_text("x"),
    "unshare a user namespace": lambda: LIBC.unshare(0x10000000) == 0,
    "clone a user namespace": cloned_user_namespace,
    "mount": lambda: LIBC.mount(b"x", b"/tmp", b"tmpfs", 0, None) == 0,
    "make a device": lambda: os.mknod(os.environ["DURE_OUT"] + "/null", 0o20666, os.makedev(1, 3)),
    "make a setuid file": setid_file,
    "keys": lambda: call(250, 0, -3, 0),
    "io_uring": lambda: call(425, 1, ctypes.create_string_buffer(120)),
    "trace": lambda: LIBC.ptrace(16, LAUNCHER, None, None) == 0,
    "limits of the launcher": lambda: call(302, LAUNCHER, 7, None, ctypes.create_string_buffer(16)),
    "schedule of the launcher": lambda: os.sched_setaffinity(LAUNCHER, {0}),
    "capabilities": lambda: int(STATUS["CapEff"], 16) != 0,
    "gain privileges": lambda: STATUS["NoNewPrivs"].strip() != "1",
    "no filter": lambda: STATUS["Seccomp"].strip() != "2",
    "root on the host": lambda: WORLD["walls"] != "user namespace" and os.getuid() == 0,
    "descriptors left open": lambda: any(can(lambda fd=fd: os.fstat(fd)) for fd in range(3, 200)),
}

if __name__ == "__main__":
    opened = [name for name, door in DOORS.items() if can(door)]
    text = json.dumps({"tried": len(DOORS), "open": opened})
    if len(sys.argv) > 1:
        print(text)
    else:
        Path(os.environ["DURE_OUT"], "doors.json").write_text(text)
