"""The first thing that runs inside the walls: shows what holds it, waits for leave, becomes the task.

Part of every image, and run by the image's own interpreter without `site`, so it imports only what is built in. It says
nothing that is believed: whoever reads from descriptor 3 learns from the kernel who wrote, and looks from outside.
"""

import os
import sys

DOOR = 3


def main() -> None:
    """One task. From the door, `\\0` between: working folder, count of arguments, arguments, `NAME=value`..."""
    os.set_inheritable(DOOR, False)
    with open("/proc/self/status", "rb") as file:  # noqa: PTH123 - pathlib would cost a third of this start
        os.write(DOOR, file.read(8192))
    leave = b""
    while not leave.endswith(b"\0\0"):
        piece = os.read(DOOR, 65536)
        if not piece:
            os._exit(125)
        leave += piece
    folder, count, *rest = leave[:-2].split(b"\0")
    arguments = [os.fsdecode(one) for one in rest[: int(count)]]
    environment = dict(os.fsdecode(one).split("=", 1) for one in rest[int(count) :])
    try:
        os.chdir(folder)
        if arguments[0].endswith("/usr/bin/python3") and arguments[1:2] == ["-I"] and arguments[2].endswith(".py"):
            with open(arguments[2], "rb") as file:  # noqa: PTH123
                source = file.read()
        else:
            os.execve(arguments[0], arguments, environment)  # noqa: S606 - becoming the task is its work
    except (OSError, IndexError) as error:
        os.write(2, f"{arguments[0]}: {error}\n".encode())
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)
    become_script(source, arguments[2:], environment)


def become_script(source: bytes, arguments: list[str], environment: dict[str, str]) -> None:
    """`python3 -I SCRIPT ...` in this very interpreter, which is that already but for `site`: saves a second start."""
    os.close(DOOR)
    os.environ.clear()
    os.environ.update(environment)
    import site  # noqa: PLC0415 - what -S left out

    site.main()
    sys.argv[:] = arguments
    main_module = type(sys)("__main__")
    main_module.__dict__.update(__file__=arguments[0], __builtins__=__builtins__)
    sys.modules["__main__"] = main_module
    exec(compile(source, arguments[0], "exec", dont_inherit=True), main_module.__dict__)  # noqa: S102 - as above


def give_up_root(uid: int) -> None:
    """Where there is no user namespace, root raised the walls and gives itself up inside."""
    import ctypes  # noqa: PLC0415 - only here: it doubles the start of everybody else

    libc = ctypes.CDLL(None)
    for capability in range(64):
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    libc.capset(b"\x22\x05\x08\x20" + bytes(4), bytes(24))  # version 3, this process, none


if __name__ == "__main__":
    if len(sys.argv) == 2:
        give_up_root(int(sys.argv[1]))
    main()
