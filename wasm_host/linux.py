"""Linux calls that Python's library lacks, by ctypes. `OSError` if the kernel refuses or does not know them.

Sources: prctl(2), capabilities(7), landlock(7), seccomp(2) and the headers named below. Importing works on any system.
"""

import ctypes
import os
import struct
from functools import cache
from typing import Final

PR_GET_DUMPABLE: Final = 3
PR_SET_DUMPABLE: Final = 4
PR_CAPBSET_DROP: Final = 24
PR_SET_NO_NEW_PRIVS: Final = 38
PR_GET_NO_NEW_PRIVS: Final = 39

#: linux/landlock.h: the rights on files that each version of the ABI knows, from version 1 on.
_LANDLOCK_FILES: Final = (13, 14, 15, 15, 16)
#: Since version 4: to bind and to connect TCP. Since version 6: abstract UNIX sockets and signals of other domains.
_LANDLOCK_NETWORK, _LANDLOCK_SCOPES = 0b11, 0b11

#: New calls have the same number on every machine.
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446
_NUMBERS: Final = {"x86_64": {"capget": 125, "capset": 126, "seccomp": 317},
                   "aarch64": {"capget": 90, "capset": 91, "seccomp": 277}}  # fmt: skip
_CAPABILITY_VERSION_3: Final = 0x2008_0522
_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC = 1, 1


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _syscall(number: int, *args: int | bytes | None) -> int:
    values = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    return _checked(_libc().syscall(ctypes.c_long(number), *values))


def _number(name: str) -> int:
    machine = os.uname().machine
    if machine not in _NUMBERS:
        raise OSError(f"no number of {name} for {machine}")
    return _NUMBERS[machine][name]


def prctl(option: int, value: int = 0) -> int:
    """Set or ask one attribute of this process or thread."""
    return _checked(_libc().prctl(option, *(ctypes.c_ulong(word) for word in (value, 0, 0, 0))))


def clear_environment() -> None:
    """Empty the C library's environment; `os.environ` is Python's copy."""
    _checked(-abs(_libc().clearenv()))


def drop_bounding_set() -> None:
    """Take every capability from what a program that this thread starts could get."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # there is no such capability, or this process may not do it
            return


def drop_capabilities() -> None:
    """Take all capabilities from this thread: effective, permitted, inheritable."""
    _syscall(_number("capset"), struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), bytes(24))


def capabilities() -> int:
    """This thread's effective, permitted and inheritable capabilities, as bits of one number; 0 is none."""
    found = ctypes.create_string_buffer(24)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _checked(_libc().syscall(ctypes.c_long(_number("capget")), header, found))
    return int.from_bytes(found.raw, "little")


def landlock_version() -> int:
    """The version of Landlock's ABI."""
    return _syscall(_LANDLOCK_CREATE, None, 0, 1)


def landlock() -> None:
    """Give up every access to files, TCP, abstract sockets and other processes that this kernel's Landlock knows.

    For this thread and those that it starts; needs PR_SET_NO_NEW_PRIVS.
    """
    version = landlock_version()
    files = (1 << _LANDLOCK_FILES[min(version, len(_LANDLOCK_FILES)) - 1]) - 1
    ruleset = struct.pack("=Q", files)
    if version >= 4:
        ruleset += struct.pack("=Q", _LANDLOCK_NETWORK)
    if version >= 6:
        ruleset += struct.pack("=Q", _LANDLOCK_SCOPES)
    descriptor = _syscall(_LANDLOCK_CREATE, ruleset, len(ruleset), 0)
    try:
        _syscall(_LANDLOCK_RESTRICT, descriptor, 0)
    finally:
        os.close(descriptor)


def seccomp(program: bytes) -> None:
    """Filter the calls of every thread of this process from now on; needs PR_SET_NO_NEW_PRIVS."""
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))  # struct sock_fprog
    refused = _syscall(_number("seccomp"), _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, header)
    if refused:
        raise OSError(f"thread {refused} has a filter of its own")
