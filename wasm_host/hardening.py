"""What a worker gives up before it runs anybody's code, layer by layer, and whether each layer holds.

The engine is the first wall. This is for the day it has a hole: machine code of a stranger then runs in the worker, and
should find nothing: no file, no socket but the one to its parent, no other process, no secret.

Order matters. Landlock and capabilities belong to a thread, so they go before any thread is started; the filter covers
all threads, and lets none be started, so it goes last. Whatever needs a file (imports, above all) comes before `apply`.
"""

import os
import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from wasm_host import abi, child, linux, seccomp

ON: Final = "on"
#: Bytes of address space: the engine's pool reserves more than it uses, and hundreds of modules may be loaded.
ADDRESS_SPACE: Final = 4 * 1024 * abi.MIB
#: Open descriptors: the engine keeps one for each module's memory image.
DESCRIPTORS: Final = 1024
#: "nobody", for a worker whose parent is root.
_NOBODY: Final = 65534
_PROC: Final = Path("/proc/self")


class Layer(NamedTuple):
    """One thing that is given up. `take` raises `OSError` unless it now holds; `lack` is what its absence means."""

    take: Callable[[Sequence[int]], None]
    lack: str


def apply(keep_fds: Sequence[int], *, start: Callable[[], object] | None = None) -> dict[str, str]:
    """Give up everything but `keep_fds`; each layer's name with "on" or the reason why it does not hold.

    Call it in a process with one thread that has imported whatever it needs. `start` starts the threads, and may warm
    up: it can no longer open files. After `apply` no thread can be started, and the descriptors kept can be read and
    written (`recv` and `send` too), nothing else. It cannot be undone.
    """
    if os.uname().sysname != "Linux":
        if start is not None:
            start()
        return dict.fromkeys(_BEFORE | _AFTER, "needs Linux")
    held = {name: _take(layer, keep_fds) for name, layer in _BEFORE.items()}
    if start is not None:
        start()
    return held | {name: _take(layer, keep_fds) for name, layer in _AFTER.items()}


def protect_parent() -> str:
    """Keep other processes of the same user from this one's memory and environment; "on" or why not.

    For the proxy itself. Core dumps and debuggers of the same user stop working, /proc/PID belongs to root.
    """
    return _take(Layer(_no_dump, ""), ())


def supported() -> dict[str, str]:
    """What `apply` and `protect_parent` achieve on this machine, found out in a process of its own."""
    done = child.run("wasm_host.hardening", [], b"", timeout_s=30)
    if done.status != 0:
        last = (done.stderr.strip().splitlines() or [done.reason])[-1]
        return dict.fromkeys(LACKS, f"the probe failed (status {done.status}): {last}")
    return msgspec.msgpack.decode(done.stdout, type=dict[str, str])


def promised(layers: Mapping[str, str]) -> bool:
    """Whether an escape from the engine finds nothing, where these `layers` are."""
    return all(layers.get(name) == ON for name in PROMISED)


def _take(layer: Layer, keep_fds: Sequence[int]) -> str:
    try:
        layer.take(keep_fds)
    except (OSError, ValueError, AttributeError) as exc:  # AttributeError: a C library without the call
        return getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
    return ON


def _environment(_: Sequence[int]) -> None:
    linux.clear_environment()
    if _PROC.joinpath("environ").read_bytes():
        raise OSError("the process was started with an environment")


def _descriptors(keep_fds: Sequence[int]) -> None:
    """stdin, stdout and stderr on /dev/null, `/` as the folder, and of all other descriptors only these."""
    os.chdir("/")
    for number, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        if number not in keep_fds:
            null = os.open(os.devnull, flags)
            if null != number:
                os.dup2(null, number, inheritable=False)
                os.close(null)
    kept = {0, 1, 2, *keep_fds}
    for number in [int(entry.name) for entry in (_PROC / "fd").iterdir()]:
        if number not in kept:
            with suppress(OSError):  # the listing's own
                os.close(number)


def _no_new_privileges(_: Sequence[int]) -> None:
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    if linux.prctl(linux.PR_GET_NO_NEW_PRIVS) != 1:
        raise OSError("the kernel forgot it")


