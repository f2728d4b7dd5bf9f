"""A real redis-server that is hurt in every way, and healed: `FAULTS`."""

import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import hiredis
from redis_server import RedisServer, redis_running

from core.state.redis_line import packed
from prove.redis_relay import Relay, relay

#: Between two changes of a server that flaps (s).
FLAP_S: Final = 0.3
#: Between two times that something else is put under every key (s).
PLANT_S: Final = 0.1
PATIENCE_S: Final = 10.0


class Store:
    """The server, what stands in front of it, and how both are hurt."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._running: Any = None
        self._server: RedisServer | None = None
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self.start()
        self.relay: Relay = stack.enter_context(relay(self.port))
        stack.callback(self.end)

    @property
    def port(self) -> int:
        return self._server.port if self._server else 0

    @property
    def pid(self) -> int:
        return self._server.process.pid if self._server else 0

    def start(self, *options: str) -> None:
        """Anew, where it was before."""
        self._running = redis_running(self._folder, *options, port=self.port)
        self._server = self._running.__enter__()

    def end(self) -> None:
        """For good, or until it is started."""
        self.still()
        with suppress(ProcessLookupError):
            self.signal(signal.SIGCONT)
        self._running.__exit__(None, None, None)

    def restart(self, *options: str) -> None:
        self.end()
        self.start(*options)

    def signal(self, number: int) -> None:
        if self._server is not None:
            self._server.process.send_signal(number)

    def command(self, *parts: str | bytes) -> Any:
        """The server's answer to somebody who is not the proxy."""
        reader = hiredis.Reader()
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as connection:
            connection.sendall(packed(parts))
            while (answer := reader.gets()) is False:
                reader.feed(connection.recv(65536))
        return answer

    def again_and_again(self, every_s: float, *steps: Callable[[], object]) -> None:
        """These steps in turn, until `still`."""

        def run() -> None:
            at = 0
            while not self._ending.wait(every_s):
                with suppress(OSError):
                    steps[at % len(steps)]()
                at += 1

        self._ending.clear()
        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def still(self) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def plant(self) -> None:
        """Something else under every key that is there."""
        for key in self.command("KEYS", "*"):
            kind = self.command("TYPE", key)
            self.command("DEL", key)
            self.command(*(("SET", key, "x") if kind != b"string" else ("RPUSH", key, "x")))


class Fault(NamedTuple):
    """`outages`: how often the proxy must say that Redis is down; None: as often as it says that it is up again.
    `refusals`: what it must say that Redis refused, once.
    """

    name: str
    hurt: Callable[[Store], object]
    heal: Callable[[Store], object]
    outages: int | None = 1
    refusals: tuple[str, ...] = ()


def _frozen(store: Store) -> None:
    store.signal(signal.SIGSTOP)


def _thawed(store: Store) -> None:
    store.still()
    store.signal(signal.SIGCONT)


def _flapping(store: Store) -> None:
    store.again_and_again(FLAP_S, lambda: store.signal(signal.SIGSTOP), lambda: store.signal(signal.SIGCONT))


def _cleared(store: Store) -> None:
    store.still()
    store.command("FLUSHALL")


def _harm(harm: str) -> Callable[[Store], None]:
    def hurt(store: Store) -> None:
        store.relay.harm = harm

    return hurt


#: Of the server itself, and of what stands in front of it.
FAULTS: Final = (
    Fault("killed", lambda store: store.signal(signal.SIGKILL), lambda store: store.restart()),
    Fault("frozen", _frozen, _thawed),
    Fault("flapping", _flapping, _thawed, outages=None),
    Fault(
        "full",
        lambda store: store.command("CONFIG", "SET", "maxmemory", "1"),
        lambda store: store.command("CONFIG", "SET", "maxmemory", "0"),
        outages=0,
        refusals=("full",),
    ),
    Fault(
        "wrong types",
        lambda store: store.again_and_again(PLANT_S, store.plant),
        _cleared,
        outages=0,
        refusals=("wrong_type",),
    ),
    Fault("another password", lambda store: store.restart("--requirepass", "other"), lambda store: store.restart()),
)
RELAYED: Final = (
    Fault("slow", _harm("slow"), _harm("")),
    Fault("cut", _harm("cut"), _harm("")),
    Fault("garbage", _harm("garbage"), _harm("")),
)


@contextmanager
def store(folder: Path) -> Iterator[Store]:
    """A server of its own, with a relay in front of it."""
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        yield Store(folder, stack)


def installed() -> bool:
    return shutil.which("redis-server") is not None
