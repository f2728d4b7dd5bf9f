"""`GET /admin/requests`, `/admin/requests/ID`, `/admin/flow` and `/admin/series`: what this process has answered."""

import asyncio
import time
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core import flow, series
from core.errors import BadRequest, NotFound
from core.feed import KEPT, found
from core.feed_kept import detail
from core.web import answers

if TYPE_CHECKING:
    from core.app import Proxy


def routes(proxy: "Proxy") -> list[Route]:
    """See the module."""
    feed = proxy.feed

    async def listed(request: Request) -> Response:
        limit = number(request, "limit", 100, most=KEPT)
        query, before = (request.query_params.get(name, "")[:1000] for name in ("q", "before"))
        shown = await asyncio.to_thread(found, feed.newest(before), limit, query)
        return answers.value(proxy.known, {"requests": shown, "kept": len(feed)})

    async def single(request: Request) -> Response:
        name = request.path_params["id"]
        one = feed.find(name)
        if one is None:
            shown = name[:64] if name.isascii() and name.isprintable() else "ID"
            hint = f"look into decision records: terraphim-proxy explain {shown}"
            raise NotFound(f"request {name[:64]!r} is not among the last {KEPT} of this process; {hint}")
        return answers.value(proxy.known, detail(*one))

    async def flowing(request: Request) -> Response:
        minutes = number(request, "minutes", 60, most=max(flow.WINDOWS))
        if minutes not in flow.WINDOWS:
            raise BadRequest(f"minutes: one of {', '.join(map(str, flow.WINDOWS))}")
        return answers.value(proxy.known, feed.flow.shown(minutes, _now_ms()))

    async def over_time(request: Request) -> Response:
        minutes = number(request, "minutes", 60, most=series.MINUTES)
        return answers.value(proxy.known, feed.series.shown(minutes, _now_ms()))

    return [
        Route("/admin/requests", listed, methods=["GET"]),
        Route("/admin/requests/{id}", single, methods=["GET"]),
        Route("/admin/flow", flowing, methods=["GET"]),
        Route("/admin/series", over_time, methods=["GET"]),
    ]


def number(request: Request, name: str, otherwise: int, *, most: int) -> int:
    """A whole number from 1 to `most` of the query; BadRequest says which it may be."""
    said = request.query_params.get(name)
    if said is None:
        return otherwise
    if not (said.isascii() and said.isdigit() and len(said) <= 9 and 1 <= int(said) <= most):
        raise BadRequest(f"{name}: a whole number from 1 to {most}")
    return int(said)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
