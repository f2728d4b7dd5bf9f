"""Fetches the images that clients name by URL, for providers that take no URLs.

Only public addresses are asked, each judged after it is resolved and connected to as it was judged; no redirect is
followed, and nothing of the client's request goes along.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from core import image_urls
from core.errors import UpstreamFailed
from core.messages import Request, Source
from core.schema import ImageSettings

#: What is kept for the next turns of a conversation, in characters of base64 of all images together.
CACHE = 32 * 1024 * 1024
#: Images of one request that are fetched at once: more is memory that a small request may cost.
AT_ONCE = 4

#: URL, most bytes, most seconds; UpstreamFailed says why there is nothing.
Fetch = Callable[[str, int, float], Awaitable[bytes]]


class Pictures:
    """Images by their URL, the last ones used kept."""

    def __init__(self, fetch: Fetch, *, cache: int = CACHE) -> None:
        self._fetch = fetch
        self._most = cache
        self._kept: OrderedDict[str, Source] = OrderedDict()
        self._size = 0

    async def inlined(self, request: Request, settings: ImageSettings) -> Request:
        """The request with every image in it as base64. BadRequest names the first that cannot be had."""
        found = image_urls.named(request)
        if not found:
            return request
        if not settings.fetch:
            raise image_urls.refusal(found[0].path, "this provider takes no URLs, and images.fetch is off")
        image_urls.check(found, settings.max_count)
        places = {url: path for path, url in reversed(found)}
        fetched = await self._all(places, settings)
        return image_urls.with_sources(request, fetched)

    async def _all(self, places: dict[str, str], settings: ImageSettings) -> dict[str, Source]:
        """Some at once; the first failure ends the others."""
        gate, size, most = asyncio.Semaphore(AT_ONCE), 0, settings.max_total_bytes

        async def one(url: str, path: str) -> Source:
            nonlocal size
            async with gate:
                source = await self._one(url, path, settings)
                size += len(source.data) * 3 // 4
                if size > most:
                    why = f"the images of this request are over {most} bytes together (images.max_total_bytes)"
                    raise image_urls.refusal(path, why)
                return source

        try:
            async with asyncio.TaskGroup() as group:
                tasks = {url: group.create_task(one(url, path)) for url, path in places.items()}
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return {url: task.result() for url, task in tasks.items()}

    async def _one(self, url: str, path: str, settings: ImageSettings) -> Source:
        if kept := self._kept.get(url):
            self._kept.move_to_end(url)
            return kept
        try:
            data = await self._fetch(url, settings.max_bytes, settings.fetch_s)
        except UpstreamFailed as failed:
            raise image_urls.refusal(path, f"{urlsplit(url).hostname}: {failed.message}") from None
        source = image_urls.as_source(data)
        if source is None:
            raise image_urls.refusal(path, f"{urlsplit(url).hostname}: what is there is no PNG, JPEG, GIF or WebP")
        self._keep(url, source)
        return source

    def _keep(self, url: str, source: Source) -> None:
        if url in self._kept or len(source.data) > self._most:
            return
        self._kept[url] = source
        self._size += len(source.data)
        while self._size > self._most:
            _, old = self._kept.popitem(last=False)
            self._size -= len(old.data)
