"""`GET /admin/promises`: what docs/security.md promises, and what this process counted of it."""

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core import shown_promises
from core.web import answers

if TYPE_CHECKING:
    from core.app import Proxy


def routes(proxy: "Proxy") -> list[Route]:
    """See the module."""

    def show(_: Request) -> Response:
        return answers.value(proxy.known, {"promises": shown_promises.shown(proxy.metrics.samples().of)})

    return [Route("/admin/promises", show, methods=["GET"])]
