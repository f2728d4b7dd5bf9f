"""`deepseek`: what DeepSeek's API wants beyond the dialect.

Source: DeepSeek's API documentation, "Thinking Mode", "Models & Pricing", "JSON Output". Reasoning of a turn that
called tools must come back with every later request: a turn without `reasoning_content` is refused ("must be passed
back"), and so is one whose `content` is null. Of turns without calls it is ignored. While it thinks, it refuses to be
told which tool to call ("Thinking mode does not support this tool_choice").
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw

from core.dialects.splice import Edit
from core.effort import effort_of
from core.messages import Thinking
from core.transformers.base import OPENAI, Facts, Options, Transformer
from core.transformers.body import Body
from core.transformers.wire import cap, instruct

#: Longest answer by the beginning of the model's name, the first that fits; any other model gets the last.
_LIMITS = (("deepseek-reasoner", 65_536), ("deepseek-v", 384_000), ("deepseek-flash", 384_000), ("", 8_192))
_ANSWER_IN_JSON = "Answer with one JSON object and nothing else. It must fit this JSON schema:\n"
_PLACEHOLDERS = {b"", b"null"}


_KEEPS = frozenset({"reasoning_content"})


class DeepSeek(Options, frozen=True):
    """`max_tokens`: the longest answer; left out, what the model is known for (8192 where nothing is known)."""

    max_tokens: Annotated[int, Meta(ge=1)] | None = None


def _request(body: Body, options: DeepSeek, facts: Facts) -> None:
    body.rename("max_completion_tokens", "max_tokens")
    known = next(limit for start, limit in _LIMITS if facts.model.startswith(start))
    cap(body, facts, options.max_tokens or known)
    _switch(body, facts.request.thinking)
    body.edit("messages", _turns(body))
    _json(body, facts)


def _switch(body: Body, thinking: Thinking) -> None:
    """Thinking is on unless it is switched off (an effort of none does not do that); no call can be demanded then."""
    choice = body.get("tool_choice")
    if choice == "auto":
        body.drop("tool_choice")  # what it is anyway
    forced = choice not in {None, "auto", "none"} if not isinstance(choice, dict) else True
    if "thinking" in body and not forced:
        return
    if forced or thinking.type == "disabled" or (thinking.effort and effort_of(thinking) == "none"):
        body.set({"type": "disabled"}, "thinking")
        body.drop("reasoning_effort")
    elif thinking.type == "enabled" and "reasoning_effort" in body:
        body.set({"type": "enabled"}, "thinking")


def _turns(body: Body) -> dict[str | int, Edit]:
    """Edits that give every turn with calls its `reasoning_content`, empty if it is lost, and a `content`."""
    edits: dict[str | int, Edit] = {}
    for number, message in body.each("messages"):
        if bytes(message.get("role", b"")) == b'"assistant"' and "tool_calls" in message:
            names = [name for name in ("content", "reasoning_content") if _missing(message, name)]
            if names:
                edits[number] = dict.fromkeys(names, b'""')
    return edits


def _missing(message: dict[str, Raw], name: str) -> bool:
    return bytes(message.get(name, b"")) in _PLACEHOLDERS


def _json(body: Body, facts: Facts) -> None:
    """`json_schema` is refused: the schema is said in words, and JSON asked for ("json" must be in the prompt)."""
    asked: Any = body.get("response_format")
    if isinstance(asked, dict) and asked.get("type") == "json_schema":
        schema = (asked.get("json_schema") or {}).get("schema") or {}
        body.set({"type": "json_object"}, "response_format")
        instruct(body, facts, _ANSWER_IN_JSON + msgspec.json.encode(schema).decode())


TRANSFORMER = Transformer(
    "deepseek",
    "Caps max_tokens, gives earlier reasoning back, switches thinking, asks for JSON in DeepSeek's way.",
    (OPENAI,),
    DeepSeek,
    request=_request,
    keeps=lambda _: _KEEPS,
)
