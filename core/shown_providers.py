"""Providers and their targets, as the admin plane shows them: how they are, what they cost. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from core.credentials import may_be_secret
from core.exchange import ProviderKey, Target
from core.routing.snapshot import Snapshot
from core.schema import ProviderSettings
from core.sections import SecretRef
from core.standing import Standing
from core.target_figures import TargetFigures
from core.telemetry import CONNECTION_STATES


def shown(
    snapshot: Snapshot,
    keys: Mapping[str, Sequence[ProviderKey]],
    *,
    standing: Standing,
    figures: TargetFigures,
    connections: Callable[[ProviderSettings], Sequence[int]],
    today: Mapping[str, int] | None,
    now_ms: int,
) -> list[dict[str, Any]]:
    """All providers by name. `today` is what each has cost, None if nobody knows."""
    rows = []
    for name, provider in sorted(snapshot.settings.providers.items()):
        ring = keys.get(name, ())
        own = [target for target in snapshot.targets if target.provider == name]
        targets = [_target(snapshot, target, ring, standing, figures, now_ms) for target in own]
        simulated = snapshot.settings.simulated or provider.dialect == "loopback"
        rows.append(
            {
                "name": name,
                "dialect": provider.dialect,
                "base_url": host_of(provider.base_url),
                "key": "found" if ring else "missing" if provider.key_refs else "none needed",
                "keys": len(provider.key_refs),
                "key_from": ", ".join(map(_place, provider.key_refs)),
                "resting": standing.resting(name, ring),
                "simulated": simulated,
                "connections": dict(zip(CONNECTION_STATES, connections(provider), strict=True)),
                "spend": {
                    "today": None if today is None else today.get(name, 0),
                    "hour": sum(target["spend_micro_usd"] for target in targets),
                },
                "targets": targets,
            }
        )
    return rows


def _place(ref: SecretRef) -> str:
    """Where a key is looked for. What looks like a key itself stood in the wrong place, and is not shown."""
    if ref.env is None:
        return "a file"
    return "a variable" if may_be_secret(ref.env) else ref.env


def host_of(url: str) -> str:
    """The host of a URL, and its port if it names one: no credentials, no path."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return f"{host}:{parts.port}" if parts.port else host


def _target(
    snapshot: Snapshot,
    target: Target,
    ring: Sequence[ProviderKey],
    standing: Standing,
    figures: TargetFigures,
    now_ms: int,
) -> dict[str, Any]:
    """Counts are those of the last hour; a price is in micro-USD for a million tokens."""
    state, counts, card = standing.state(target, ring), figures.of(target, now_ms), snapshot.card(target)
    return {
        "target": str(target),
        "breaker": standing.breaker(target),
        "healthy": state.healthy,
        "p50_ms": state.p50_ms,
        "requests": counts.requests,
        "errors": counts.errors,
        "spend_micro_usd": counts.micro_usd,
        "context_window": card.context_window,
        "price": {kind: round(usd * 1_000_000) for kind, usd in card.price.model_dump(exclude_none=True).items()},
    }
