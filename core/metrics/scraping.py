"""`GET /metrics`: one text for all who ask at the same time, made and compressed in a thread."""

import asyncio
import gzip
import time
from collections.abc import Callable
from typing import NamedTuple

from core.metrics import exposition

#: Compressing harder makes a text of numbers hardly smaller.
LEVEL = 3


class Page(NamedTuple):
    """What is sent."""

    body: bytes
    headers: dict[str, str]


class Scraping:
    """`read` makes the text for a content type, in a thread; `took` is told how long that was, in seconds.

    A hundred who ask at once wait for two texts at most: the one that is being made, which may have been begun before
    they asked, and the next, which all of them get.
    """

    def __init__(self, read: Callable[[str], bytes], took: Callable[[float], None] = lambda _: None) -> None:
        self._read, self._took = read, took
        self._making = asyncio.Lock()
        self._begun = 0
        #: By content type: the number of its making, and the text, plain and compressed.
        self._made: dict[str, tuple[int, bytes, bytes]] = {}

    async def page(self, accept: str, accept_encoding: str) -> Page:
        """The metrics as somebody takes them who sends these headers."""
        kind = exposition.content_type(accept)
        plain, packed = await self._text(kind)
        headers = {"content-type": kind, "cache-control": "no-store", "vary": "accept, accept-encoding"}
        if exposition.compressible(accept_encoding):
            return Page(packed, headers | {"content-encoding": "gzip"})
        return Page(plain, headers)

    async def _text(self, kind: str) -> tuple[bytes, bytes]:
        asked = self._begun
        async with self._making:
            number, plain, packed = self._made.get(kind, (0, b"", b""))
            if number > asked:
                return plain, packed
            self._begun += 1
            number, began = self._begun, time.monotonic()
            plain, packed = await asyncio.to_thread(self._make, kind)
            self._took(time.monotonic() - began)
            self._made[kind] = number, plain, packed
            return plain, packed

    def _make(self, kind: str) -> tuple[bytes, bytes]:
        plain = self._read(kind)
        return plain, gzip.compress(plain, LEVEL, mtime=0)
