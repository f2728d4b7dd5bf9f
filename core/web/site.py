"""The FastAPI application behind the data plane: health, models and metrics, the page's files and the admin plane."""

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from core import __version__, models, restart
from core.edge import headers_of, is_here
from core.errors import Forbidden, NotFound, ProxyError, Unauthorized, public_error, type_of_status
from core.exchange import Refusal
from core.generation import Generation, Generations
from core.routing import explicit, permission
from core.schema import ServerKey
from core.web import admin, answers, static
from core.web.door import check_admin

if TYPE_CHECKING:
    from core.app import Proxy


def build(proxy: "Proxy") -> FastAPI:
    """Everything but the data plane; `Door` stands before it."""
    # No response models and no typed parameters: for the first of them FastAPI imports pydantic's old version, 50 ms.
    web = FastAPI(lifespan=proxy.lifespan, openapi_url=None, redirect_slashes=False)
    current = proxy.generations

    @web.api_route("/", methods=["GET", "HEAD"], response_model=None)
    def root() -> dict[str, str]:
        return {"name": "terraphim-llm-proxy", "version": __version__}

    @web.api_route("/api/hello", methods=["GET", "HEAD"], response_model=None)
    def hello() -> dict[str, str]:
        return {"message": "hello"}

    @web.get("/health", response_model=None)
    @web.get("/health/ready", response_model=None)
    def ready(request: Request) -> JSONResponse:
        generation = current.current
        stopping = proxy.drain.stopping
        state = {
            "status": "stopping" if stopping else "ok",
            "version": __version__,
            "snapshot": generation.snapshot.id,
            "simulated": generation.loaded.settings.simulated,
            **proxy.keeping.health(),
            "problems": len(current.present.all),
            "restart": list(restart.waiting(current.started, generation.loaded.settings)),
        }
        if proxy.member is not None:
            state["workers"] = proxy.member.health()
        if _is_here(request) and (rollouts := proxy.rolling.shown()):
            state["rollouts"] = rollouts
        if _trusted(request, generation):
            state["problem"] = current.present.listing()
        return JSONResponse(state, 503 if stopping else 200)

    @web.get("/health/live", response_model=None)
    def live() -> dict[str, str]:
        return {"status": "ok"}

    @web.get("/metrics")
    async def metrics(request: Request) -> Response:
        _may_measure(request, proxy)
        asks = request.headers
        page = await proxy.scraping.page(asks.get("accept", ""), asks.get("accept-encoding", ""))
        return Response(page.body, headers=page.headers)

    _models(web, current)
    _errors(web, current)
    # Starlette's routes: there is nothing that FastAPI's decorators would have to find out of a function's signature.
    web.router.routes.extend([*static.routes(static.read()), *admin.routes(proxy)])
    return web


def _trusted(request: Request, generation: Generation) -> bool:
    """Whether who asks may see names of files: somebody on this machine, or with a client's key."""
    try:
        return _is_here(request) or _key_of(request, generation) is not None
    except ProxyError:
        return False


def _models(web: FastAPI, current: Generations) -> None:
    @web.get("/v1/models")
    def list_models(request: Request) -> JSONResponse:
        generation = current.current
        key = _key_of(request, generation)
        return JSONResponse(
            models.listing(
                generation.snapshot,
                request.query_params,
                anthropic="anthropic-version" in request.headers,
                allowed=key.targets if key else (),
            )
        )

    @web.get("/v1/models/{name:path}")
    def one_model(request: Request) -> JSONResponse:
        generation = current.current
        key = _key_of(request, generation)
        name, snapshot = request.path_params["name"], generation.snapshot
        allowed = key.targets if key else ()
        found = explicit.parse(snapshot, name, allowed)
        if isinstance(found, Refusal):
            raise NotFound(found.message)
        if key and found and not permission.permitted(str(found), allowed):
            raise Forbidden(permission.refusal(found, key.name, allowed))
        shown = str(found or name)
        shown = generation.loaded.secrets.redactor.text(shown)  # any name is a model's here
        return JSONResponse(models.entry(snapshot, shown, anthropic="anthropic-version" in request.headers))


def _errors(web: FastAPI, current: Generations) -> None:
    """Errors in the client's shape here, too; they quote what was asked for, and no key."""

    def told(request: Request, status: int, kind: str, message: str, more: Mapping[str, str] | None) -> Response:
        message = current.current.loaded.secrets.redactor.text(message)
        return answers.error(request.url.path, request.headers, status, kind, message, more)

    @web.exception_handler(HTTPException)
    def http_error(request: Request, exc: HTTPException) -> Response:
        message = f"{request.method} {request.url.path}: {exc.detail}"
        return told(request, exc.status_code, type_of_status(exc.status_code), message, exc.headers)

    @web.exception_handler(ProxyError)
    def proxy_error(request: Request, exc: ProxyError) -> Response:
        return told(request, *public_error(exc), exc.headers)


def _may_measure(request: Request, proxy: "Proxy") -> None:
    """This machine, a client's key, or the admin token; Unauthorized or RateLimited for everybody else."""
    headers, generation = headers_of(request.headers.raw), proxy.generations.current
    if _is_here(request):
        return
    with suppress(Unauthorized):
        if generation.client_keys.key_of(headers) is not None:
            return
    check_admin(request.scope, headers, generation, proxy.brake, proxy.tally)


def _is_here(request: Request) -> bool:
    return is_here(request.client.host if request.client else "", headers_of(request.headers.raw))


def _key_of(request: Request, generation: Generation) -> ServerKey | None:
    """The client's key, as on the data plane; Unauthorized without one where one is needed."""
    return generation.client_keys.key_of(headers_of(request.headers.raw))
