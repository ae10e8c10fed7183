"""The filter says what its table says, on every processor it knows."""

import platform
import struct

import pytest

from compute.sandbox import filter as calls

X86_64, AARCH64 = 0xC000003E, 0xC00000B7
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000


def answer(program: bytes, number: int, *arguments: int, architecture: int = X86_64) -> int:
    """What the kernel would answer: a small machine for the five instructions that are used."""
    steps = list(struct.iter_unpack("=HBBI", program))
    data = struct.pack("=IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    accumulator = at = 0
    for _ in range(len(steps)):
        code, yes, no, value = steps[at]
        at += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif code == 0x06:
            return int(value)
        else:
            hit = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
            at += yes if hit else no
    raise AssertionError("no answer")


@pytest.fixture(params=["x86_64", "aarch64"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    monkeypatch.setattr(platform, "machine", lambda: request.param)
    return (X86_64, 0) if request.param == "x86_64" else (AARCH64, 1)


def number(name: str, column: int) -> int:
    found = calls.CALLS[name][column]
    assert found is not None
    return found


@pytest.mark.parametrize("thin", [False, True])
def test_what_the_table_denies_is_denied(machine: tuple[int, int], thin: bool) -> None:
    architecture, column = machine
    program = calls.program(thin=thin)
    for name in ("mount", "unshare", "ptrace", "keyctl", "io_uring_setup", "bpf", "setns", "perf_event_open"):
        assert answer(program, number(name, column), architecture=architecture) == ERRNO | 1
    for name in ("shmget", "setsid", "setxattr", "utimensat"):
        assert (answer(program, number(name, column), architecture=architecture) == ERRNO | 1) is thin


def test_what_a_program_needs_is_allowed(machine: tuple[int, int]) -> None:
    architecture, column = machine
    program = calls.program(thin=True)
    for ordinary in ((0, 1, 9, 231), (63, 64, 222, 94))[column]:  # read, write, mmap, exit_group
        assert answer(program, ordinary, architecture=architecture) == ALLOW


def test_sockets_are_for_this_machine_s_own_processes_only(machine: tuple[int, int]) -> None:
    architecture, column = machine
    socket, pair = number("socket", column), number("socketpair", column)
    for family in (2, 10, 16, 17, 38, 40):
        assert answer(calls.program(thin=False), socket, family, architecture=architecture) == ERRNO | 97
    assert answer(calls.program(thin=False), socket, 1, architecture=architecture) == ALLOW
    assert answer(calls.program(thin=True), socket, 1, architecture=architecture) == ERRNO | 97
    assert answer(calls.program(thin=True), pair, 1, architecture=architecture) == ALLOW


def test_no_new_namespace_no_setuid_bit_no_typing_into_a_terminal(machine: tuple[int, int]) -> None:
    architecture, column = machine
    program = calls.program(thin=False)

    def says(name: str, *arguments: int) -> int:
        return answer(program, number(name, column), *arguments, architecture=architecture)

    assert says("clone", 0x10000000 | 17) == ERRNO | 1
    assert says("clone", 0x00010F00) == ALLOW  # a thread
    assert says("clone3") == ERRNO | 38
    assert says("fchmod", 3, 0o4755) == ERRNO | 1
    assert says("fchmod", 3, 0o755) == ALLOW
    assert says("ioctl", 0, 0x5412) == ERRNO | 1
    assert says("ioctl", 0, 0x5401) == ALLOW


def test_another_architecture_is_killed(machine: tuple[int, int]) -> None:
    assert answer(calls.program(thin=False), 0, architecture=0x40000003) == KILL


def test_the_other_numbering_of_x86_does_not_get_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert answer(calls.program(thin=False), 0x40000000 | 165) == ERRNO | 38


def test_limits_of_another_process_are_not_thin_walls_business(machine: tuple[int, int]) -> None:
    architecture, column = machine
    limit = number("prlimit64", column)
    assert answer(calls.program(thin=True), limit, 1234, architecture=architecture) == ERRNO | 1
    assert answer(calls.program(thin=True), limit, 0, architecture=architecture) == ALLOW


def test_without_landlock_s_signal_scope_no_signal_leaves(machine: tuple[int, int]) -> None:
    architecture, column = machine
    kill = number("kill", column)
    assert answer(calls.program(thin=True, signals=False), kill, architecture=architecture) == ERRNO | 1
    assert answer(calls.program(thin=True), kill, architecture=architecture) == ALLOW


def test_the_numbers_are_those_of_libseccomp() -> None:
    try:
        import pyseccomp as seccomp
    except (ImportError, RuntimeError):
        pytest.skip("not installed: apt-get install libseccomp2")
    compared = 0
    for column, arch in enumerate((seccomp.Arch.X86_64, seccomp.Arch.AARCH64)):
        for name, numbers in calls.CALLS.items():
            known = seccomp.resolve_syscall(arch, name)
            if known is None or (known < 0 and numbers[column] is not None):
                continue  # newer than the library
            assert (known if known >= 0 else None) == numbers[column], name
            compared += 1
    assert compared > 150
