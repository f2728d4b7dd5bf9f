"""What each phase looks at: the facts, the session, and of the snapshot what they are compared with. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from core.exchange import Inputs
from core.routing.runtime import SCENARIOS
from core.routing.snapshot import Snapshot


def of_phase(name: str, inputs: Inputs, snapshot: Snapshot | None) -> dict[str, Any]:
    """By the phase's name; without a snapshot only what the request and its session say."""
    return _LOOKS[name](inputs, snapshot)


def _explicit(inputs: Inputs, _snapshot: Snapshot | None) -> dict[str, Any]:
    return {"model": inputs.features.model, "subagent_target": inputs.features.subagent_target}


def _runtime(inputs: Inputs, snapshot: Snapshot | None) -> dict[str, Any]:
    """Which scenarios hold, by which facts, and who has their routes."""
    facts, session = inputs.features, inputs.session
    names = ("image_in_last_turn", "web_search", "token_count", "effort", "background", "request_class", "model")
    looked: dict[str, Any] = {name: getattr(facts, name) for name in names}
    looked["last_input_tokens"] = session.last_input_tokens
    if snapshot is None:
        return looked
    looked |= msgspec.structs.asdict(snapshot.runtime)
    looked["scenarios"] = [
        {"scenario": name, "holds": holds(facts, session, snapshot.runtime), "route": _name(snapshot, name)}
        for name, holds in SCENARIOS
    ]
    return looked


def _name(snapshot: Snapshot, scenario: str) -> str | None:
    target = snapshot.runtime_routes.get(scenario)
    return None if target is None else str(target)


def _custom(_inputs: Inputs, snapshot: Snapshot | None) -> dict[str, Any]:
    return {} if snapshot is None else {"rules": len(snapshot.rules.rules), "wants": sorted(snapshot.rules.wants)}


def _pattern(inputs: Inputs, snapshot: Snapshot | None) -> dict[str, Any]:
    looked: dict[str, Any] = {"characters": len(inputs.features.last_user)}
    return looked if snapshot is None else looked | {"concepts": len(snapshot.taxonomy.concepts)}


def _default(_inputs: Inputs, snapshot: Snapshot | None) -> dict[str, Any]:
    return {} if snapshot is None else {"default": str(snapshot.default)}


def _sticky(inputs: Inputs, snapshot: Snapshot | None) -> dict[str, Any]:
    session = inputs.session
    looked: dict[str, Any] = {"turns": session.turns, "home": session.home, "last_target": session.last_target}
    looked |= {"tool_loop": inputs.features.tool_loop, "output_tokens": session.output_tokens}
    looked["caches"] = [
        {"target": warm.target, "tokens": warm.tokens, "age_s": (inputs.features.now_ms - warm.at_ms) // 1000}
        for warm in session.warm
        if warm.target
    ]
    return looked if snapshot is None else looked | {"prompt_cache_s": snapshot.settings.sessions.prompt_cache_s}


def _fallback(_inputs: Inputs, snapshot: Snapshot | None) -> dict[str, Any]:
    if snapshot is None:
        return {}
    chains = {name: list(map(str, chain)) for name, chain in snapshot.chains.items()}
    return {"chains": chains, "fallback": list(map(str, snapshot.fallback))}


_LOOKS: Final[Mapping[str, Callable[[Inputs, Snapshot | None], dict[str, Any]]]] = {
    "explicit": _explicit,
    "runtime": _runtime,
    "custom": _custom,
    "pattern": _pattern,
    "default": _default,
    "sticky": _sticky,
    "fallback": _fallback,
}
