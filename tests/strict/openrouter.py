"""What OpenRouter's `/chat/completions` rejects, and what Claude behind it does.

Sources: "Reasoning Tokens" (one way to say how much; reasoning goes back unchanged), "Prompt Caching"; Anthropic's
"Extended thinking" (a loop begins with signed thinking); and the texts of their 400s.
"""

import json
from collections.abc import Iterator, Mapping

from upstream_wire import signature

from strict import Json

PATH = "/openrouter/"
_LEAST_BUDGET, _MOST_MARKS = 1024, 4


def problems(path: str, headers: Mapping[str, str], body: Json) -> list[str]:
    """The worst first."""
    claude = "claude" in body["model"]
    found = [*_reasoning(body), *(_claude(body) if claude else _others(body)), *_unchanged(body)]
    if "/" not in body["model"]:
        found.append(f"{body['model']} is not a valid model ID")
    if not path.endswith("/chat/completions") or not headers.get("authorization", "").startswith("Bearer "):
        found.append("No auth credentials found")
    return found


def _reasoning(body: Json) -> Iterator[str]:
    wanted = body.get("reasoning") or {}
    if {"effort", "max_tokens"} <= wanted.keys() or (wanted and "reasoning_effort" in body):
        yield 'Only one of "reasoning.effort" and "reasoning.max_tokens" can be specified'
    budget = wanted.get("max_tokens")
    if budget is not None and not _LEAST_BUDGET <= budget < body.get("max_tokens", budget + 1):
        yield "`max_tokens` must be greater than `thinking.budget_tokens`"


def _others(body: Json) -> Iterator[str]:
    """Nobody refuses the marks, but who cannot read them must not get them (FACTS: kept only for Claude)."""
    if "cache_control" in json.dumps(body["messages"]):
        yield "cache_control is for Claude"


def _claude(body: Json) -> Iterator[str]:
    if json.dumps(body).count('"cache_control"') > _MOST_MARKS:
        yield "A maximum of 4 blocks with cache_control may be provided."
    thinks = body.get("reasoning") or body.get("reasoning_effort")
    last = [message for message in body["messages"] if message["role"] == "assistant"][-1:]
    in_loop = body["messages"][-1]["role"] == "tool"
    if thinks and in_loop and not last[0].get("reasoning_details"):
        yield "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`."


def _unchanged(body: Json) -> Iterator[str]:
    for number, message in enumerate(body["messages"]):
        for entry in message.get("reasoning_details", ()):
            if entry.get("type") == "reasoning.text" and entry.get("signature") != signature(entry.get("text")):
                yield f"messages.{number}.content.0: Invalid `signature` in `thinking` block"
            if entry.get("type") not in {"reasoning.text", "reasoning.summary", "reasoning.encrypted"}:
                yield f"messages.{number}.reasoning_details: Invalid input"
