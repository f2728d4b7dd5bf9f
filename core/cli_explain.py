"""`explain`: a decision in this process, with rules run in a worker as the proxy would run them."""

import asyncio
import re
import shutil
import time
from pathlib import Path
from typing import Any

import msgspec

from core import cli_explain_record, settings
from core.call import Call
from core.dialects import CLIENTS
from core.errors import ProxyError, public_error
from core.exchange import Decision, Exchange, Inputs, SessionState, Warm
from core.explain import dialect_of, explanation
from core.explain.people import text as explained
from core.generation import Generation
from core.pipeline import Pipeline
from core.routing.driver import HostDriver
from core.routing.permission import key_named
from core.settings import Loaded
from core.state.token_ratios import TokenRatios
from core.tokens import TokenCounter
from core.upstream import Upstream
from wasm_host.host import Host, Observer

#: How requests are named on record (`data_plane`).
_RECORD = re.compile(r"req_[0-9a-f]{32}")


def is_record(what: str) -> bool:
    """Whether this names a request on record, and no file."""
    return _RECORD.fullmatch(what) is not None and not Path(what).exists()


def recorded(loaded: Loaded, request_id: str) -> dict[str, Any]:
    """Why a request on record went where it went; see `cli_explain_record.explain`."""
    env = settings.environ()
    return cli_explain_record.explain(loaded.settings, settings.state_dir(env), settings.cache_dir(env), request_id)


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
        inputs = Inputs(call.features, call.session, call.states, call.factors)
        return explanation(decision, inputs, generation.snapshot)
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
    """The explanation for a person, as wide as the terminal."""
    if "error" in answer:
        return f"error: {answer['error']['message']}"
    return explained(answer, shutil.get_terminal_size((100, 24)).columns)
