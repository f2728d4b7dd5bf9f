"""Before every route, and before its absence: `Host` and `Origin`, and for the admin plane the token."""

import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from core import client_address
from core.admin_door import Brake, check_site, check_token, headers_for, is_admin
from core.admission import Admission
from core.client_body import ClientGoneError, whole_body
from core.edge import check_host, check_json, headers_of
from core.errors import ProxyError, RateLimited, Unauthorized, public_error
from core.generation import Generation, Generations
from core.http1_cycle import CLIENT
from core.refusals import Tally
from core.web import answers

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: No body for the admin plane is larger, whatever `server.max_body_bytes` allows.
MAX_BODY: Final = 32 * 1024 * 1024


class Door:
    """In front of `inner` (ASGI). `say` takes log lines."""

    def __init__(
        self,
        inner: App,
        generations: Generations,
        admission: Admission,
        brake: Brake,
        say: Callable[[dict[str, object], str], None],
    ) -> None:
        self._inner, self._generations, self._admission = inner, generations, admission
        self._brake, self._say = brake, say

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        headers, started = headers_of(scope["headers"]), False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = _with(message["headers"], headers_for(scope["path"]))
            await send(message)

        try:
            generation = self._generations.current
            check_host(headers, generation.hosts)
            if is_admin(scope["path"]):
                check_site(headers)
                check_admin(scope, headers, generation, self._brake, self._admission.tally)
                receive = await self._with_body(scope, headers, receive, generation)
            await self._inner(scope, receive, sending)
        except ClientGoneError:
            return
        except Exception as exc:  # whatever a route does, the client gets an error of its own shape
            if started:
                raise
            if not isinstance(exc, ProxyError):
                self._bug(scope, exc)
            await self._refuse(exc, scope, headers, receive, sending)

    async def _with_body(
        self, scope: Scope, headers: dict[str, str], receive: Receive, generation: Generation
    ) -> Receive:
        """What gives the route its body: read whole, for who may only read sends none."""
        if scope["method"] in {"GET", "HEAD"}:
            return receive
        check_json(headers)
        server = generation.loaded.settings.server
        server = server.model_copy(update={"max_body_bytes": min(server.max_body_bytes, MAX_BODY)})
        with self._admission.arriving:
            body = await whole_body(scope["extensions"][CLIENT], receive, headers, server, self._admission)
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def given() -> Message:
            return messages.pop() if messages else await receive()

        return given

    async def _refuse(
        self, exc: Exception, scope: Scope, headers: dict[str, str], receive: Receive, send: Send
    ) -> None:
        status, kind, message = public_error(exc)
        message = self._generations.current.loaded.secrets.redactor.text(message)
        more = exc.headers if isinstance(exc, ProxyError) else None
        await answers.error(scope["path"], headers, status, kind, message, more)(scope, receive, send)

    def _bug(self, scope: Scope, exc: Exception) -> None:
        """Where it happened and of which type; its message may hold anything."""
        where = "".join(traceback.format_tb(exc.__traceback__, limit=-4))
        path = scope["path"] if is_admin(scope["path"]) else ""
        path = self._generations.current.loaded.secrets.redactor.text(path[:100])
        self._say({"event": "bug", "path": path, "type": type(exc).__name__, "where": where}, "error")


def check_admin(scope: Scope, headers: dict[str, str], generation: Generation, brake: Brake, tally: Tally) -> None:
    """Unauthorized without the admin token, RateLimited after too many wrong ones; `tally` counts both."""
    peer = scope["client"][0] if scope.get("client") else ""
    address = client_address.client(peer, headers, generation.loaded.settings.server.trusted_proxies)
    try:
        check_token(headers, generation.loaded.secrets.admin, address, brake)
    except (RateLimited, Unauthorized) as exc:
        tally.add("admin_guesses" if isinstance(exc, RateLimited) else "admin_token")
        raise


def _with(headers: Any, more: tuple[tuple[bytes, bytes], ...]) -> list[tuple[bytes, bytes]]:
    """Ours take the place of a route's own, but for how long it may be kept: a route may say that itself."""
    given = {name for name, _ in headers}
    return [*headers, *(each for each in more if each[0] not in given)]
