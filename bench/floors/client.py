"""A minimal HTTP/1.1 client on an asyncio protocol and httptools, for floors: no limits, no clocks, no judgement."""

import asyncio
from collections import deque
from typing import cast

import httptools


class Link(asyncio.Protocol):
    """A connection to the provider; one request after another."""

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.pieces: deque[bytes] = deque()
        self.done = False
        self._begun = False
        self._waiter: asyncio.Future[None] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name

    def send(self, head: bytes, body: bytes) -> None:
        self.headers, self.done, self._begun = {}, False, False
        self._parser = httptools.HttpResponseParser(self)
        if self._transport is not None:
            self._transport.writelines((head, body))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._transport = None
        self._wake()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self._begun = True

    def on_body(self, piece: bytes) -> None:
        self.pieces.append(piece)

    def on_message_complete(self) -> None:
        self.done = True

    @property
    def status(self) -> int:
        return int(self._parser.get_status_code())

    async def begun(self) -> None:
        """The head is there."""
        while not self._begun:
            await self._more()

    async def whole(self) -> bytes:
        while not self.done:
            await self._more()
        body = b"".join(self.pieces)
        self.pieces.clear()
        return body

    async def piece(self) -> bytes:
        """What has come since the last one; empty at the end."""
        while not self.pieces and not self.done:
            await self._more()
        body = b"".join(self.pieces)
        self.pieces.clear()
        return body

    async def _more(self) -> None:
        if self._transport is None:
            raise ConnectionResetError("the provider closed the connection")
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Links:
    """Connections that are kept."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[Link] = []

    async def take(self) -> Link:
        if self._idle:
            return self._idle.pop()
        _, link = await asyncio.get_running_loop().create_connection(Link, "127.0.0.1", self._port)
        return link

    def give(self, link: Link) -> None:
        """Only after a whole answer."""
        self._idle.append(link)
