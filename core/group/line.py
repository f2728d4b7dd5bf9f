"""One end of the way between a supervisor and a worker: messages in order, those of one moment in one piece.

A piece is its length in bytes (4, the largest first) and a list of messages as MessagePack. A piece that cannot be read
ends the line: the other end is another version of this program, or ill.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar, cast

import msgspec

from core.group.messages import ToSupervisor, ToWorker, Welcome

Said = TypeVar("Said")
#: No piece is larger, in bytes: answers that are kept are the largest part of one.
MOST: Final = 256 * 1024 * 1024
_LENGTH: Final = 4
from_supervisor: Final = msgspec.msgpack.Decoder(list[ToWorker])
from_worker: Final = msgspec.msgpack.Decoder(list[ToSupervisor])
_encode: Final = msgspec.msgpack.Encoder().encode


def packed(messages: list[Any]) -> bytes:
    """The piece of these messages."""
    data = _encode(messages)
    return len(data).to_bytes(_LENGTH, "big") + data


class Splitter:
    """Bytes as they come, to pieces."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces that are whole now, without their lengths; ValueError if one is larger than any of ours."""
        self._rest += data
        pieces, at = list[bytes](), 0
        while len(self._rest) - at >= _LENGTH:
            size = int.from_bytes(self._rest[at : at + _LENGTH], "big")
            if size > MOST:
                raise ValueError(f"a piece of {size} bytes")
            end = at + _LENGTH + size
            if end > len(self._rest):
                break
            pieces.append(bytes(self._rest[at + _LENGTH : end]))
            at = end
        del self._rest[:at]
        return pieces


class Line(asyncio.Protocol, Generic[Said]):
    """`heard` is given each message, `ended` is called once, when the other end is gone."""

    def __init__(
        self,
        decoder: msgspec.msgpack.Decoder[list[Said]],
        heard: Callable[[Said], None],
        ended: Callable[[], None],
    ) -> None:
        self._decoder, self._heard, self._ended = decoder, heard, ended
        self._splitter = Splitter()
        self._waiting = list[Any]()
        self._transport: asyncio.Transport | None = None

    async def connect(self, own: socket.socket) -> None:
        """Begin, with this end of a socket pair. What was said before goes out now."""
        own.setblocking(False)  # noqa: FBT003  # the socket's own signature
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=own)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._flush()

    def say(self, message: Any) -> None:
        """To the other end, with whatever else is said at this moment; nothing if it is gone."""
        self._waiting.append(message)
        if len(self._waiting) == 1 and self._transport is not None:
            asyncio.get_running_loop().call_soon(self._flush)

    @property
    def unsent(self) -> int:
        """Bytes that the other end has not taken yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def _flush(self) -> None:
        if self._waiting and self._transport is not None:
            messages, self._waiting = self._waiting, []
            if not self._transport.is_closing():
                self._transport.write(packed(messages))

    def data_received(self, data: bytes) -> None:
        try:
            for piece in self._splitter.feed(data):
                for message in self._decoder.decode(piece):
                    self._heard(message)
        except (ValueError, msgspec.MsgspecError):
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._ended()

    def close(self) -> None:
        """End it; what was said goes out first."""
        self._flush()
        if self._transport is not None:
            self._transport.close()


def welcomed(own: socket.socket) -> Welcome:
    """The first word, before there is a loop. OSError or ValueError if it does not come."""
    own.setblocking(True)  # noqa: FBT003
    size = int.from_bytes(_read(own, _LENGTH), "big")
    [first] = from_supervisor.decode(_read(own, size))
    if not isinstance(first, Welcome):
        raise ValueError("another word comes first")
    return first


def _read(own: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        if not (more := own.recv(size - len(data))):
            raise ConnectionError("the supervisor is gone")
        data += more
    return data
