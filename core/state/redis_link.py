"""The way to one Redis server: connected when somebody asks, left alone by everybody while it is away.

The first failure opens the breaker: from then on, asking costs no socket and no wait. One task of the link's own tries
again, and closes it. So an outage costs those who were waiting when it began, once, and nobody after them.
"""

import asyncio
import ssl
import sys
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from core.schema_state import RedisSettings
from core.state.redis_line import Clock, Line, Refused, StoreDown, packed
from wasm_host.breaker import CLOSED, Breaker

#: The server is tried again after so many seconds, doubled with each failure up to the longest.
AGAIN_S: Final = 0.1
LONGEST_AGAIN_S: Final = 2.0
#: A connection may take so many seconds: nobody waits for it longer than for a command.
CONNECT_S: Final = 1.0
DEFAULT_PORT: Final = 6379
#: A server that says so has forgotten who we are, or is another than before: only a new connection can help.
_NOT_OURS: Final = frozenset({"password", "loading"})


class Observer:
    """Told of what an operator should see; does nothing by itself."""

    def down(self, why: str) -> None:
        """The server is left alone from now on."""

    def up(self, away_s: float) -> None:
        """It answers again, after so many seconds."""

    def left(self) -> None:
        """It was left alone, and is asked no more: another takes its place, or none."""

    def answered(self, outcome: str, seconds: float) -> None:
        """A command ended so, after so long: `ok` or a kind of `StoreDown`."""


class _First:
    """One failure is too many: whoever comes next would wait as long."""

    def add(self, *, fault: bool, now: float) -> bool:  # noqa: ARG002  # other tallies count by time
        return fault


@dataclass(frozen=True)
class Server:
    """Where it is, and who we are there."""

    settings: RedisSettings
    password: str = field(repr=False)

    def greeting(self) -> list[bytes]:
        """What is said first. The last word is a question, so that a server that cannot serve says so."""
        database = urlsplit(self.settings.url).path.strip("/")
        user = [self.settings.username] if self.settings.username else []
        words: list[list[str]] = []
        words += [["AUTH", *user, self.password]] if self.password else []
        words += [["SELECT", database]] if database not in {"", "0"} else []
        return [packed(word) for word in (*words, ["PING"])]


class Link:
    """One server's. `clock` is monotonic seconds."""

    def __init__(self, server: Server, observer: Observer, clock: Clock) -> None:
        self._server, self._observer, self._clock = server, observer, clock
        self._timeout_s = server.settings.timeout_ms / 1000
        self._breaker = Breaker(_First(), open_s=AGAIN_S, longest_s=LONGEST_AGAIN_S)
        self._line: Line | None = None
        self._connecting: asyncio.Task[str] | None = None
        self._probing: asyncio.Task[None] | None = None
        self._down_since = 0.0
        self._tls: ssl.SSLContext | None = None
        self._closed = False

    @property
    def down(self) -> bool:
        """Whether it is left alone."""
        return self._breaker.state != CLOSED

    def left_alone(self) -> StoreDown:
        """What a command that is not even sent ends with."""
        self._observer.answered("left_alone", 0.0)
        return StoreDown("left_alone")

    async def ask(self, command: bytes, started: float) -> Any:
        """The answer, or StoreDown; at most `redis.timeout_ms` after it was `started`, whatever it waits for."""
        outcome = "cancelled"
        try:
            answer = await self._answer(command, started + self._timeout_s)
            outcome = answer.kind if isinstance(answer, Refused) else "ok"
        except StoreDown as exc:
            outcome = exc.kind
            raise
        finally:
            self._observer.answered(outcome, self._clock() - started)
        if isinstance(answer, Refused):
            if answer.kind in _NOT_OURS and self._line is not None:
                self._line.cut(answer.kind)
            raise StoreDown(answer.kind)
        return answer

    async def _answer(self, command: bytes, deadline: float) -> Any:
        if self._closed:
            raise StoreDown("closed")
        line = self._line or await self._connected(deadline)
        return await line.ask(command, deadline)

    async def _connected(self, deadline: float) -> Line:
        connecting = self.connect()
        await asyncio.wait({connecting}, timeout=max(0.0, deadline - self._clock()))
        if self._line is not None:
            return self._line
        if not connecting.done():
            self._fault("timeout")  # who comes next need not wait as well
            raise StoreDown("timeout")
        raise StoreDown("closed" if connecting.cancelled() else connecting.result())

    def connect(self) -> asyncio.Task[str]:
        """The one try that is under way; its result says why there is no line, if there is none."""
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect())
        return self._connecting

    async def _connect(self) -> str:
        line = Line(self._lost, self._clock)
        why = ""
        try:
            async with asyncio.timeout(max(CONNECT_S, self._timeout_s)):
                await self._open(line)
                await self._greet(line)
        except StoreDown as exc:
            why = exc.kind
        except TimeoutError:
            why = "timeout"
        except (ssl.SSLError, ValueError):
            why = "tls"
        except OSError:
            why = "unreachable"
        finally:
            self._connecting = None
            if why or sys.exc_info()[0] is not None:
                line.cut(why or "closed")
        if why:
            self._fault(why)
        else:
            self._line = line
            self._worked()
        return why

    async def _open(self, line: Line) -> None:
        """TCP, and TLS if the URL says so."""
        address, settings = urlsplit(self._server.settings.url), self._server.settings
        if address.scheme == "rediss" and self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context, cafile=settings.ca_file)
        host, port = address.hostname or "", address.port or DEFAULT_PORT
        await asyncio.get_running_loop().create_connection(lambda: line, host, port, ssl=self._tls)

    async def _greet(self, line: Line) -> None:
        """As soon as a command would have to be answered: a server that is slower is of no use."""
        deadline = self._clock() + self._timeout_s
        for answer in await asyncio.gather(*(line.ask(word, deadline) for word in self._server.greeting())):
            if isinstance(answer, Refused):
                raise StoreDown(answer.kind)

    def _lost(self, line: Line, why: str, waiting: bool) -> None:  # noqa: FBT001
        """A line was cut. If nobody was waiting, that is no failure yet: servers close what is idle."""
        if line is self._line:
            self._line = None
            if waiting:
                self._fault(why)

    def _fault(self, why: str) -> None:
        was_down = self.down
        self._breaker.record(fault=True, now=self._clock())
        if not was_down and not self._closed:
            self._down_since = self._clock()
            self._observer.down(why)
            self._probing = asyncio.create_task(self._probe())

    def _worked(self) -> None:
        if self.down:
            self._breaker.close()
            if not self._closed:
                self._observer.up(self._clock() - self._down_since)

    async def _probe(self) -> None:
        """Until the server answers: one try at a time, which no request waits for."""
        while True:
            await asyncio.sleep(self._breaker.wait_s(self._clock()))
            if not self.down:
                return
            if self._breaker.admits(self._clock()):
                await asyncio.wait({self.connect()})

    def end(self) -> None:
        """Another link takes over, or nobody: nothing begins any more."""
        if not self._closed:
            self._closed = True
            if self.down:
                self._observer.left()

    async def close(self) -> None:
        """The same; what is under way ends in time."""
        self.end()
        tasks = [task for task in (self._probing, self._connecting) if task is not None]
        for task in tasks:
            task.cancel()
        if self._line is not None:
            self._line.finish()
        await asyncio.gather(*tasks, return_exceptions=True)
