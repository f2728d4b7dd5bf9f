"""`GET /admin/providers` and `GET /admin/limits`: how providers are, what they cost, and what is left of limits."""

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core import shown_limits, shown_providers
from core.web import answers

if TYPE_CHECKING:
    from core.app import Proxy

#: What was spent today is read from the records, which may be many, at most once in so many seconds.
FRESH_S: Final = 10.0


def routes(proxy: "Proxy") -> list[Route]:
    """See the module."""
    today = Today(proxy)

    async def providers(_: Request) -> Response:
        spent = await today.spent()
        return answers.value(proxy.known, {"providers": shown(proxy, spent)})

    async def limits(_: Request) -> Response:
        settings, budgeting = proxy.generations.current.loaded.settings, proxy.keeping.budgeting
        found = {
            "limits": shown_limits.limits(await proxy.keeping.limiting.left()),
            "budgets": shown_limits.spending(settings, budgeting.known, time.time_ns() // 1_000_000),
            "unpriced": round(proxy.metrics.of_requests.unpriced.labels().read()[0]),
        }
        return answers.value(proxy.known, found)

    return [
        Route("/admin/providers", providers, methods=["GET"]),
        Route("/admin/limits", limits, methods=["GET"]),
    ]


class Today:
    """What was spent today, by provider, as recorded."""

    def __init__(self, proxy: "Proxy") -> None:
        self._proxy, self._read = proxy, float("-inf")
        self._spent: dict[str, int] | None = None
        self._lock = asyncio.Lock()

    async def spent(self) -> dict[str, int] | None:
        """In micro-USD; None if nobody knows."""
        async with self._lock:
            if time.monotonic() - self._read >= FRESH_S:
                recording = self._proxy.keeping.recording
                settings = self._proxy.generations.current.loaded.settings.records
                self._spent = await asyncio.to_thread(recording.spent_at, settings, time.time_ns() // 1_000_000)
                self._read = time.monotonic()
            return self._spent


def shown(proxy: "Proxy", today: dict[str, int] | None) -> list[dict[str, Any]]:
    """All providers as data."""
    generation = proxy.generations.current
    return shown_providers.shown(
        generation.snapshot,
        generation.loaded.secrets.providers,
        standing=proxy.standing,
        figures=proxy.figures.targets,
        connections=proxy.upstream.counts_at,
        today=today,
        now_ms=time.time_ns() // 1_000_000,
    )
