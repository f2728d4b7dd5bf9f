"""The connections to one provider: how many at once, which is used again, and who has waited too long.

One timer serves them all. A request sets it only if it ends earlier than what is waited for already, so most set none.
"""

import asyncio
from collections import deque
from functools import partial
from typing import Final, NamedTuple

from core.errors import UpstreamFailed
from core.upstream import failures
from core.upstream.connections import Connection, Origin, connect
from core.upstream.incoming import NEVER
from core.upstream.resolver import GuardedResolver

#: Connections to one provider at once.
MAX_CONNECTIONS: Final = 1000
#: An idle connection is used again so long, in seconds, or shorter if the provider says so.
KEEP_ALIVE_S: Final = 15.0
#: Idle connections are closed so much before their time, in seconds, together with others.
ROUND_S: Final = 1.0


class Counts(NamedTuple):
    """A pool's slots: taken by a request (connecting included), idle connections, requests that wait for a slot."""

    acquired: int
    idle: int
    waiting: int


class Pool:
    """Take a connection with `connection`, give it back with `release`: that never waits, and never fails."""

    def __init__(self, *, allow_private: bool, limit: int = MAX_CONNECTIONS) -> None:
        self._loop = asyncio.get_running_loop()
        self._allow_private = allow_private
        self._limit = limit
        self._resolver = GuardedResolver(allow_private=allow_private)
        self._taken = 0
        self._busy: set[Connection] = set()
        self._idle: dict[Origin, list[Connection]] = {}  # the one that was used last is the last
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = NEVER
        self._closed = False

    def counts(self) -> Counts:
        """What the pool holds now. From any thread: everything is copied before it is walked through."""
        waiting = sum(not waiter.done() for waiter in list(self._waiting))
        return Counts(self._taken, sum(map(len, list(self._idle.values()))), waiting)

    async def connection(self, origin: Origin, seconds: float) -> Connection:
        """A connection for one request, within so many seconds. UpstreamFailed (`not_sent`) if there is none."""
        until = self._loop.time() + seconds
        if self._taken < self._limit:
            self._taken += 1
        else:
            await self._slot(until)
        try:
            connection = self._fit(origin) or await self._new(origin, until)
        except BaseException:
            self._free_slot()
            raise
        self._busy.add(connection)
        return connection

    def release(self, connection: Connection) -> None:
        """The request is over, in whatever way."""
        self._busy.discard(connection)
        hint = connection.free()
        if hint is not None and not self._closed:
            connection.idle_until = self._loop.time() + _kept_s(hint)
            self._idle.setdefault(connection.origin, []).append(connection)
            self.watch(connection.idle_until)
        else:
            connection.abort()
        self._free_slot()

    def close(self) -> None:
        """End everything: idle connections, requests under way, those that wait for a slot."""
        self._closed = True
        self._resolver.close()
        if self._timer is not None:
            self._timer.cancel()
        for connection in [*self._busy, *self._all_idle()]:
            connection.abort()
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(_closing())

    # Slots

    async def _slot(self, until: float) -> None:
        """Wait for one; who has waited longest gets the next."""
        waiter = self._loop.create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout_at(until):
                await waiter
        except BaseException as exc:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._free_slot()  # it was given one, and is gone
            elif waiter in self._waiting:
                self._waiting.remove(waiter)
            if isinstance(exc, TimeoutError):
                raise failures.no_connection() from None
            raise

    def _free_slot(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)  # the slot is its own now
                return
        self._taken -= 1

    # Connections

    def _fit(self, origin: Origin) -> Connection | None:
        """An idle connection that is fit to be used again."""
        now = self._loop.time()
        while connections := self._idle.get(origin):
            connection = connections[-1]
            self._forget(connection)
            if not connection.stale(now):
                return connection
            connection.abort()
        return None

    async def _new(self, origin: Origin, until: float) -> Connection:
        factory = partial(Connection, origin, self._forget, self.watch)
        clock = asyncio.timeout_at(until)
        try:
            async with clock:
                infos = await self._resolver.resolve(origin.host, origin.port)
                connection = await connect(origin, infos, factory, allow_private=self._allow_private)
        except failures.CONNECTING as exc:
            raise (failures.no_connection() if clock.expired() else failures.classify(exc)) from exc
        if self._closed:
            connection.abort()
            raise _closing()
        return connection

    def _forget(self, connection: Connection) -> None:
        """It is idle no longer, if it was."""
        connections = self._idle.get(connection.origin, [])
        if connection in connections:
            connections.remove(connection)
            if not connections:
                del self._idle[connection.origin]

    def _all_idle(self) -> list[Connection]:
        return [connection for connections in self._idle.values() for connection in connections]

    # Time

    def watch(self, due: float) -> None:
        """Look at all connections at this time (event loop's), at the latest."""
        if due >= self._rings_at or self._closed:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = due
        self._timer = self._loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self._timer, self._rings_at = None, NEVER
        now = self._loop.time()
        for connection in self._all_idle():
            if connection.idle_until <= now + ROUND_S:
                self._forget(connection)
                connection.abort()
        for connection in list(self._busy):
            connection.late(now)
        waited = [connection.incoming.due for connection in self._busy if connection.incoming is not None]
        self.watch(min([*waited, *(connection.idle_until for connection in self._all_idle())], default=NEVER))


def _kept_s(hint: str) -> float:
    """How long a connection may be idle before its provider may close it: `Keep-Alive: timeout=5, max=100`.

    A second less than it says, for the provider has begun to count earlier.
    """
    for part in hint.split(","):
        name, _, value = part.strip().partition("=")
        if name.lower() == "timeout" and value.isdecimal():
            return min(KEEP_ALIVE_S, int(value[:6]) - 1.0)
    return KEEP_ALIVE_S


def _closing() -> UpstreamFailed:
    return failures.not_sent("the proxy closes its connections")
