"""The gate: what a target must be able to do for this request, and whether its client may ask it, whoever proposed it.

Hard needs refuse a target; output length is clamped; thinking is dropped with a note. What is not known of a target
passes and is named in `unverified`.
"""

from typing import Any

from msgspec import Struct

from core.exchange import Candidate, Features, Target
from core.routing.permission import NOT_ALLOWED, permitted
from core.routing.server_tools import WEB_SEARCH, carries, searches_alone
from core.schema import ModelCard


class Verdict(Struct, frozen=True):
    """A candidate, or why the target cannot serve this request."""

    candidate: Candidate | None
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def check(
    features: Features,
    target: Target,
    card: ModelCard,
    *,
    dialect: str,
    search_optional: bool = False,
    tokens: int | None = None,
    images_by: Target | None = None,
) -> Verdict:
    """`dialect` is the target's provider's. `search_optional`: a search that it cannot be asked for may be left out, if
    more is left of the request. `tokens`: of the request, as this target counts them, if that is known.
    `images_by`: the target that looks at images for this one.
    """
    if features.allowed and not permitted(str(target), features.allowed):
        return Verdict(None, (NOT_ALLOWED,))
    tokens = features.token_count if tokens is None else tokens
    failures: list[str] = []
    unverified: list[str] = []
    notes = [f"images are looked at by {images_by}"] if images_by else []
    window = _room(card)
    if window is None:
        unverified.append("context_window")
    elif tokens > window:
        failures.append(f"context window of {window} tokens is too small for {tokens}")
    carried = carries(features.dialect, dialect, WEB_SEARCH) and (
        features.only_web_search or not searches_alone(dialect, target.model)
    )
    left_out = features.server_web_search and search_optional and not (carried or features.only_web_search)
    if left_out:
        notes.append("web_search left out")
    searches = card.web_search if carried else False
    abilities = (
        ("images", features.images > 0 and images_by is None, card.images),
        ("tools", bool(features.tools), card.tools),
        ("web_search", features.server_web_search and not left_out, searches),
        *((tool, True, carries(features.dialect, dialect, tool)) for tool in features.provider_tools),
    )
    for need, wanted, able in abilities:
        if wanted and able is False:
            failures.append(f"cannot do {need}")
        elif wanted and able is None:
            unverified.append(need)
    if failures:
        return Verdict(None, tuple(failures))
    if tokens != features.token_count:
        notes.append(f"counted as {tokens} tokens")
    limit = _output_limit(features.max_tokens, tokens, card)
    if limit is not None:
        notes.append(f"max_tokens clamped to {limit}")
    drop_thinking = features.thinking and card.thinking is False
    if drop_thinking:
        notes.append("thinking dropped")
    known = _known(card)
    return Verdict(Candidate(target, limit, drop_thinking, tuple(unverified), tokens=tokens, **known), (), tuple(notes))


def _known(card: ModelCard) -> dict[str, Any]:
    """What a dialect may need to know of the model."""
    refused = (("effort", card.effort), ("sampling", card.sampling))
    return {
        "thinking_mode": card.thinking_mode or "",
        "without": tuple(name for name, taken in refused if taken is False),
        "context_window": card.context_window,
        "thinks": card.thinking,
    }


def _room(card: ModelCard) -> int | None:
    """The most tokens that may be sent, None if unknown."""
    return min(filter(None, (card.context_window, card.max_input)), default=None)


def _output_limit(asked: int | None, tokens: int, card: ModelCard) -> int | None:
    """The largest output this target can give, if the client asked for more: a model's own limit, or what is left of
    its window (providers refuse input plus output over the window).
    """
    if asked is None:
        return None
    limit = asked
    if card.max_output is not None:
        limit = min(limit, card.max_output)
    if card.context_window is not None:
        limit = min(limit, max(1, card.context_window - tokens))
    return limit if limit < asked else None
