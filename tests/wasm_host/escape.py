"""The process in which attacks are tried: it is the prey, and forks an attacker for each.

`main(LAYERS, UID)` reads names of attacks from stdin and writes a line of JSON for each. The attacker takes the layers
and then attacks; it has imported everything, as a worker has.
"""

import ctypes
import encodings.idna  # noqa: F401 - a connection by name looks for it
import errno
import importlib
import json
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from attacks import ATTACKS, SECRET, Prey, call

from wasm_host import board, hardening, linux, worker

KEEP: list[Any] = []
#: What comes before it on the stream is the worker's greeting.
MARK = b"outcome: "


def make_prey(folder: Path) -> Prey:
    """A prey in this process; what it opens stays open until it ends."""
    file = folder / "secret"
    file.write_bytes(SECRET)
    file.chmod(0o666)
    folder.chmod(0o777)
    secret = ctypes.create_string_buffer(SECRET, len(SECRET))
    listener = socket.create_server(("127.0.0.1", 0))
    path, abstract = str(folder / "s"), f"\0escape-{os.getpid()}"
    for address in (path, abstract):
        server = socket.socket(socket.AF_UNIX)
        server.bind(address)
        server.listen()
        KEEP.append(server)
    Path(path).chmod(0o777)
    datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    datagrams.bind(abstract + "d")
    pair, other = socket.socketpair(), socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    KEEP.extend((secret, listener, datagrams, *pair, *other))
    opened = os.open(file, os.O_RDONLY)
    return Prey(
        os.getpid(), ctypes.addressof(secret), str(file), os.open(folder, os.O_RDONLY), opened, other[0].fileno(),
        pair[0].fileno(), listener.getsockname()[1], path, abstract,
    )  # fmt: skip


def take(layers: str, keep: list[int], start: Callable[[], object] | None = None) -> None:
    """`all` as a worker takes them, `none`, or one layer (with the one that the kernel demands for it)."""
    if layers == "all":
        taken = hardening.apply(keep, start=start)
        assert set(taken.values()) == {hardening.ON}, taken
    elif layers != "none":
        table = hardening._BEFORE | hardening._AFTER
        for name in ("no_new_privs", layers):
            assert hardening._take(table[name], keep) == hardening.ON


def attempt(name: str, prey: Prey) -> str:
    try:
        ATTACKS[name](prey)
    except (OSError, ModuleNotFoundError) as exc:
        return errno.errorcode.get(getattr(exc, "errno", None) or 0, "failed")
    return "reached"


def attack(name: str, prey: Prey, report: int) -> NoReturn:
    os.write(report, MARK + attempt(name, prey).encode())
    os._exit(0)


def in_thread(name: str, prey: Prey, report: int) -> NoReturn:
    """All layers, and a thread attacks that was there before."""
    locked = threading.Event()

    def later() -> NoReturn:
        locked.wait()
        attack(name, prey, report)

    take("all", [report, prey.kept], threading.Thread(target=later).start)
    locked.set()
    threading.Event().wait()
    raise AssertionError("nothing sets it")


def in_worker(name: str, prey: Prey, report: int) -> NoReturn:
    """A real worker, which attacks instead of serving. The socket to its parent is all that it keeps."""

    def serve(*_: object) -> NoReturn:
        attack(name, prey._replace(kept=report), report)

    worker.serve = serve  # type: ignore[assignment]  # it never returns
    worker.main([str(report), str(board.make()), ""])
    raise AssertionError("it did not serve")


def in_child(name: str, layers: str, prey: Prey, report: int) -> NoReturn:
    """Take the layers, attack, say what came of it."""
    if layers == "thread":
        in_thread(name, prey, report)
    if layers == "worker":
        in_worker(name, prey, report)
    take(layers, [report, prey.kept])
    attack(name, prey, report)


def try_one(name: str, layers: str, prey: Prey) -> str:
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        try:
            in_child(name, layers, prey, theirs.fileno())
        except BaseException as exc:  # noqa: BLE001 - it must not go on as a second prey
            os.write(theirs.fileno(), MARK + f"broken: {exc!r}".encode())
            os._exit(1)
    theirs.close()
    with ours, ours.makefile("rb") as stream:
        said = stream.read().rpartition(MARK)[2].decode(errors="replace")
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status < 0:
        return signal.Signals(-status).name
    return said or ("reached" if status == 0 else f"status {status}")  # another program has no report


def main(layers: str, uid: int) -> None:
    """Layers: see `take`, `in_thread` and `in_worker`; `protected`: none, but the prey protects itself."""
    importlib.import_module("wasm_host.native")  # once, and not by each worker
    with suppress(OSError):  # what a mount changes is ours alone: CLONE_NEWNS, MS_PRIVATE | MS_REC
        call("unshare", 0x0002_0000)
        call("mount", b"none", b"/", None, 1 << 18 | 1 << 14, None)
    signal.signal(signal.SIGURG, signal.SIG_IGN)
    with tempfile.TemporaryDirectory() as folder:
        if uid != os.getuid():
            os.chown(folder, uid, uid)
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            linux.prctl(linux.PR_SET_DUMPABLE, 1)
        prey = make_prey(Path(folder))
        if layers == "protected":
            assert hardening.protect_parent() == hardening.ON
            layers = "none"
        for name in json.loads(sys.stdin.read()):
            Path(prey.file).touch()
            sys.stdout.write(json.dumps([name, try_one(name, layers, prey)]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
