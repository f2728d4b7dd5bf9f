"""The worker's system-call filter as a BPF program: a list of what is allowed. Pure: names and numbers in, bytes out.

Sources: seccomp(2), Documentation/userspace-api/seccomp_filter.rst and linux/bpf_common.h of Linux. A filter sees the
call's number and its arguments, never what they point to; so calls whose effect depends on a path, an address or a
message in memory are not on the list.
"""

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

ALLOW: Final = 0x7FFF_0000
KILL: Final = 0x8000_0000
#: The call fails with EPERM: what a library tries for convenience must fail, not end the worker.
REFUSE: Final = 0x0005_0001

_MACHINES: Final = ("x86_64", "aarch64")
#: linux/audit.h: the ABI of the caller. An x86-64 process may also make 32-bit calls, which have other numbers.
_ARCH: Final = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
#: Numbers from here on are the x32 ABI.
_X32: Final = 0x4000_0000

#: What may succeed: number on x86_64 (asm/unistd_64.h) and on aarch64 (asm-generic/unistd.h; None: no such call).
ALLOWED: Final[dict[str, tuple[int, int | None]]] = {
    # memory: machine code arrives as bytes, becomes a mapping, and then executable
    "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214), "mremap": (25, 216),
    "madvise": (28, 233), "memfd_create": (319, 279), "ftruncate": (77, 46), "membarrier": (324, 283),
    # descriptors that are there: the parent's socket, and the engine's memory images
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67),
    "pwrite64": (18, 68), "close": (3, 57), "recvfrom": (45, 207), "poll": (7, None), "ppoll": (271, 73),
    # threads that are there, clocks, signals, the end
    "futex": (202, 98), "sched_yield": (24, 124), "getpid": (39, 172), "gettid": (186, 178), "time": (201, None),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "gettimeofday": (96, 169), "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115), "restart_syscall": (219, 128), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132), "getrandom": (318, 278),
    "exit": (60, 93), "exit_group": (231, 94),
    # allowed with certain arguments
    "sendto": (44, 206), "fcntl": (72, 25), "tgkill": (234, 131),
}  # fmt: skip

#: What no code of the worker ever does, and an escape would: the process ends with SIGSYS, and the parent knows it.
FATAL: Final[dict[str, tuple[int, int | None]]] = {
    "execve": (59, 221), "execveat": (322, 281), "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "kill": (62, 129), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438), "io_uring_setup": (425, 425), "bpf": (321, 280), "userfaultfd": (323, 282),
    "perf_event_open": (298, 241), "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40),
    "keyctl": (250, 219),
}  # fmt: skip

#: fcntl(2): descriptor flags, status flags, seals of memory files. Not F_SETOWN: it makes the kernel send a signal of
#: one's choice to any process of the same user.
_FCNTL: Final = (1, 2, 3, 4, 1033, 1034)


#: BPF_LD | BPF_W | BPF_ABS, BPF_JMP | BPF_JEQ | BPF_K, BPF_JMP | BPF_JGE | BPF_K, BPF_RET | BPF_K
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06


class Unsupported(ValueError):
    """There is no table for this machine."""


class _Check(NamedTuple):
    """The call is allowed if its argument number `argument` has one of these values."""

    argument: int
    values: Sequence[int]


def _checks(pid: int) -> dict[str, _Check]:
    return {
        "sendto": _Check(4, (0,)),  # no address: only to whom the socket is connected
        "fcntl": _Check(1, _FCNTL),
        "tgkill": _Check(0, (pid,)),  # abort(3) ends the process with the signal that says so
    }


def program(machine: str, pid: int) -> bytes:
    """The filter for process `pid` on `machine` (as uname says it): an array of `struct sock_filter`.

    `Unsupported` for a machine without a table.
    """
    if machine not in _MACHINES:
        raise Unsupported(f"no table of system calls for {machine}")
    column, checks = _MACHINES.index(machine), _checks(pid)
    code = [_load(4), _jump(_EQUAL, _ARCH[machine], 1, 0), _return(KILL), _load(0)]
    if machine == "x86_64":
        code += [_jump(_AT_LEAST, _X32, 0, 1), _return(KILL)]
    for name, numbers in (ALLOWED | FATAL).items():
        number = numbers[column]
        if number is None:
            continue
        body = _checked(checks[name]) if name in checks else [_return(KILL if name in FATAL else ALLOW)]
        code += [_jump(_EQUAL, number, 0, len(body)), *body]
    return b"".join([*code, _return(REFUSE)])


def _checked(check: _Check) -> list[bytes]:
    """Allow certain values of a 64-bit argument, refuse all others."""
    offset = 16 + 8 * check.argument  # struct seccomp_data; both machines are little-endian
    high = [_load(offset + 4), _jump(_EQUAL, 0, 1, 0), _return(REFUSE), _load(offset)]
    return [
        *high,
        *(line for value in check.values for line in (_jump(_EQUAL, value, 0, 1), _return(ALLOW))),
        _return(REFUSE),
    ]


def _load(offset: int) -> bytes:
    return struct.pack("<HBBI", _LOAD, 0, 0, offset)


def _jump(code: int, value: int, if_true: int, if_false: int) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


def _return(action: int) -> bytes:
    return struct.pack("<HBBI", _RETURN, 0, 0, action)
