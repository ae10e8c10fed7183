"""The system calls that a task may not make, as a classic BPF program (seccomp(2)), assembled here: no library needed.

Everything a numeric program does is allowed; what reaches the kernel's rarely used corners, other processes, or other
address families is answered with an error. `THIN` is for walls without namespaces: Landlock does not cover System V
IPC, metadata of files, sockets by path or, before ABI 6, signals, so the filter does.
"""

import errno
import platform
import struct
from typing import Final

from vocab.errors import Refusal

#: Audit architecture number, and the position of our column in `CALLS`.
_MACHINES: Final = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

#: Numbers on x86_64 and aarch64; None: the call does not exist there. A test compares them with libseccomp's.
CALLS: Final[dict[str, tuple[int | None, int | None]]] = {
    # the kernel itself, its keys, modules, clocks and disks
    "acct": (163, 89), "add_key": (248, 217), "bpf": (321, 280), "delete_module": (176, 106),
    "fanotify_init": (300, 262), "finit_module": (313, 273), "init_module": (175, 105), "ioperm": (173, None),
    "iopl": (172, None), "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "io_uring_setup": (425, 425),
    "kexec_file_load": (320, 294), "kexec_load": (246, 104), "keyctl": (250, 219), "perf_event_open": (298, 241),
    "personality": (135, 92), "quotactl": (179, 60), "quotactl_fd": (443, 443), "reboot": (169, 142),
    "request_key": (249, 218), "swapoff": (168, 225), "swapon": (167, 224), "syslog": (103, 116),
    "userfaultfd": (323, 282), "vhangup": (153, 58),
    # mounts, namespaces, devices, files by handle
    "chroot": (161, 51), "fsconfig": (431, 431), "fsmount": (432, 432), "fsopen": (430, 430), "fspick": (433, 433),
    "mknod": (133, None), "mknodat": (259, 33), "mount": (165, 40), "mount_setattr": (442, 442),
    "move_mount": (429, 429), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "open_tree": (428, 428), "open_tree_attr": (467, 467), "pivot_root": (155, 41), "setns": (308, 268),
    "umount2": (166, 39), "unshare": (272, 97),
    # other processes' memory
    "kcmp": (312, 272), "migrate_pages": (256, 238), "move_pages": (279, 239), "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "ptrace": (101, 117),
    # thin: shared memory and queues, the session a sweep knows us by, metadata of files, other processes' schedule
    "mq_open": (240, 180), "msgget": (68, 186), "semget": (64, 190), "shmget": (29, 194), "shmat": (30, 196),
    "setpgid": (109, 154), "setsid": (112, 157), "chown": (92, None), "fchownat": (260, 54), "lchown": (94, None),
    "lremovexattr": (198, 15), "lsetxattr": (189, 6), "removexattr": (197, 14), "removexattrat": (466, 466),
    "setxattr": (188, 5), "setxattrat": (463, 463), "futimesat": (261, None), "utime": (132, None),
    "utimensat": (280, 88), "utimes": (235, None), "ioprio_set": (251, 30), "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274), "sched_setparam": (142, 118), "sched_setscheduler": (144, 119),
    "setpriority": (141, 140),
    # thin before Landlock's ABI 6: signals
    "kill": (62, 129), "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "tgkill": (234, 131), "tkill": (200, 130),
    # looked at by argument
    "chmod": (90, None), "clone": (56, 220), "clone3": (435, 435), "fchmod": (91, 52), "fchmodat": (268, 53),
    "fchmodat2": (452, 452), "ioctl": (16, 29), "prlimit64": (302, 261), "socket": (41, 198), "socketpair": (53, 199),
}  # fmt: skip


def _between(first: str, last: str) -> tuple[str, ...]:
    names = list(CALLS)
    return tuple(names[names.index(first) : names.index(last) + 1])


_ALWAYS: Final = _between("acct", "ptrace")
_THIN: Final = (*_between("mq_open", "setpriority"), "chmod", "fchmodat", "fchmodat2")
_SIGNALS: Final = _between("kill", "tkill")

_NAMESPACES: Final = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_SETID: Final = 0o6000
_TERMINAL: Final = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: typing into the terminal that started us
_UNIX: Final = 1
_X32: Final = 0x40000000

_ALLOW: Final = 0x7FFF0000
_KILL: Final = 0x80000000
_ERRNO: Final = 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06

Step = tuple[int, int, int, int]


def program(*, thin: bool, signals: bool = True) -> bytes:
    """The filter as `struct sock_filter[]`. `thin`: no namespaces hold the task; `signals`: something else holds those.

    Raises `Refusal("no-walls")` on a processor whose numbers we do not know.
    """
    try:
        architecture, column = _MACHINES[platform.machine()]
    except KeyError:
        raise Refusal("no-walls", why=f"no filter for {platform.machine()}") from None
    steps: list[Step] = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    if column == 0:
        steps += [(_AT_LEAST, 0, 1, _X32), _fails(errno.ENOSYS)]
    denied = _ALWAYS + (_THIN if thin else ()) + (() if signals else _SIGNALS)
    for name in denied:
        steps += _on(CALLS[name][column], [_fails(errno.EPERM)])
    for name, rest in _by_argument(thin).items():
        steps += _on(CALLS[name][column] if name not in denied else None, rest)
    steps.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _by_argument(thin: bool) -> dict[str, list[Step]]:
    """What is decided by an argument: each list ends in an answer."""
    setid = _refuse_bits(_SETID, errno.EPERM)
    calls = {
        "clone3": [_fails(errno.ENOSYS)],  # its flags lie in memory; every libc falls back to clone
        "clone": _argument(0) + _refuse_bits(_NAMESPACES, errno.EPERM),
        "ioctl": _argument(1) + _refuse_values(_TERMINAL, errno.EPERM),
        "chmod": _argument(1) + setid,
        "fchmod": _argument(1) + setid,
        "fchmodat": _argument(2) + setid,
        "fchmodat2": _argument(2) + setid,
        "socket": [_fails(errno.EAFNOSUPPORT)] if thin else _argument(0) + _only(_UNIX, errno.EAFNOSUPPORT),
        "socketpair": _argument(0) + _only(_UNIX, errno.EAFNOSUPPORT),
    }
    return calls | ({"prlimit64": _argument(0) + _only(0, errno.EPERM)} if thin else {})


def _on(number: int | None, answer: list[Step]) -> list[Step]:
    return [] if number is None else [(_EQUAL, 0, len(answer), number), *answer]


def _argument(index: int) -> list[Step]:
    """The low half of an argument: the kernel reads these as 32-bit integers too."""
    return [(_LOAD, 0, 0, 16 + 8 * index)]


def _refuse_bits(mask: int, error: int) -> list[Step]:
    return [(_ANY_BIT, 0, 1, mask), _fails(error), (_RETURN, 0, 0, _ALLOW)]


def _refuse_values(values: tuple[int, ...], error: int) -> list[Step]:
    refusals = [step for value in values for step in ((_EQUAL, 0, 1, value), _fails(error))]
    return [*refusals, (_RETURN, 0, 0, _ALLOW)]


def _only(value: int, error: int) -> list[Step]:
    return [(_EQUAL, 1, 0, value), _fails(error), (_RETURN, 0, 0, _ALLOW)]


def _fails(error: int) -> Step:
    return (_RETURN, 0, 0, _ERRNO | error)
