"""A provider that streams for ever to whoever asks for it: `python endless.py`, prints its port.

A request that holds `ENDLESS` is answered with deltas as fast as its reader takes them, any other one as `ready`
does. `GET /open` says how many connections there are beside its own.
"""

import asyncio
import json

import uvloop

from prove.ready import Provider

MARK = b"ENDLESS"
_DELTA = json.dumps(
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "for ever and ever " * 50}}
)
_EVENT = f"event: content_block_delta\ndata: {_DELTA}\n\n".encode()
_START = b"".join(
    b"event: %b\ndata: %b\n\n" % (name, json.dumps({"type": name.decode(), **value}).encode())
    for name, value in (
        (
            b"message_start",
            {"message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "endless", "content": [],
                         "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}},
        ),
        (b"content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
    )
)  # fmt: skip
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Endless(Provider):
    """One connection."""

    alive = 0

    def __init__(self) -> None:
        super().__init__()
        self._streams = False
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        Endless.alive += 1
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        Endless.alive -= 1
        self._transport = None

    def data_received(self, data: bytes) -> None:
        if self._transport is not None and data.startswith(b"GET /open "):
            body = b"%d" % (Endless.alive - 1)
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        elif MARK not in self._data + data:
            super().data_received(data)
        elif self._transport is not None and not self._streams:
            self._streams = True
            self._transport.write(_HEAD + _chunk(_START))
            self._pump()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._pump()

    def _pump(self) -> None:
        """A little more, a turn of the loop each, so that others get theirs."""
        if self._transport is not None and not self._paused and not self._transport.is_closing():
            self._transport.write(_chunk(_EVENT * 4))
            asyncio.get_running_loop().call_soon(self._pump)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Endless, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
