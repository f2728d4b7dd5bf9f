"""The floor: `python floor.py UPSTREAM`, prints its port. Passes every request on, and does nothing else.

What bare ASGI on the same server, loop and HTTP client costs. A program of its own, as `mock`.
"""

import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import aiohttp
import uvicorn

Message = MutableMapping[str, Any]


class Floor:
    """ASGI."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._session: aiohttp.ClientSession | None = None

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        session = self._session = self._session or aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=1000), auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {"content-type": "application/json"}
        async with session.post(self._upstream + scope["path"], data=body, headers=headers) as reply:
            kind = reply.headers["content-type"].encode()
            sent = [(b"content-type", kind)]
            started = {"type": "http.response.start", "status": reply.status, "headers": sent}
            if reply.content_length is not None:
                answer = await reply.read()
                sent.append((b"content-length", str(len(answer)).encode()))
                await send(started)
                await send({"type": "http.response.body", "body": answer})
                return
            await send(started)
            async for chunk in reply.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(
        Floor(sys.argv[1]), log_config=None, access_log=False, server_header=False, lifespan="off",
        http="httptools", loop="uvloop", backlog=2048, timeout_keep_alive=75,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
