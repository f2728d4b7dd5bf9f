"""`GET /admin/events`: server-sent events, until its reader leaves, the proxy stops or the token is another."""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.routing import Route

from core.feed_readers import Reader, event
from core.web.admin_overview import overview
from core.web.door import Receive, Scope, Send

if TYPE_CHECKING:
    from core.app import Proxy

TICK_S: Final = 1.0
#: Ticks between two comments, which keep open what looks for bytes only.
_PING: Final = 15
_HEAD: Final = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]


def routes(proxy: "Proxy") -> list[Route]:
    """See the module."""
    return [Route("/admin/events", Events(proxy), methods=["GET"])]


class Events:
    """ASGI, for one request after another: Starlette's own streams do not see a reader that has left."""

    def __init__(self, proxy: "Proxy") -> None:
        self._proxy = proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One reader; RateLimited if there are too many."""
        proxy, news, token = self._proxy, asyncio.Event(), self._token
        if scope["method"] == "HEAD":
            await send({"type": "http.response.start", "status": 200, "headers": _HEAD})
            await send({"type": "http.response.body", "body": b""})
            return
        reader = proxy.readers.join(news.set)
        watch = asyncio.create_task(_gone(receive))
        watch.add_done_callback(lambda _: news.set())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEAD})
            await _say(send, event("hello", self._encoded(overview(proxy))))
            await self._follow(send, reader, news, lambda: watch.done() or self._token != token)
            await send({"type": "http.response.body", "body": b""})
        finally:
            proxy.readers.leave(reader)
            watch.cancel()

    async def _follow(self, send: Send, reader: Reader, news: asyncio.Event, over: Callable[[], bool]) -> None:
        """Everything that comes, and a tick a second."""
        loop, ticks = asyncio.get_running_loop(), 0
        due = loop.time() + TICK_S
        while not (over() or self._proxy.drain.stopping):
            try:
                async with asyncio.timeout_at(due):
                    await news.wait()
            except TimeoutError:
                due, ticks = loop.time() + TICK_S, ticks + 1
                await _say(send, event("tick", self._encoded(self._tick())))
                if ticks % _PING == 0:
                    await _say(send, b": ping\n\n")
            else:
                news.clear()
                if what := reader.take():
                    await _say(send, what)

    @property
    def _token(self) -> str:
        return self._proxy.generations.current.loaded.secrets.admin

    def _tick(self) -> dict[str, int]:
        feed, admission = self._proxy.feed, self._proxy.admission
        now_ms = time.time_ns() // 1_000_000
        return {"now_ms": now_ms, "in_flight": admission.in_flight, "requests": feed.total, "errors": feed.errors}

    def _encoded(self, value: object) -> bytes:
        return self._proxy.known.cleaned(msgspec.json.encode(value))


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _say(send: Send, what: bytes) -> None:
    await send({"type": "http.response.body", "body": what, "more_body": True})
