"""The load generator: `python clients.py PORT PATH BODY CONNECTIONS SECONDS`, prints one JSON object.

Every connection sends its next request when the answer to the last one is whole. An answer counts as broken unless its
status is 200, its framing is complete and all of the mock's words are in it. The first fifth of the time is not
measured. A program of its own, as `mock`; BODY is a file.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import cast

import uvloop

WORDS = 20


def unchunked(data: bytes) -> bytes | None:
    """The body of a chunked message (RFC 9112, 7.1), or None if its last chunk is not there."""
    parts: list[bytes] = []
    at = 0
    while (end := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:end], 16)
        at = end + 2 + size + 2
        if at > len(data):
            return None
        if not size:
            return b"".join(parts)
        parts.append(data[end + 2 : end + 2 + size])
    return None


class Client(asyncio.Protocol):
    """One connection in a closed loop."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._data = b""
        self._begun = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self._ask()

    def _ask(self) -> None:
        self._data = b""
        self._begun = time.perf_counter()
        if self._transport is not None:
            self._transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        self._data = self._data + data if self._data else data
        head, split, rest = self._data.partition(b"\r\n\r\n")
        if not split:
            return
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        if at >= 0:
            length = int(lowered[at + 15 :].split(b"\r\n", 1)[0])
            body = rest if len(rest) >= length else None
        else:
            body = unchunked(rest) if rest.endswith(b"0\r\n\r\n") else None
        if body is None:
            return
        whole = head.startswith(b"HTTP/1.1 200 ") and body.count(b"word") == WORDS
        self._load.answered(time.perf_counter(), self._begun, whole=whole)
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._load.lost()


class Load:
    """All connections of one run."""

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.milliseconds: list[float] = []
        self.broken = 0
        self.begun = float("inf")
        self.seconds = 0.0
        self._ending = False

    def answered(self, now: float, begun: float, *, whole: bool) -> None:
        if not whole:
            self.broken += 1
        elif begun >= self.begun:
            self.milliseconds.append((now - begun) * 1000)

    def lost(self) -> None:
        """A server that closes a connection in the middle has broken an answer."""
        self.broken += not self._ending

    async def run(self, port: int, connections: int, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        opened = [await loop.create_connection(lambda: Client(self), "127.0.0.1", port) for _ in range(connections)]
        await asyncio.sleep(seconds / 5)
        self.begun = time.perf_counter()
        await asyncio.sleep(seconds * 4 / 5)
        self.seconds = time.perf_counter() - self.begun
        self._ending = True
        for transport, _ in opened:
            transport.close()


def main() -> None:
    port, path, file, connections, seconds = sys.argv[1:]
    body = Path(file).read_bytes()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"anthropic-version: 2023-06-01\r\nuser-agent: bench/1\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    load = Load(head.encode() + body)
    uvloop.run(load.run(int(port), int(connections), float(seconds)))
    print(json.dumps({"milliseconds": load.milliseconds, "broken": load.broken, "seconds": load.seconds}))


if __name__ == "__main__":
    main()
