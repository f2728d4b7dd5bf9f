"""The admin plane's routes, put together. The door has let in whoever gets here.

A module of routes gives a list: an endpoint is `async def` where it reads what the event loop changes, and plain where
it may take long (Starlette runs it in a thread).
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from starlette.routing import Route

from core.web import (
    admin_events,
    admin_feed,
    admin_overview,
    admin_promises,
    admin_providers,
    admin_route,
    admin_rules,
    admin_taxonomy,
)

if TYPE_CHECKING:
    from core.app import Proxy

#: Whoever adds a module of routes names it here.
MODULES: Final[Sequence[Callable[["Proxy"], list[Route]]]] = (
    admin_overview.routes,
    admin_feed.routes,
    admin_events.routes,
    admin_route.routes,
    admin_rules.routes,
    admin_taxonomy.routes,
    admin_providers.routes,
    admin_promises.routes,
)


def routes(proxy: "Proxy") -> list[Route]:
    """All of them."""
    return [route for module in MODULES for route in module(proxy)]
