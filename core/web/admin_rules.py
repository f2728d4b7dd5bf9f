"""`/admin/rules`: the rules and how they do; switching them, and moving them from stage to stage."""

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core import rule_moves, shown_rules
from core.errors import BadRequest, Conflict, NotFound
from core.generation import Generation
from core.rollout_plan import Refused, unguarded
from core.web import answers, body
from wasm_host.rule import Rule

if TYPE_CHECKING:
    from core.app import Proxy

ACTIONS: Final = ("enable", "disable", "promote", "rollback")
#: Who moves rules here: whoever has the token.
BY: Final = "admin"
#: Characters of a reason.
REASON_MAX: Final = 500


class Wish(msgspec.Struct, frozen=True):
    """`to` and `share` as on the command line: where to, if not to the next step."""

    reason: str = ""
    to: str = ""
    share: str = ""


def routes(proxy: "Proxy") -> list[Route]:
    """See the module."""

    async def show(_: Request) -> Response:
        return answers.value(proxy.known, shown(proxy))

    async def act(request: Request) -> Response:
        wish = await body.read(request, Wish)
        said = await moved(proxy, request.path_params["name"], request.path_params["action"], wish)
        return answers.value(proxy.known, said)

    return [
        Route("/admin/rules", show, methods=["GET"]),
        Route("/admin/rules/{name}/{action}", act, methods=["POST"]),
    ]


def shown(proxy: "Proxy") -> dict[str, Any]:
    """All rules as data."""
    generation = proxy.generations.current
    outcomes: dict[str, dict[str, int]] = {}
    for (rule, code), (count,) in proxy.metrics.rules.read():
        outcomes.setdefault(rule, {})[code] = round(count)
    found = shown_rules.shown(
        generation,
        states=proxy.host.state,
        figures=proxy.figures.rules,
        outcomes=outcomes,
        live=proxy.rolling.shown(),
    )
    plugins = generation.loaded.settings.plugins
    order = list(generation.loaded.settings.routing.order)
    return found | {"order": order, "isolation": plugins.isolation, "workers": len(proxy.host.pids)}


async def moved(proxy: "Proxy", name: str, action: str, wish: Wish) -> dict[str, Any]:
    """The rule after the move, which running requests do not see. NotFound; Conflict where it cannot be."""
    if action not in ACTIONS:
        raise NotFound(f"{action[:40]!r} is none of {', '.join(ACTIONS)}")
    if len(wish.reason) > REASON_MAX:
        raise BadRequest(f"reason: at most {REASON_MAX} characters")
    generation = proxy.generations.current
    rule = _rule(generation, name)
    asked = rule_moves.Asked(action, BY, wish.to, wish.share, wish.reason)
    try:
        move = await asyncio.to_thread(rule_moves.move, generation, rule, asked)
    except Refused as exc:
        raise Conflict(str(exc)) from None
    said = [f"{name}: {move.came_from} → {move.to}"]
    if not await proxy.generations.reload():
        said.append("the configuration cannot be read now: this counts as soon as it is mended")
    if note := unguarded(rule, action):
        said.append(note)
    row = next((row for row in shown(proxy)["rules"] if row["name"] == name), None)
    return {"rule": row, "said": "; ".join(said)}


def _rule(generation: Generation, name: str) -> Rule:
    try:
        return rule_moves.rule_of(generation, name)
    except rule_moves.NoSuchRule as exc:
        raise NotFound(str(exc)) from None
