"""The parent's side of one worker process: what is under way in it, how long, and what is lost when it dies."""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, cast

import msgspec
from msgspec import Struct

from wasm_host import board, child
from wasm_host.frames import (
    SAID_MAX,
    Ask,
    Keep,
    Load,
    Nonsense,
    Ready,
    Result,
    Said,
    Splitter,
    TooLong,
    from_worker,
    pack,
    sane,
)

#: Over its deadline by this, a call is ended with its process: its own clock has had its chance (milliseconds).
GRACE_MS: Final = 6
#: Without any progress for so long, a worker is given up (seconds).
STALL_S: Final = 3.0
_LOOK_AGAIN_S: Final = 0.001
#: A killed process that does not go away is a kernel's trouble, not a request's (seconds).
_REAP_S: Final = 1.0


class Lost(Struct, frozen=True):
    """The worker died. `cause` is a code: crash, deadline, stall, closed; `call` is what it was running of this ask."""

    cause: str
    detail: str
    call: int | None


class _Flight(Struct):
    timeouts_ms: list[int]
    answer: asyncio.Future[list[Result] | Lost]


class Process(asyncio.Protocol):
    """One worker. `on_ready` and `on_gone` are called once each; `on_gone` gets cause and detail."""

    def __init__(self, on_ready: Callable[["Process"], None], on_gone: Callable[["Process", str, str], None]) -> None:
        self._on_ready, self._on_gone = on_ready, on_gone
        self._flights: dict[int, _Flight] = {}
        self._numbers = 0
        self._splitter = Splitter(SAID_MAX)
        self._timer: asyncio.TimerHandle | None = None
        self._answered = 0
        self._seen: tuple[int, board.Note | None] | None = None
        self._seen_at = 0.0
        self._suspect: board.Note | None = None
        self._cause = "crash"
        self._blamed: board.Note | None = None
        self.sent: dict[str, int] = {}
        self.ready: Ready | None = None

    async def start(self, verdict: str) -> None:
        """Start the process; it says by itself when it is ready. `OSError` if it cannot be started.

        `verdict` is what an earlier worker found out about the way to the engine, or empty.
        """
        ours, theirs = socket.socketpair()
        page = board.make()
        try:
            self._board = board.Board(page)
            self._process = await asyncio.to_thread(child.start_worker, theirs.fileno(), page, verdict)
            ours.setblocking(False)  # noqa: FBT003 - the socket's own signature
            await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=ours)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(page)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it is worth asking: a connection may be closed before anybody is told."""
        return not self._transport.is_closing()

    @property
    def load(self) -> int:
        """How many asks are under way."""
        return len(self._flights)

    def tell(self, message: Load | Keep) -> None:
        """Send what needs no answer."""
        if isinstance(message, Load):
            self.sent[message.sha256] = message.memory
        else:
            kept = set(message.sha256s)
            self.sent = {sha256: memory for sha256, memory in self.sent.items() if sha256 in kept}
        self._write(pack(message))

    def ask(self, ask: Ask) -> asyncio.Future[list[Result] | Lost]:
        """Send an ask under a number of its own; its results, or what became of the worker."""
        self._numbers = ask.id = self._numbers + 1
        flight = _Flight([call.timeout_ms for call in ask.calls], asyncio.get_running_loop().create_future())
        self._flights[self._numbers] = flight
        self._write(pack(ask))
        self._look_by(min(flight.timeouts_ms) / 1000 + GRACE_MS / 1000)
        return flight.answer

    def _write(self, data: bytes) -> None:
        """What can no longer be written is lost with everything else that is under way."""
        with suppress(RuntimeError):  # uvloop's, if the connection closed in this moment
            self._transport.write(data)

    def kill(self, cause: str) -> None:
        """End the process at once; asks under way learn of it when it is gone."""
        self._cause = cause
        self._process.kill()

    # asyncio's protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._splitter.feed(data):
                self._receive(from_worker(body))
        except (TooLong, msgspec.MsgspecError, Nonsense):
            self.kill("nonsense")

    def _receive(self, message: Ready | Said) -> None:
        if isinstance(message, Said):
            if message.id not in self._flights or not all(map(sane, message.results)):
                raise Nonsense
            self._answered += 1
            flight = self._flights.pop(message.id)
            if not flight.answer.done():
                flight.answer.set_result(message.results)
        elif self.ready is None:
            self.ready = message
            self._on_ready(self)
        else:
            raise Nonsense

    def connection_lost(self, _: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._blamed = self._board.read()
        self._reaping = asyncio.get_running_loop().create_task(self._reap())

    async def _reap(self) -> None:
        """Learn how it ended, then tell everybody who waits."""
        patience = time.monotonic() + _REAP_S
        while self._process.poll() is None:
            if time.monotonic() > patience:
                self._process.kill()
                patience = float("inf")
            await asyncio.sleep(0.001)
        status = self._process.returncode
        detail = f"signal {-status}" if status < 0 else f"status {status}"
        for number, flight in self._flights.items():
            call = self._blamed.call if self._blamed and self._blamed.ask == number else None
            if call is not None and call >= len(flight.timeouts_ms):
                call = None
            if not flight.answer.done():
                flight.answer.set_result(Lost(self._cause, detail, call))
        self._flights.clear()
        self._board.close()
        self._on_gone(self, self._cause, detail)

    # the clock

    def _look_by(self, seconds: float) -> None:
        """Look at the board in so many seconds at the latest."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._timer.when() <= loop.time() + seconds:
                return
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self._look)

    def _look(self) -> None:
        """Is a call over its deadline, or has nothing moved for long? What is late is killed at a second look."""
        self._timer = None
        if not self._flights:
            self._seen = None
            return
        note, now = self._board.read(), time.monotonic()
        if self._seen != (self._answered, note):
            self._seen, self._seen_at = (self._answered, note), now
        elif now - self._seen_at > STALL_S:
            self.kill("stall")
            return
        left = self._left_s(note, now)
        if left > 0:
            self._look_by(left)
        elif self._suspect == note:
            self.kill("deadline")
        else:
            self._suspect = note
            self._look_by(_LOOK_AGAIN_S)

    def _left_s(self, note: board.Note | None, now: float) -> float:
        """Seconds until the running call is late; the shortest limit if none runs, for one may begin at once."""
        shortest = min(min(flight.timeouts_ms) for flight in self._flights.values())
        flight = self._flights.get(note.ask) if note else None
        if note is None or flight is None or note.call >= len(flight.timeouts_ms):
            return (shortest + GRACE_MS) / 1000
        since = min(note.since_ns / 1e9, now)
        left = (flight.timeouts_ms[note.call] + GRACE_MS) / 1000 - (now - since)
        return min(left, (shortest + GRACE_MS) / 1000)
