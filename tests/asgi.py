"""An ASGI function behind our HTTP/1.1 protocol: `async with served(app, connections) as port`, in the test's loop."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import uvicorn
import uvloop

from core.http1 import Connection
from core.open_connections import Connections
from core.schema import ServerSettings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: A hang bound, not a measurement.
PATIENCE_S = 10.0
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
START = {"type": "http.response.start", "status": 200, "headers": []}


def piece(data: bytes, *, more: bool = True) -> MutableMapping[str, Any]:
    """A part of an answer's body."""
    return {"type": "http.response.body", "body": data, "more_body": more}


@asynccontextmanager
async def served(app: App, connections: Connections) -> AsyncIterator[int]:
    """The port that `app` is served on. AssertionError if a library complained."""
    complaints: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: complaints.append(record.getMessage())  # type: ignore[method-assign]
    listener = socket.create_server(("127.0.0.1", 0))
    protocol: Any = partial(Connection, connections)
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, lifespan="off", http=protocol, ws="none", proxy_headers=False)
    )
    logging.getLogger().addHandler(handler)
    serving = asyncio.create_task(server._serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        for connection in connections.every:
            assert isinstance(connection, Connection)
            connection.transport.abort()
        await asyncio.wait_for(serving, PATIENCE_S)
        logging.getLogger().removeHandler(handler)
    assert complaints == []


async def until(condition: Callable[[], bool]) -> None:
    """Return when `condition` holds; TimeoutError after `PATIENCE_S`."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.005)


async def greeting(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers once the whole request is here."""
    while (await receive()).get("more_body"):
        pass
    await send(START)
    await send(piece(scope["path"].encode(), more=False))


def played(app: App, play: Callable[[Connections, Streams], Awaitable[None]], **limits: float) -> None:
    """One client of `app`."""

    async def run() -> None:
        connections = Connections(limits=ServerSettings.model_validate(limits))
        async with served(app, connections) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                await asyncio.wait_for(play(connections, (reader, writer)), PATIENCE_S)
            finally:
                writer.transport.abort()

    uvloop.run(run())
