"""`GET /admin/overview`: what serves, since when, what is wrong, and how much is under way."""

import time
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core import __version__, restart
from core.web import answers

if TYPE_CHECKING:
    from core.app import Proxy


def routes(proxy: "Proxy") -> list[Route]:
    """See the module."""

    async def show(_: Request) -> Response:
        return answers.value(proxy.known, overview(proxy))

    return [Route("/admin/overview", show, methods=["GET"])]


def overview(proxy: "Proxy") -> dict[str, Any]:
    """As data; times are Unix ms."""
    generations = proxy.generations
    generation = generations.current
    settings, last = generation.loaded.settings, proxy.reloads.last
    return {
        "version": __version__,
        "snapshot": generation.snapshot.id,
        "snapshot_at_ms": proxy.reloads.since_ms,
        "started_ms": proxy.reloads.started_ms,
        "now_ms": time.time_ns() // 1_000_000,
        "simulated": settings.simulated,
        "in_flight": proxy.admission.in_flight,
        "requests": {"total": proxy.feed.total, "errors": proxy.feed.errors},
        "readers": len(proxy.readers),
        "problems": generations.present.listing(),
        "restart": list(restart.waiting(generations.started, settings)),
        "last_reload": {"at_ms": last.at_ms, "outcome": last.outcome, "ms": last.ms},
        "order": list(settings.routing.order),
        "address": proxy.address,
        "log_dropped": proxy.log.dropped,
        "hardening": proxy.metrics.hardened(),
    }
