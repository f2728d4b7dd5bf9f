"""One connection to Redis: commands go out at once, and their answers come back in the same order.

Whoever asked may leave: the answer is taken off the line all the same, so nobody ever gets another's. As soon as the
order can be doubted (bytes that are no RESP, an answer to nothing), or an answer is late, the line is cut.

RESP: redis.io/docs/latest/develop/reference/protocol-spec; hiredis, which redis.io keeps, reads and writes it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import hiredis

Part = str | bytes | int | float
Clock = Callable[[], float]

#: After its deadline a line is looked at once more: if it is we who were late, the answer is here already, but unread.
SECOND_LOOK_S: Final = 0.001

#: What servers' error codes are called here; every other one is `refused`.
_KINDS: Final = {
    "WRONGTYPE": "wrong_type",
    "OOM": "full",
    "MISCONF": "read_only",
    "READONLY": "read_only",
    "NOREPLICAS": "read_only",
    "NOAUTH": "password",
    "WRONGPASS": "password",
    "NOPERM": "not_allowed",
    "LOADING": "loading",
    "BUSY": "busy",
    "MASTERDOWN": "other_server",
    "MOVED": "other_server",
    "ASK": "other_server",
    "CLUSTERDOWN": "other_server",
    "CROSSSLOT": "other_server",
    "NOSCRIPT": "no_script",
}


class StoreDown(Exception):
    """The store did not do it: it cannot be reached, did not answer in time, or answered with an error.

    `kind` says which in one word, and never holds anything of what was sent.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Refused(Exception):
    """The server's own answer was an error."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.kind = _KINDS.get(message.partition(" ")[0], "refused")


class _Waiting(NamedTuple):
    answer: asyncio.Future[Any]
    deadline: float


def packed(parts: Sequence[Part]) -> bytes:
    """A command as it is sent."""
    command: bytes = hiredis.pack_command(tuple(parts))  # type: ignore[arg-type]  # its stub forgets float
    return command


class Line(asyncio.Protocol):
    """Between `connect` and `lost`, which is told once: this line, and whether somebody was waiting."""

    def __init__(self, lost: Callable[["Line", str, bool], None], clock: Clock) -> None:
        self._lost, self._clock = lost, clock
        self._reader = hiredis.Reader(replyError=Refused)
        self._waiting: deque[_Waiting] = deque()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._finishing = False

    def ask(self, command: bytes, deadline: float) -> asyncio.Future[Any]:
        """The answer, a `Refused` among them, by `deadline` on the line's clock; StoreDown when the line is cut."""
        answer = asyncio.get_running_loop().create_future()
        if self._transport is None or self._transport.is_closing():
            raise StoreDown("closed")
        self._waiting.append(_Waiting(answer, deadline))
        self._transport.write(command)
        if self._timer is None:
            self._look_in(deadline - self._clock(), second=False)
        return answer

    def finish(self) -> None:
        """Close when everything is answered."""
        self._finishing = True
        if not self._waiting:
            self.cut("closed")

    def cut(self, why: str) -> None:
        """Close now. Nothing that is under way is answered any more."""
        transport, self._transport = self._transport, None
        if transport is None:
            return
        transport.abort()
        if self._timer is not None:
            self._timer.cancel()
        unanswered = [waiting.answer for waiting in self._waiting]
        self._waiting.clear()
        for answer in unanswered:
            if not answer.done():
                answer.set_exception(StoreDown(why))
        self._lost(self, why, bool(unanswered))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a TCP connection's is a Transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # its message may name addresses
        self.cut("closed")

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while self._transport is not None and (reply := self._reader.gets()) is not False:
                self._answered(reply)
        except hiredis.HiredisError:
            self.cut("garbled")
        if self._finishing and not self._waiting:
            self.cut("closed")

    def _answered(self, reply: Any) -> None:
        if not self._waiting:
            self.cut("garbled")  # an answer to nothing: from here on, nobody's would be his own
            return
        answer = self._waiting.popleft().answer
        if not answer.done():
            answer.set_result(reply)

    def _look_in(self, seconds: float, *, second: bool) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(seconds, 0.0), self._look, self._waiting[0] if second else None)

    def _look(self, late: _Waiting | None) -> None:
        """Whether the oldest is late. `late` was so a moment ago."""
        self._timer = None
        if not self._waiting:
            return
        oldest, left_s = self._waiting[0], self._waiting[0].deadline - self._clock()
        if left_s > 0:
            self._look_in(left_s, second=False)
        elif oldest is late:
            self.cut("timeout")
        else:
            self._look_in(SECOND_LOOK_S, second=True)
