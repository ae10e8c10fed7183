"""`python -m compute.launcher SOCKET IMAGE`: owned by the zone's node, ends when its standard input ends."""

import fcntl
import gc
import os
import socket
import sys
from pathlib import Path

from compute.launcher import forge, jobinit
from compute.launcher.server import Server
from compute.sandbox import kernel


def main(socket_path: Path, image: Path) -> None:
    """Serves on `socket_path` until standard input ends. Says `ready` once the walls were tried."""
    os.umask(0o077)
    kernel.warm()
    jobinit.warm()
    kernel.adopt_orphans()
    socket_path = socket_path.resolve()
    yard = forge.make_yard(socket_path)
    with (yard.state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the launcher before us may still be ending
        walls, user_namespace = forge.find_walls(yard, image)
        socket_path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        folder = os.open(socket_path.parent, os.O_PATH)
        listener.bind(f"/proc/self/fd/{folder}/{socket_path.name}")  # a socket's address is at most 107 bytes long
        listener.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        gc.freeze()  # what every job's process inherits stays shared
        Server(yard, walls, user_namespace).serve(listener, sys.stdin.fileno())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
