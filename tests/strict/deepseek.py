"""What DeepSeek's `/chat/completions` rejects.

Sources: "Thinking Mode", "JSON Output", "Models & Pricing"; and the texts of its 400s. Members that it does not know it
ignores.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from strict import Json

PATH = "/deepseek/"
_LONGEST: Final = {"deepseek-chat": 8_192, "deepseek-reasoner": 65_536}
_MOST: Final = 393_216


def problems(path: str, headers: Mapping[str, str], body: Json) -> list[str]:
    """The worst first."""
    found = [*_messages(body), *_thinking(body), *_format(body)]
    if not 1 <= body.get("max_tokens", 1) <= _LONGEST.get(body["model"], _MOST):
        found.append("Invalid max_tokens value, the valid range of max_tokens is [1, " + str(_LONGEST[body["model"]]))
    if not path.endswith("/chat/completions") or not headers.get("authorization", "").startswith("Bearer "):
        found.append("Authentication Fails")
    return found


def thinks(body: Json) -> bool:
    """Models think unless they are told not to; the old name for chat only if it is told to."""
    switch = (body.get("thinking") or {}).get("type")
    return bool(switch == "enabled" or (switch is None and body["model"] != "deepseek-chat"))


def _messages(body: Json) -> Iterator[str]:
    for number, message in enumerate(body["messages"]):
        parts: Any = message.get("content")
        for part in parts if isinstance(parts, list) else ():
            if part["type"] != "text":
                yield f"messages[{number}]: unknown variant `{part['type']}`, expected `text`"
        said = (message.get("reasoning_content"), message.get("content"))
        if message.get("tool_calls") and thinks(body) and not all(isinstance(each, str) for each in said):
            yield "The `reasoning_content` in the thinking mode must be passed back to the API."


def _thinking(body: Json) -> Iterator[str]:
    choice = body.get("tool_choice")
    if thinks(body) and choice not in {None, "none"} if not isinstance(choice, dict) else thinks(body):
        yield "Thinking mode does not support this tool_choice"


def _format(body: Json) -> Iterator[str]:
    kind = (body.get("response_format") or {}).get("type", "text")
    if kind not in {"text", "json_object"}:
        yield "This response_format type is unavailable now"
    if kind == "json_object" and "json" not in json.dumps(body["messages"]).lower():
        yield "Prompt must contain the word 'json' in some form to use 'response_format' of type 'json_object'."
