"""`explain FILE`: a decision in this process, with rules run in a worker as the proxy would run them."""

import asyncio
import time
from typing import Any

import msgspec

from core import settings
from core.call import Call
from core.dialects import CLIENTS
from core.errors import ProxyError, public_error
from core.exchange import Decision, Exchange, SessionState, Warm
from core.explain import dialect_of, explanation
from core.generation import Generation
from core.pipeline import Pipeline
from core.routing.driver import HostDriver
from core.routing.permission import key_named
from core.state.token_ratios import TokenRatios
from core.tokens import TokenCounter
from core.upstream import Upstream
from wasm_host.host import Host, Observer


class _Remembered:
    """The one conversation that the request belongs to."""

    def __init__(self, state: SessionState) -> None:
        self._state = state

    async def read(self, client_key: str, session_id: str) -> SessionState:  # noqa: ARG002  # whichever it is
        return self._state

    def write(self, client_key: str, session_id: str, state: SessionState) -> None:
        """Explaining changes nothing."""


def session_of(text: str, now_ms: int) -> SessionState:
    """A conversation by the contract's words: it is at home at `last_target`, whose cache was used now (Unix time).
    ValueError, with the path of what is wrong, if it is none.
    """
    state = msgspec.json.decode(text or "{}", type=SessionState)
    warm = Warm(state.last_target, state.cached_prefix_tokens, now_ms)
    home, caches = state.home or state.last_target, state.warm or (warm,)
    return msgspec.structs.replace(state, home=home, warm=caches)


def explain(
    generation: Generation, body: bytes, dialect: str, key: str = "", session: SessionState | None = None
) -> dict[str, Any]:
    """The same answer as `POST /v1/route` gives to the client whose key has this name, in this session; `{"error": …}`
    for a body that cannot be read.
    """
    try:
        exchange = Exchange("req_" + "0" * 32, "explain", dialect or dialect_of("", {}, body), client_key=key)
        client = key_named(generation.loaded.settings, key)
        if exchange.dialect not in CLIENTS:
            return {"error": {"message": f"dialect {dialect!r} is not one of {', '.join(sorted(CLIENTS))}"}}
        call = Call(
            exchange=exchange,
            snapshot=generation.snapshot,
            keys={},
            headers={},
            query="",
            now_ms=time.time_ns() // 1_000_000,
            tz_offset_min=time.localtime().tm_gmtoff // 60,
            allowed=client.targets if client else (),
        )
        decision = asyncio.run(_decide(generation, call, body, session or SessionState()))
        return explanation(decision, call.features)
    except ProxyError as exc:
        status, kind, message = public_error(exc)
        return {"error": {"status": status, "type": kind, "message": message}}


async def _decide(generation: Generation, call: Call, body: bytes, session: SessionState) -> Decision:
    """A decision with a worker of its own: no guest runs in the process of a command."""
    host = Host(Observer(), workers=1)
    host.use(generation.snapshot.rules.rules, isolation="process")
    try:
        pipeline = Pipeline(
            upstream=Upstream(),
            counter=TokenCounter(),
            sessions=_Remembered(session),
            driver=HostDriver(host),
            calibration=TokenRatios(settings.state_dir(settings.environ()), lambda _: None).calibration,
        )
        return await pipeline.explain(call, body)
    finally:
        await host.close()


def text(answer: dict[str, Any]) -> str:
    """The explanation for a person: the decision, then one line a step."""
    if "error" in answer:
        return f"error: {answer['error']['message']}"
    decision = answer["decision"]
    if refusal := decision.get("refusal"):
        lines = [f"refused with {refusal['status']}: {refusal['message']}"]
    else:
        lines = [f"{decision['provider']},{decision['model']}   phase {decision['phase']}, reason {decision['reason']}"]
        others = [candidate["target"] for candidate in decision["candidates"][1:]]
        if others:
            lines.append(f"  then: {'; '.join(others)}")
    facts = answer["features"]
    lines.append(f"  {facts['token_count']} tokens, scenarios: {', '.join(decision['scenarios']) or 'none'}")
    for step in answer["trace"]:
        detail = ", ".join(f"{key}={value}" for key, value in step["detail"].items())
        lines.append(f"  {step['phase']:<9} {step['outcome']:<9} {detail}")
    return "\n".join(lines)
