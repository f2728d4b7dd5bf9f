"""The floor without ASGI: `python protocol.py PORT`, prints its port; PORT is the provider's.

asyncio's protocols on both sides, on uvloop: bytes are passed on as they come, parsed only as far as is needed to know
where a request and its answer end. Each client's connection has one of its own to the provider.
"""

import asyncio
import sys
from typing import cast

import httptools
import uvloop


class Side(asyncio.Protocol):
    """One of the two connections; what comes goes out on the other."""

    def __init__(self, parser: "type[httptools.HttpRequestParser] | type[httptools.HttpResponseParser]") -> None:
        self._parser = parser(self)
        self.other: asyncio.Transport | None = None
        self.transport: asyncio.Transport | None = None
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)
        if self.other is None:
            self._early.append(data)
        else:
            self.other.write(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self.other is not None:
            self.other.close()

    def join(self, other: asyncio.Transport) -> None:
        self.other = other
        other.writelines(self._early)


class Client(Side):
    """A client's connection."""

    def __init__(self, port: int) -> None:
        super().__init__(httptools.HttpRequestParser)
        self._port = port
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._task = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        transport, provider = await asyncio.get_running_loop().create_connection(
            lambda: Side(httptools.HttpResponseParser), "127.0.0.1", self._port
        )
        if self.transport is not None:
            provider.other = self.transport
            self.join(transport)


async def main() -> None:
    port = int(sys.argv[1])
    server = await asyncio.get_running_loop().create_server(lambda: Client(port), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
