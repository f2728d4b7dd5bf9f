"""How one answer is played: the good one in pieces, its framing, and the connection that it is written to."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Protocol

import msgspec
from upstream_wire import Frame, Part

from prove import chain
from prove.faultd_dialects import Dialect, deltas
from prove.faultd_table import ENDLESS, FAULTS, Directive

#: What a keep-alive, a drip or a slow answer waits between two of its bytes (s).
PAUSE_S: Final = 0.03
#: A hang ends when the peer has closed; this is for ever (s).
FOREVER_S: Final = 600.0


class Peer(Protocol):
    """The connection of whoever asked."""

    async def send(self, data: bytes) -> None:
        """Written, and drained as far as the peer reads."""
        ...

    def close(self) -> None:
        """FIN."""
        ...

    def reset(self) -> None:
        """RST."""
        ...


class Play:
    """One request and the good answer to it."""

    def __init__(
        self, directive: Directive, dialect: Dialect, peer: Peer, *, streamed: bool, key: str, trap: int
    ) -> None:
        self.directive, self.dialect, self.peer, self.streamed = directive, dialect, peer, streamed
        self.key, self.trap = key, trap
        self.rng = random.Random(directive.seed)  # noqa: S311 - reproducible on purpose
        self.shape = chain.shape_of((FAULTS | ENDLESS)[directive.fault].shape, directive.seed)
        self._step = chain.step(self.shape, directive.nonce)
        self._asked: dict[str, Any] = {"model": "m", "stream_options": {"include_usage": True}}

    @property
    def whole(self) -> dict[str, Any]:
        """The answer to a request that is not streamed."""
        return self.dialect.wire.whole(self._step, self._asked, 400)

    @property
    def frames(self) -> list[Frame]:
        """The answer to one that is."""
        return self.dialect.good(list(self.dialect.wire.frames(self._step, self._asked, 400)))

    def data(self, frames: Sequence[Frame] | None = None) -> bytes:
        """All bytes of the good answer's body, or of these frames."""
        if self.streamed:
            return b"".join(frame.data for frame in frames or self.frames)
        return msgspec.json.encode(self.whole)

    def half(self, *, mid_event: bool = False) -> bytes:
        """The bytes up to somewhere in the middle: before the last content, perhaps before any."""
        if not self.streamed:
            data = self.data()
            return data[: self.rng.randrange(1, len(data) - 1)]
        frames = self.frames
        at = self.rng.choice(deltas(frames))
        part = frames[at].data[: self.rng.randrange(1, len(frames[at].data) - 2)] if mid_event else b""
        return b"".join(frame.data for frame in frames[:at]) + part

    def head(self, *headers: str, status: str = "200 OK", type: str | None = None) -> bytes:
        """A head; without a type, that of the answer."""
        usual = "text/event-stream; charset=utf-8" if self.streamed else "application/json"
        named = () if type == "" else (f"content-type: {type or usual}",)
        own = (f"request-id: {self.directive.nonce}", f"set-cookie: provider={self.directive.nonce}")
        return "\r\n".join([f"HTTP/1.1 {status}", *named, *own, *headers, "", ""]).encode("latin-1")

    async def begin(self, *headers: str, type: str | None = None) -> None:
        """The head of a chunked answer."""
        await self.peer.send(self.head("transfer-encoding: chunked", *headers, type=type))

    async def chunk(self, data: bytes) -> None:
        """One chunk; none for no bytes, which would be the end."""
        if data:
            await self.peer.send(chunk(data))

    async def end(self) -> None:
        """The end of a chunked answer."""
        await self.peer.send(chunk(b""))

    async def answer(self, data: bytes | None = None, *headers: str, type: str | None = None) -> None:
        """These bytes, or the good answer's, as a good provider frames them; cut into chunks as the seed will."""
        data = self.data() if data is None else data
        if not self.streamed:
            await self.peer.send(self.head(f"content-length: {len(data)}", *headers, type=type) + data)
            return
        cuts = sorted(self.rng.randrange(1, len(data)) for _ in range(self.directive.seed % 4)) if len(data) > 1 else []
        parts = [data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        head = self.head("transfer-encoding: chunked", *headers, type=type)
        await self.peer.send(head + chunk(parts[0]) if parts[0] else head)
        for part in parts[1:]:
            await asyncio.sleep(0)
            await self.chunk(part)
        await self.end()

    async def refuse(
        self,
        status: str,
        *headers: str,
        message: str = "scripted failure",
        type: str = "",
        spelled: Callable[[str], str] = str,
    ) -> None:
        """An error answer in the provider's dialect, in which a key is spelled so."""
        body = msgspec.json.encode(self.dialect.wire.error(int(status[:3]), type, message))
        body = body.replace(self.key.encode(), spelled(self.key).encode()) if self.key else body
        head = self.head(f"content-length: {len(body)}", *headers, status=status, type="application/json")
        await self.peer.send(head + body)

    async def drip(self, data: Iterable[int], pause_s: float) -> None:
        """One byte after the other, each with a pause after it."""
        for byte in data:
            await self.peer.send(bytes((byte,)))
            await asyncio.sleep(pause_s)

    async def hang(self) -> None:
        """Nothing more, until the peer leaves."""
        await asyncio.sleep(FOREVER_S)


def chunk(data: bytes) -> bytes:
    """RFC 9112, section 7.1."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def changed(frames: list[Frame], change: Callable[[Frame], Frame]) -> list[Frame]:
    """Frames with JSON changed, the others as they are."""
    return [frame if frame.data == b"data: [DONE]\n\n" else change(frame) for frame in frames]


def end_at(frames: list[Frame]) -> int:
    """The index of the first frame of the ending that makes it a success."""
    return next(at for at, frame in enumerate(frames) if frame.part is Part.END)


Player = Callable[[Play], Awaitable[None]]


class Plays(dict[str, Player]):
    """What plays each fault."""

    def __call__(self, *names: str) -> Callable[[Player], Player]:
        """Register a function as the one that plays these."""

        def register(player: Player) -> Player:
            self.update(dict.fromkeys(names, player))
            return player

        return register