def _no_capabilities(_: Sequence[int]) -> None:
    """None in any set; and another user than root, to whom files belong whatever his capabilities."""
    others = _other_threads() if linux.capabilities() else 0
    try:
        if os.geteuid() == 0:
            linux.drop_bounding_set()
            os.setgroups([])
            os.setresgid(_NOBODY, _NOBODY, _NOBODY)
            os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    finally:  # a user namespace may have no such user: then at least these
        if linux.capabilities():
            linux.drop_capabilities()
    if linux.capabilities():
        raise OSError("some capabilities are left")
    _must_be_none(others)


def _no_dump(_: Sequence[int]) -> None:
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    if linux.prctl(linux.PR_GET_DUMPABLE) != 0:
        raise OSError("the kernel forgot it")


def _landlock(_: Sequence[int]) -> None:
    others = _other_threads()
    linux.landlock()
    _must_not_open()
    _must_be_none(others)


def _other_threads() -> int:
    return len(list((_PROC / "task").iterdir())) - 1


def _must_be_none(threads: int) -> None:
    """What belongs to a thread does not hold for those that were there before."""
    if threads:
        raise OSError(f"{threads} other threads were started before")


def _limits(_: Sequence[int]) -> None:
    """Keep a broken process small. RLIMIT_FSIZE is not 0: the engine writes memory images into memory files."""
    wanted = {
        "RLIMIT_AS": ADDRESS_SPACE, "RLIMIT_NOFILE": DESCRIPTORS, "RLIMIT_FSIZE": abi.LIMITS["memory"].cap,
        "RLIMIT_CORE": 0, "RLIMIT_NPROC": 0, "RLIMIT_MEMLOCK": 0, "RLIMIT_MSGQUEUE": 0, "RLIMIT_NICE": 0,
        "RLIMIT_RTPRIO": 0,
    }  # fmt: skip
    for name, most in wanted.items():
        number = getattr(resource, name)
        hard = resource.getrlimit(number)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(number, (value, value))


def _filter(_: Sequence[int]) -> None:
    linux.seccomp(seccomp.program(os.uname().machine, os.getpid()))
    _must_not_open()


def _must_not_open() -> None:
    try:
        os.close(os.open("/", os.O_RDONLY))
    except PermissionError:
        return
    raise OSError("files can still be opened")


#: Before the first thread: in this order, for `no_dump` is undone by a change of user, and Landlock hides /proc.
_BEFORE: Final = {
    "environment": Layer(_environment, "the proxy's environment, keys included, lies in the worker's memory"),
    "descriptors": Layer(_descriptors, "files and sockets that the proxy had open can be used"),
    "no_new_privs": Layer(_no_new_privileges, "a program that it starts can gain rights; Landlock and seccomp need it"),
    "capabilities": Layer(_no_capabilities, "it runs with rights of root"),
    "no_dump": Layer(_no_dump, "another process of the same user can read the worker's memory"),
    "landlock": Layer(_landlock, "files are kept from it by the seccomp filter alone"),
}
#: When all threads are there.
_AFTER: Final = {
    "limits": Layer(_limits, "it can take more of the machine's memory, descriptors and processes"),
    "seccomp": Layer(_filter, "the kernel's whole interface is open to it: sockets, processes, signals"),
}
#: The proxy's own layer: `protect_parent`.
PARENT: Final = "proxy_memory"
#: Each layer's name, and what it means if it does not hold.
LACKS: Final = {name: layer.lack for name, layer in (_BEFORE | _AFTER).items()} | {
    PARENT: "another process of the same user, a worker without the other layers too, can read the proxy's memory"
}
#: What must hold for the promise "an escape finds nothing": all of it.
PROMISED: Final = frozenset(LACKS)


def _probe() -> None:
    """The child of `supported`: the layers as JSON on what was stdout."""
    output = os.dup(sys.stdout.fileno())
    layers = apply([output])
    layers[PARENT] = layers["no_dump"]  # the same call, which the filter no longer lets through
    os.write(output, msgspec.msgpack.encode(layers))


if __name__ == "__main__":
    _probe()
