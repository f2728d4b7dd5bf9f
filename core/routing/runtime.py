"""The runtime phase's question: which scenarios hold for a request. Who has a route for them is the decision's."""

from collections.abc import Callable

from msgspec import Struct

from core.effort import at_least
from core.exchange import Features, SessionState


class RuntimeSettings(Struct, frozen=True, kw_only=True):
    """Thresholds in tokens; `thinking_min_effort` is one of `effort.EFFORTS`."""

    long_context_threshold: int = 60_000
    #: In a session that was long, a request of more than this still is: else it would flap around the threshold.
    long_context_hysteresis: int = 20_000
    thinking_min_effort: str = "high"


def scenarios(features: Features, session: SessionState, settings: RuntimeSettings) -> tuple[str, ...]:
    """The names of the scenarios that hold, in the order in which their routes are asked."""
    return tuple(name for name, holds in SCENARIOS if holds(features, session, settings))


def _image(features: Features, _session: SessionState, _settings: RuntimeSettings) -> bool:
    return features.image_in_last_turn


def _web_search(features: Features, _session: SessionState, _settings: RuntimeSettings) -> bool:
    return features.web_search


def _long_context(features: Features, session: SessionState, settings: RuntimeSettings) -> bool:
    limit = settings.long_context_threshold
    was_long = session.last_input_tokens > limit
    return features.token_count > (min(settings.long_context_hysteresis, limit) if was_long else limit)


def _thinking(features: Features, _session: SessionState, settings: RuntimeSettings) -> bool:
    return at_least(features.effort, settings.thinking_min_effort)


def _background(features: Features, _session: SessionState, _settings: RuntimeSettings) -> bool:
    return features.background


SCENARIOS: tuple[tuple[str, Callable[[Features, SessionState, RuntimeSettings], bool]], ...] = (
    ("image", _image),
    ("web_search", _web_search),
    ("long_context", _long_context),
    ("thinking", _thinking),
    ("background", _background),
)
