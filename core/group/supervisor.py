"""Who starts workers, starts again those that die, and passes on what is signalled. It serves no request.

It makes the listeners, one for each worker, and holds them as long as it serves: while a worker is dead, another one
accepts from its listener, so that nobody who waits there is lost. When it dies itself, its workers find the line to it
closed, and end.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from core.group.hub import Hub
from core.group.line import Line, from_worker, packed
from core.group.messages import (
    ENDED,
    READY,
    STARTING,
    Cover,
    Ready,
    Reload,
    Serves,
    Stop,
    ToSupervisor,
    Welcome,
    Worker,
    Workers,
)
from core.group.restarts import Restarts, covering

#: Workers that were told to end now and have not after so many seconds are killed: longer than `draining` may take.
KILL_S: Final = 15.0


class _Place:
    """One worker's, and those that came before it there."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.restarts = Restarts()
        self.state = STARTING
        self.snapshot = ""
        self.covers: tuple[int, ...] = ()
        self.line: Line[ToSupervisor] | None = None
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """Of the worker that is there now: no other one has it, ever."""
        return f"{self.number}.{self.restarts.count}"

    @property
    def told(self) -> Worker:
        process = self.process.pid if self.process else 0
        return Worker(self.number, process, self.state, self.restarts.count, self.snapshot)


class Supervisor:
    """A worker for each listener. `arguments` are those of `serve` for all of them, `say` takes log lines, `whole` is
    called when all of them serve for the first time.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        arguments: Sequence[str],
        *,
        token: str,
        turns: int,
        say: Callable[[dict[str, object], str], None],
        whole: Callable[[], None] = lambda: None,
    ) -> None:
        self._listeners, self._arguments = listeners, arguments
        self._token, self._turns, self._say, self._whole = token, turns, say, whole
        self._places = [_Place(number) for number in range(len(listeners))]
        self._hub = Hub()
        self._leaving = asyncio.Event()
        self._was_whole = False
        self._status = 0

    async def run(self) -> int:
        """Until it is signalled, or a worker cannot be started at all; the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        loop.add_signal_handler(signal.SIGHUP, partial(self._hub.say, Reload()))
        await asyncio.gather(*(self._keep(place) for place in self._places))
        return self._status

    def _signalled(self) -> None:
        """The first time an orderly end, the second time now."""
        self._leave(now=self._leaving.is_set())

    def _leave(self, *, now: bool) -> None:
        self._leaving.set()
        for listener in self._listeners:  # it is the workers' now to let nobody in any more
            listener.close()
        self._hub.say(Stop(now))
        if now:
            asyncio.get_running_loop().call_later(KILL_S, self._kill)

    def _kill(self) -> None:
        for place in self._places:
            if place.process is not None:
                place.process.kill()

    async def _keep(self, place: _Place) -> None:
        """One worker after another, in this place."""
        while not self._leaving.is_set():
            began = time.monotonic()
            status = await self._one(place)
            if self._leaving.is_set():
                return
            if not self._was_whole:  # what keeps it from starting keeps the next one, too
                self._status = status if status > 0 else 1
                self._leave(now=True)
                return
            again_s = place.restarts.wait_s(time.monotonic() - began)
            self._say(
                {"event": "worker_ended", "worker": place.number, "status": status, "again_s": again_s}, "warning"
            )
            self._changed()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), again_s)

    async def _one(self, place: _Place) -> int:
        """A worker from its start to its end: its exit status, or the signal below zero."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = self._started(theirs.fileno())
        except OSError as exc:
            ours.close()
            self._say({"event": "problem", "problem": f"a worker cannot be started: {exc.strerror}"}, "error")
            return 1
        place.process, place.state, place.snapshot, place.covers = process, STARTING, "", ()
        place.line = line = Line(from_worker, partial(self._heard, place), lambda: None)
        self._hub.join(place.name, line)
        ours.sendall(packed([self._welcome(place.number)]))  # read before there is a loop: a piece of its own
        await line.connect(ours)
        self._say({"event": "worker_started", "worker": place.number, "process": process.pid}, "info")
        self._changed()
        status = await _ended(process)
        line.close()
        self._hub.leave(place.name)
        place.line, place.process, place.state = None, None, ENDED
        return status

    def _started(self, end: int) -> "subprocess.Popen[bytes]":
        """A process group of its own: who interrupts at a terminal means the supervisor."""
        return subprocess.Popen(  # noqa: S603  # this program
            [sys.executable, "-I", "-m", "core.cli", "serve", *self._arguments, "--member", str(end)],
            stdin=subprocess.DEVNULL,
            pass_fds=[end, self._turns, *(listener.fileno() for listener in self._listeners)],
            process_group=0,
        )

    def _welcome(self, number: int) -> Welcome:
        listeners = tuple(listener.fileno() for listener in self._listeners)
        return Welcome(number, len(listeners), self._token, listeners, self._turns)

    def _heard(self, place: _Place, message: ToSupervisor) -> None:
        match message:
            case Ready():
                place.state = READY
                self._changed()
            case Serves(snapshot):
                place.snapshot = snapshot
                self._changed()
            case _:
                self._hub.heard(place.name, message)

    def _changed(self) -> None:
        """Everybody hears how all are, and each listener has one that accepts from it."""
        self._hub.say(Workers(tuple(place.told for place in self._places)))
        ready = [place.state == READY for place in self._places]
        if all(ready) and not self._was_whole:
            self._was_whole = True
            self._say({"event": "workers_ready", "workers": len(ready)}, "info")
            self._whole()
        if self._was_whole:
            self._cover(covering(ready))

    def _cover(self, covers: Sequence[tuple[int, ...]]) -> None:
        for place, numbers in zip(self._places, covers, strict=True):
            if place.line is not None and place.covers != numbers:
                place.covers = numbers
                place.line.say(Cover(numbers))


async def _ended(process: "subprocess.Popen[bytes]") -> int:
    loop = asyncio.get_running_loop()
    watched, gone = os.pidfd_open(process.pid), loop.create_future()
    loop.add_reader(watched, gone.set_result, None)
    try:
        await gone
    finally:
        loop.remove_reader(watched)
        os.close(watched)
    return process.wait()
