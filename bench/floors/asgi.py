"""The floor of an ASGI proxy: `python asgi.py PORT [reencode]`, prints its port; PORT is the provider's.

uvicorn, a bare ASGI function and the minimal client; passes every request on, and does nothing else. With `reencode`
it parses each request with msgspec and encodes it again: what reading and changing a body costs at the least.
"""

import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec
import uvicorn

from bench.floors.client import Link, Links

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


class Floor:
    """ASGI."""

    def __init__(self, port: int, change: Callable[[bytes], bytes]) -> None:
        self._links = Links(port)
        self._change = change

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        body = self._change(body)
        link = await self._links.take()
        link.send(
            b"POST %b HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            % (scope["raw_path"], len(body)),
            body,
        )
        await link.begun()
        await self._answer(link, send)
        self._links.give(link)

    async def _answer(self, link: Link, send: Send) -> None:
        headers = [(name, link.headers[name]) for name in (b"content-type", b"content-length") if name in link.headers]
        await send({"type": "http.response.start", "status": link.status, "headers": headers})
        if b"content-length" in link.headers:
            await send({"type": "http.response.body", "body": await link.whole()})
            return
        while piece := await link.piece():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def reencoded(body: bytes) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(body))


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(listener.getsockname()[1], flush=True)
    change = reencoded if "reencode" in sys.argv else lambda body: body
    config = uvicorn.Config(
        Floor(int(sys.argv[1]), change), log_config=None, access_log=False, server_header=False, lifespan="off",
        http="httptools", loop="uvloop", backlog=2048, timeout_keep_alive=75,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
