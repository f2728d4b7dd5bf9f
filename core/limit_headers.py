"""What a client is told of its limits, in the headers that its kind of client knows. Pure.

`anthropic-ratelimit-*` (Anthropic, "Rate limits"), `x-ratelimit-*` (OpenAI, "Rate limits"), and for everybody the pair
of draft-ietf-httpapi-ratelimit-headers: `RateLimit-Policy` and `RateLimit`.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from core.limits import NEVER, Ask, Kind, Said, Taken
from core.retry_after import whole_seconds

_NAMES: Final[Mapping[Kind, str]] = {
    "requests": "requests",
    "tokens": "tokens",
    "input_tokens": "input-tokens",
    "output_tokens": "output-tokens",
}
_OPENAI: Final = ("requests", "tokens")

Told = dict[Kind, tuple[Ask, Said]]


def tightest(taken: Iterable[Taken]) -> Told:
    """Of each kind, of the client's own limits, the one that has least left; none is left of one that refused."""
    told: Told = {}
    for one in taken:
        for ask, said in zip(one.asks, one.said, strict=True):
            each = Said(said.wait_ms, 0 if said.wait_ms else said.left, said.reset_ms)
            if ask.scope != "target" and (ask.kind not in told or each.left <= told[ask.kind][1].left):
                told[ask.kind] = (ask, each)
    return told


def headers(told: Told, dialect: str, now: float) -> dict[str, str]:
    """All headers for a client of this dialect. `now` is Unix time."""
    found: dict[str, str] = {}
    for kind, name in _NAMES.items():
        if kind not in told:
            continue
        ask, said = told[kind]
        if dialect == "anthropic":
            values = (ask.limit, said.left, _moment(now + said.reset_ms / 1000))
            found |= _three("anthropic-ratelimit-{name}-{what}", name, values)
        elif kind in _OPENAI:
            found |= _three("x-ratelimit-{what}-{name}", name, (ask.limit, said.left, duration(said.reset_ms)))
    if told:
        found["ratelimit-policy"] = ", ".join(_policy(kind, ask) for kind, (ask, _) in told.items())
        found["ratelimit"] = ", ".join(_state(kind, said) for kind, (_, said) in told.items())
    return found


def retry(refused: Iterable[tuple[Ask, Said]]) -> dict[str, str]:
    """When to ask again: when the last of those that refused would let it through."""
    wait = max(said.wait_ms for _, said in refused)
    return {"retry-after": whole_seconds(wait / 1000), "retry-after-ms": str(wait)}


def too_large(refused: Iterable[tuple[Ask, Said]]) -> Ask | None:
    """A limit that will never let the request through."""
    return next((ask for ask, said in refused if said.wait_ms == NEVER), None)


def duration(ms: int) -> str:
    """As OpenAI writes it: `120ms`, `1s`, `6m0s`."""
    if ms < 1000:
        return f"{ms}ms" if ms else "0s"
    minutes, rest = divmod(ms, 60_000)
    seconds = f"{rest / 1000:g}s"
    return f"{minutes}m{seconds}" if minutes else seconds


def _three(pattern: str, name: str, values: tuple[int, int, str]) -> dict[str, str]:
    whats = zip(("limit", "remaining", "reset"), values, strict=True)
    return {pattern.format(name=name, what=what): str(value) for what, value in whats}


def _moment(unix: float) -> str:
    """RFC 3339, rounded up to a whole second."""
    return datetime.fromtimestamp(-(-unix // 1), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _policy(kind: Kind, ask: Ask) -> str:
    if kind == "concurrent":
        return f'"concurrent";q={ask.limit};qu="concurrent-requests"'
    return f'"{_NAMES[kind]}";q={ask.limit};w=60'


def _state(kind: Kind, said: Said) -> str:
    if kind == "concurrent":
        return f'"concurrent";r={said.left}'
    return f'"{_NAMES[kind]}";r={said.left};t={whole_seconds(said.reset_ms / 1000)}'
