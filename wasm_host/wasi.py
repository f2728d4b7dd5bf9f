"""WASI preview 1 for a guest without a system: deterministic, never blocking, and alone. Pure.

Source: the specification `wasi_snapshot_preview1` (witx), whose errno and struct layouts are used. Standard input,
output and error are there, as `World` has them; there are no other descriptors, no arguments and no environment. The
clock stands at the request's time, randomness comes from its seed. The rest is EBADF or ENOSYS.
"""

import struct
from collections.abc import Iterator
from typing import Final

from wasm_host import abi
from wasm_host.guest import U64, Exited, Memory, OutOfBounds
from wasm_host.world import Function, World, log

SUCCESS, BADF, FAULT, INVAL, NOSYS = 0, 8, 21, 28, 52

STDIN, STDOUT, STDERR = range(3)
CLOCKS: Final = 4
#: The clock stands, so any resolution is true; this is what the request's time has.
RESOLUTION_NS: Final = 1_000_000
#: Buffers of one read or write, as POSIX's IOV_MAX.
VECTORS: Final = 1_024
#: Fuel for a random byte, which is more work than a copied one.
RANDOM_BYTE: Final = 8
_VECTOR: Final = struct.Struct("<II")
#: filetype (0: unknown, as for a pipe), flags, rights, rights that are inherited.
_FDSTAT: Final = struct.Struct("<BxHxxxxQQ")
_RIGHT_READ, _RIGHT_WRITE = 1 << 1, 1 << 6


def _no_strings(_world: World, memory: Memory, count: int, size: int) -> int:
    """`args_sizes_get`, `environ_sizes_get`: none, of no length."""
    memory.write(count, bytes(4))
    memory.write(size, bytes(4))
    return SUCCESS


def _nothing(*_: object) -> int:
    """What has nothing to do."""
    return SUCCESS


def _clock_res(_world: World, memory: Memory, clock: int, result: int) -> int:
    if clock >= CLOCKS:
        return INVAL
    memory.write(result, RESOLUTION_NS.to_bytes(8, "little"))
    return SUCCESS


def _clock_time(world: World, memory: Memory, clock: int, _precision: int, result: int) -> int:
    if clock >= CLOCKS:
        return INVAL
    memory.write(result, (world.now_ms * 1_000_000 & U64).to_bytes(8, "little"))
    return SUCCESS


def _random(world: World, memory: Memory, pointer: int, length: int) -> int:
    memory.check(pointer, length)
    world.charge(length * RANDOM_BYTE)
    memory.write(pointer, world.random(length))
    return SUCCESS


def _fdstat(_world: World, memory: Memory, descriptor: int, result: int) -> int:
    if descriptor > STDERR:
        return BADF
    rights = _RIGHT_READ if descriptor == STDIN else _RIGHT_WRITE
    memory.write(result, _FDSTAT.pack(0, 0, rights, 0))
    return SUCCESS


def _close(_world: World, _memory: Memory, descriptor: int) -> int:
    """Programs close their output to see whether it arrived; it has."""
    return SUCCESS if descriptor <= STDERR else BADF


def _vectors(world: World, memory: Memory, pointer: int, count: int) -> list[tuple[int, int]]:
    """(pointer, length) of each buffer, all of which exist; each costs as much as a call."""
    world.charge(count * abi.HOST_CALL)
    vectors = list(_VECTOR.iter_unpack(memory.read(pointer, count * _VECTOR.size)))
    for at, length in vectors:
        memory.check(at, length)
    return vectors


def _write(world: World, memory: Memory, descriptor: int, pointer: int, count: int, result: int) -> int:
    if descriptor not in (STDOUT, STDERR):
        return BADF
    if count > VECTORS:
        return INVAL
    vectors = _vectors(world, memory, pointer, count)
    total = sum(length for _, length in vectors)
    world.charge(total)
    memory.write(result, (total & 0xFFFF_FFFF).to_bytes(4, "little"))
    for at, length in vectors:
        if descriptor == STDOUT and world.command:
            world.output(memory.read(at, min(length, abi.ANSWER + 1)))
        else:
            world.write("info" if descriptor == STDOUT else "warn", memory.read(at, min(length, abi.LOG)))
    return SUCCESS


def _read(world: World, memory: Memory, descriptor: int, pointer: int, count: int, result: int) -> int:
    if descriptor != STDIN:
        return BADF
    if count > VECTORS:
        return INVAL
    memory.check(result, 4)
    total = 0
    for at, length in _vectors(world, memory, pointer, count):
        data = world.input(length)
        world.charge(len(data))
        memory.write(at, data)
        total += len(data)
    memory.write(result, total.to_bytes(4, "little"))
    return SUCCESS


def _exit(_world: World, _memory: Memory, status: int) -> int:
    raise Exited(status)


def _bad_descriptor(_world: World, _memory: Memory, descriptor: int, *_: int) -> int:
    """What cannot be done to the three that are there, and to none that is not."""
    return NOSYS if descriptor <= STDERR else BADF


def _no_descriptor(*_: object) -> int:
    """`path_*` and `sock_*`, `fd_prestat_*`: there is neither a folder nor a socket."""
    return BADF


def _no_system(*_: object) -> int:
    return NOSYS


_ANSWERED: Final[dict[str, Function]] = {
    "args_get": _nothing,
    "args_sizes_get": _no_strings,
    "environ_get": _nothing,
    "environ_sizes_get": _no_strings,
    "clock_res_get": _clock_res,
    "clock_time_get": _clock_time,
    "fd_close": _close,
    "fd_fdstat_get": _fdstat,
    "fd_prestat_get": _no_descriptor,
    "fd_prestat_dir_name": _no_descriptor,
    "fd_read": _read,
    "fd_write": _write,
    "proc_exit": _exit,
    "random_get": _random,
    "sched_yield": _nothing,
}
_REST: Final[dict[str, Function]] = {"fd": _bad_descriptor, "path": _no_descriptor, "sock": _no_descriptor}


def _checked(function: Function) -> Function:
    """`function`, with EFAULT for what is not in the guest's memory."""

    def answer(world: World, memory: Memory, *args: int) -> int:
        try:
            return function(world, memory, *args)
        except OutOfBounds:
            return FAULT

    return answer


def _functions() -> Iterator[tuple[tuple[str, str], Function]]:
    yield ("terraphim", "log"), log
    for name in abi.WASI_IMPORTS:
        other = _REST.get(name.partition("_")[0], _no_system)
        yield (abi.WASI, name), _checked(_ANSWERED.get(name, other))


#: Every import that a module may have, by module and name.
ANSWERS: Final = dict(_functions())
