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


class _Made(NamedTuple):
    """A text, the number of its making, and the compressed text once somebody took that."""

    number: int
    plain: bytes
    packed: list[bytes]


class Scraping:
    """`read` makes the text for a content type, in a thread; `took` is told how long that was, in seconds.

    A hundred who ask at once wait for two texts at most: the one that is being made, which may have been begun before
    they asked, and the next, which all of them get. It is compressed only if somebody takes it so, and once.
    """

    def __init__(self, read: Callable[[str], bytes], took: Callable[[float], None] = lambda _: None) -> None:
        self._read, self._took = read, took
        self._making = asyncio.Lock()
        self._begun = 0
        #: By content type.
        self._made: dict[str, _Made] = {}

    async def page(self, accept: str, accept_encoding: str) -> Page:
        """The metrics as somebody takes them who sends these headers."""
        kind, packed = exposition.content_type(accept), exposition.compressible(accept_encoding)
        body = await self._body(kind, packed=packed)
        headers = {"content-type": kind, "cache-control": "no-store", "vary": "accept, accept-encoding"}
        return Page(body, headers | {"content-encoding": "gzip"} if packed else headers)

    async def _body(self, kind: str, *, packed: bool) -> bytes:
        asked = self._begun
        async with self._making:
            made = self._made.get(kind)
            if made is None or made.number <= asked:
                self._begun += 1
                number, began = self._begun, time.monotonic()
                made = _Made(number, await asyncio.to_thread(self._read, kind), [])
                self._took(time.monotonic() - began)
                self._made[kind] = made
            if packed and not made.packed:
                made.packed.append(await asyncio.to_thread(_compressed, made.plain))
            return made.packed[0] if packed else made.plain


def _compressed(text: bytes) -> bytes:
    return gzip.compress(text, LEVEL, mtime=0)
