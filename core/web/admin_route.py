"""`POST /admin/route`: what would be decided for a request, and what a rule that is tried would say of it."""

import base64
import binascii
import time
from collections.abc import Mapping
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.call import Call
from core.candidates import Offer
from core.dialects import CLIENTS
from core.errors import BadRequest
from core.exchange import Decision, Exchange, Inputs, TargetState
from core.explain import dialect_of, explanation
from core.generation import Generation
from core.guarding import Visit
from core.schema import ServerKey
from core.web import answers, body

if TYPE_CHECKING:
    from core.app import Proxy

#: What is decided is a request of this path: nobody is asked for it.
PATH: Final = "/v1/route"
#: Characters of the human's words, which come back to who sent them: matches are places in them.
TEXT_MAX: Final = 100_000


class Dropped(msgspec.Struct, frozen=True):
    """A rule's file: `data` is base64, `manifest` TOML."""

    name: str
    data: str
    manifest: str = ""
    grants: tuple[str, ...] = ()


class Wish(msgspec.Struct, frozen=True):
    """`request` is the body of any of the three APIs; `client` is the name of the key that asks."""

    request: msgspec.Raw
    dialect: str = ""
    headers: dict[str, str] = {}
    client: str = ""
    candidate: Dropped | None = None


def routes(proxy: "Proxy") -> list[Route]:
    """See the module."""

    async def decide(request: Request) -> Response:
        return answers.value(proxy.known, await decided(proxy, await body.read(request, Wish)))

    return [Route("/admin/route", decide, methods=["POST"])]


async def decided(proxy: "Proxy", wish: Wish) -> dict[str, Any]:
    """The explanation, as `POST /v1/route` gives it, and what came of the candidate. ProxyError."""
    offer = _offer(wish.candidate) if wish.candidate else None
    call = _call(proxy, proxy.generations.current, wish)
    decision, micros = await proxy.playground.decide(call, bytes(wish.request))
    states = {**proxy.pipeline.states(call), **call.states}
    shown = {"explanation": _explanation(call, decision, states), "micros": micros, "candidate": None}
    shown["text"] = call.features.last_user[:TEXT_MAX]
    if offer is not None:
        shown["candidate"] = await proxy.playground.try_out(call, decision, states, offer)
    return shown


def _explanation(call: Call, decision: Decision, states: Mapping[str, TargetState]) -> dict[str, Any]:
    inputs = Inputs(call.features, call.session, call.states, call.factors)
    return explanation(decision, inputs, call.snapshot, states=states)


def _call(proxy: "Proxy", generation: Generation, wish: Wish) -> Call:
    settings, headers = generation.loaded.settings, {name.lower(): value for name, value in wish.headers.items()}
    if wish.dialect and wish.dialect not in CLIENTS:
        raise BadRequest(f"dialect: {wish.dialect[:40]!r} is not one of {', '.join(sorted(CLIENTS))}")
    key = _key(generation, wish.client)
    now_ms = time.time_ns() // 1_000_000
    dialect = wish.dialect or dialect_of("", headers, bytes(wish.request))
    exchange = Exchange(f"req_{token_hex(16)}", PATH, dialect, client_key=wish.client, began_ms=now_ms)
    visit = Visit((), exchange, settings, key)
    own = key.budget if key else None
    visit.budget_left = proxy.keeping.budgeting.left(wish.client, own, settings.budget, now_ms)
    return Call(
        exchange=exchange,
        snapshot=generation.snapshot,
        keys=generation.loaded.secrets.providers,
        headers=headers,
        query="",
        now_ms=now_ms,
        tz_offset_min=time.localtime().tm_gmtoff // 60,
        visit=visit,
        redactor=generation.loaded.secrets.redactor,
        allowed=key.targets if key else (),
    )


def _key(generation: Generation, name: str) -> ServerKey | None:
    keys = {key.name: key for key in generation.loaded.settings.server.keys}
    if name and name not in keys:
        raise BadRequest(f"client: {name[:80]!r} is no client's key; there are: {', '.join(keys) or 'none'}")
    return keys.get(name)


def _offer(dropped: Dropped) -> Offer:
    try:
        data = base64.b64decode(dropped.data, validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("candidate.data: not base64") from None
    return Offer(dropped.name, data, dropped.manifest, dropped.grants)
