"""The gate: what a target must be able to do for this request, and whether its client may ask it, whoever proposed it.

Hard needs refuse a target; output length is clamped; thinking is dropped with a note. What is not known of a target
passes and is named in `unverified`.
"""

from typing import Final

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
    search = _search(features, target, card, dialect, optional=search_optional)
    if search == LEFT_OUT:
        notes.append("web_search left out")
    needs = _needs(features, card, dialect, search=search, looks=images_by is None)
    for need, able in needs:
        if able is False:
            failures.append(f"cannot do {need}")
        elif able is None:
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
    candidate = Candidate(
        target,
        limit,
        drop_thinking,
        tuple(unverified),
        thinking_mode=card.thinking_mode or "",
        without=_without(card),
        tokens=tokens,
        context_window=card.context_window,
        thinks=card.thinking,
    )
    return Verdict(candidate, (), tuple(notes))


def _needs(
    features: Features, card: ModelCard, dialect: str, *, search: bool | str | None, looks: bool
) -> list[tuple[str, bool | None]]:
    """What the request needs, and whether the target can do it. `looks`: it must look at images itself."""
    needs: list[tuple[str, bool | None]] = []
    if features.images > 0 and looks:
        needs.append(("images", card.images))
    if features.tools:
        needs.append(("tools", card.tools))
    if features.server_web_search and not isinstance(search, str):
        needs.append((WEB_SEARCH, search))
    return needs + [(tool, carries(features.dialect, dialect, tool)) for tool in features.provider_tools]


#: The search is not asked for.
LEFT_OUT: Final = "left out"


def _search(features: Features, target: Target, card: ModelCard, dialect: str, *, optional: bool) -> bool | str | None:
    """Whether the target can search for this request, or `LEFT_OUT`."""
    if not features.server_web_search:
        return None
    alone = searches_alone(dialect, target.model) and not features.only_web_search
    if carries(features.dialect, dialect, WEB_SEARCH) and not alone:
        return card.web_search
    return LEFT_OUT if optional and not features.only_web_search else False


def _without(card: ModelCard) -> tuple[str, ...]:
    """Parameters that the model refuses."""
    effort = ("effort",) if card.effort is False else ()
    return (*effort, "sampling") if card.sampling is False else effort


def _room(card: ModelCard) -> int | None:
    """The most tokens that may be sent, None if unknown."""
    window, most = card.context_window, card.max_input
    return min(window, most) if window and most else window or most


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
