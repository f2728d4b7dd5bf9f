"""`openrouter`: OpenRouter's own members.

Source: OpenRouter's documentation, "Prompt Caching", "Reasoning Tokens", "Provider Routing", "App Attribution". What it
does to streams (comments while it waits, errors inside a 200, usage at the end) is read by the dialect.
"""

import re
from collections.abc import Mapping
from typing import Any

from core.transformers.base import OPENAI, Facts, Options, Transformer
from core.transformers.body import Body
from core.transformers.cleancache import clean

#: Least budget that Claude takes.
_LEAST_BUDGET = 1024
_CLAUDE = re.compile(r"(?:^|/)claude|^anthropic/", re.IGNORECASE)


class OpenRouter(Options, frozen=True):
    """`provider`: its routing preferences, which win over the client's; `models`: whom else it may ask; `plugins`.

    `app_url` and `app_title` say who asks, for its rankings.
    """

    provider: dict[str, Any] | None = None
    models: tuple[str, ...] = ()
    plugins: tuple[dict[str, Any], ...] = ()
    app_url: str = ""
    app_title: str = ""


def _request(body: Body, options: OpenRouter, facts: Facts) -> None:
    claude = bool(_CLAUDE.search(facts.model))
    if not claude:
        clean(body, "messages", "tools")
        body.drop("cache_control")
    if options.provider is not None:
        held = body.get("provider")
        body.set((held if isinstance(held, dict) else {}) | options.provider, "provider")
    if options.models:
        body.set(options.models, "models")
    if options.plugins:
        body.set(options.plugins, "plugins")
    if facts.request.dialect != facts.dialect:
        _think(body, facts)
    if claude and _loop_lost_thinking(body):
        body.drop("reasoning", "reasoning_effort")


def _think(body: Body, facts: Facts) -> None:
    """The client's wish in OpenRouter's words: a budget, or just on; an effort is passed by the dialect."""
    thinking = facts.request.thinking
    if facts.candidate.drop_thinking:
        return
    limit = body.get("max_tokens")
    if thinking.type == "enabled" and thinking.budget and not thinking.effort:
        budget = min(thinking.budget, limit - 1) if isinstance(limit, int) else thinking.budget
        body.drop("reasoning_effort")
        if budget >= _LEAST_BUDGET:
            body.set({"max_tokens": budget}, "reasoning")
    elif thinking.type in {"enabled", "adaptive"} and not thinking.effort:
        body.set({"enabled": True}, "reasoning")


def _loop_lost_thinking(body: Body) -> bool:
    """Whether the last turn that called tools, whose results come now, has no reasoning of its own provider.

    Claude refuses to think on in such a loop.
    """
    messages = [message for _, message in body.each("messages")]
    if not messages or bytes(messages[-1].get("role", b"")) != b'"tool"':
        return False
    turns = [message for message in messages if bytes(message.get("role", b"")) == b'"assistant"']
    return not turns or "reasoning_details" not in turns[-1]


def _keeps(model: str) -> frozenset[str]:
    return frozenset({"reasoning_details"} | ({"cache_control"} if _CLAUDE.search(model) else set()))


def _headers(headers: Mapping[str, str], options: OpenRouter) -> dict[str, str]:
    said = {"http-referer": options.app_url, "x-title": options.app_title}
    return {**headers, **{name: value for name, value in said.items() if value}}


TRANSFORMER = Transformer(
    "openrouter",
    "Keeps cache_control for Claude only, passes reasoning both ways, adds routing preferences.",
    (OPENAI,),
    OpenRouter,
    request=_request,
    headers=_headers,
    keeps=_keeps,
)
