import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from wasm_host import seccomp

PID = 4711
ARCH = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
MACHINES = tuple(ARCH)


def verdict(program: bytes, arch: int, number: int, args: tuple[int, ...] = ()) -> int:
    """What the kernel's interpreter would return: `struct seccomp_data` through the opcodes in use."""
    data = struct.pack("<IIQ6Q", number & 0xFFFF_FFFF, arch, 0, *(args + (0,) * 6)[:6])
    code = list(struct.iter_unpack("<HBBI", program))
    place = accumulator = 0
    while True:
        opcode, if_true, if_false, value = code[place]
        place += 1
        if opcode == 0x20:
            [accumulator] = struct.unpack_from("<I", data, value)
        elif opcode == 0x06:
            return int(value)
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value}[opcode]
            place += if_true if holds else if_false


def numbers(table: dict[str, tuple[int, int | None]], machine: str) -> Iterator[tuple[str, int]]:
    for name, found in table.items():
        number = found[MACHINES.index(machine)]
        if number is not None:
            yield name, number


HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_are_the_kernels(machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip(f"{HEADERS[machine]} is not installed")
    lines = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[machine].read_text())
    theirs = {name: int(number) for name, number in lines}
    ours = {name: pair[MACHINES.index(machine)] for name, pair in (seccomp.ALLOWED | seccomp.FATAL).items()}
    assert ours == {name: theirs.get(name) for name in ours}


CHECKED = {"sendto", "fcntl", "tgkill"}


@pytest.mark.parametrize("machine", MACHINES)
def test_every_number_has_its_verdict(machine: str) -> None:
    program = seccomp.program(machine, PID)
    expected = dict.fromkeys(range(1024), seccomp.REFUSE)
    expected |= {number: seccomp.KILL for _, number in numbers(seccomp.FATAL, machine)}
    expected |= {number: seccomp.ALLOW for name, number in numbers(seccomp.ALLOWED, machine) if name not in CHECKED}
    found = {number: verdict(program, ARCH[machine], number, (7, 7, 7, 7, 7)) for number in range(1024)}
    assert found == expected


@pytest.mark.parametrize(
    ("name", "args", "action"),
    [
        ("sendto", (3, 1, 1, 0, 0, 0), seccomp.ALLOW),
        ("sendto", (3, 1, 1, 0, 4096, 16), seccomp.REFUSE),
        ("sendto", (3, 1, 1, 0, 1 << 32, 16), seccomp.REFUSE),
        ("fcntl", (3, 1033, 8), seccomp.ALLOW),
        ("fcntl", (3, 3), seccomp.ALLOW),
        ("fcntl", (3, 8, PID), seccomp.REFUSE),  # F_SETOWN
        ("fcntl", (3, 10, 9), seccomp.REFUSE),  # F_SETSIG
        ("fcntl", (3, 1 << 32 | 3), seccomp.REFUSE),
        ("tgkill", (PID, PID, 6), seccomp.ALLOW),
        ("tgkill", (PID - 1, PID - 1, 6), seccomp.REFUSE),
    ],
)
@pytest.mark.parametrize("machine", MACHINES)
def test_arguments_matter(machine: str, name: str, args: tuple[int, ...], action: int) -> None:
    number = dict(numbers(seccomp.ALLOWED, machine))[name]
    assert verdict(seccomp.program(machine, PID), ARCH[machine], number, args) == action


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_of_another_abi_end_the_process(machine: str) -> None:
    program = seccomp.program(machine, PID)
    others = (0x4000_0003, 0x4000_0028, *(arch for other, arch in ARCH.items() if other != machine))
    assert {verdict(program, arch, 0) for arch in others} == {seccomp.KILL}


@pytest.mark.parametrize("number", [0x4000_0000, 0x4000_0000 | 39, 0xFFFF_FFFF])
def test_x32_calls_end_the_process(number: int) -> None:
    assert verdict(seccomp.program("x86_64", PID), ARCH["x86_64"], number) == seccomp.KILL


def test_the_program_fits_the_kernels_limit() -> None:
    assert all(len(seccomp.program(machine, PID)) // 8 < 4096 for machine in MACHINES)


def test_no_table_no_filter() -> None:
    with pytest.raises(seccomp.Unsupported, match="riscv64"):
        seccomp.program("riscv64", PID)


@pytest.mark.parametrize(
    "name",
    [
        "open",
        "openat",
        "openat2",
        "newfstatat",
        "statx",
        "socket",
        "connect",
        "sendmsg",
        "recvmsg",
        "sendmmsg",
        "clone",
        "clone3",
        "fork",
        "vfork",
        "ioctl",
        "prctl",
        "setrlimit",
        "prlimit64",
        "dup",
        "dup2",
        "fchmod",
        "fchdir",
        "io_uring_enter",
        "process_madvise",
        "epoll_ctl",
    ],
)
def test_what_must_never_get_in(name: str) -> None:
    """Each of these would take an argument in memory that a filter cannot see, or make something new."""
    assert name not in seccomp.ALLOWED
