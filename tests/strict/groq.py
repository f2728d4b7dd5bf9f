"""What Groq's `/chat/completions` rejects: any member that it does not know.

Sources: "OpenAI Compatibility", "Reasoning"; and the texts of its 400s.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from strict import Json

PATH = "/groq/"
_FIELDS: Final = frozenset((
    "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature", "top_p",
    "stop", "tools", "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort", "reasoning_format",
    "include_reasoning", "user", "n", "seed", "service_tier",
))  # fmt: skip
_MESSAGE: Final[dict[str, frozenset[str]]] = {
    "system": frozenset({"role", "content"}),
    "user": frozenset({"role", "content"}),
    "assistant": frozenset({"role", "content", "tool_calls"}),
    "tool": frozenset({"role", "content", "tool_call_id"}),
}
_REASONS: Final = re.compile(r"gpt-oss|qwen3")


def problems(path: str, headers: Mapping[str, str], body: Json) -> list[str]:
    """The worst first."""
    found = [*_top(body), *_messages(body), *_tools(body)]
    if not path.endswith("/chat/completions") or not headers.get("authorization", "").startswith("Bearer "):
        found.append("Invalid API Key")
    return found


def _top(body: Json) -> Iterator[str]:
    for name in body.keys() - _FIELDS:
        yield f"property '{name}' is unsupported"
    if "reasoning_effort" in body and not _REASONS.search(body["model"]):
        yield "`reasoning_effort` is not supported with this model"


def _messages(body: Json) -> Iterator[str]:
    for number, message in enumerate(body["messages"]):
        role = message["role"]
        for name in message.keys() - _MESSAGE[role]:
            yield (
                f"'messages.{number}' : for 'role:{role}' the following must be satisfied[('messages.{number}' : "
                f"property '{name}' is unsupported)]"
            )
        yield from (f"'messages.{number}' : {why}" for why in _marks(message.get("content"), "cache_control"))


def _tools(body: Json) -> Iterator[str]:
    for number, tool in enumerate(body.get("tools", ())):
        for name in tool.keys() - {"type", "function"}:
            yield f"'tools.{number}' : property '{name}' is unsupported"
        yield from (f"'tools.{number}' : {why}" for why in _marks(tool["function"].get("parameters"), "$schema"))


def _marks(value: Any, name: str) -> Iterator[str]:
    """A member of this name, at any depth."""
    if isinstance(value, dict):
        if name in value:
            yield f"property '{name}' is unsupported"
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _marks(each, name)
