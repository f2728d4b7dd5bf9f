"""Reads Gemini's generateContent, whole and streamed with `alt=sse`: `finishReason` is the only end."""

import json
from typing import Final, Literal

from heard import Call, Heard, Json, events, loads, need

NAME = "gemini"
_LENGTH: Final = frozenset({"MAX_TOKENS"})
_END: Final = frozenset({"STOP"})


def whole(body: Json) -> Heard:
    heard = Heard()
    _take(heard, body)
    need(heard.stop, "no finishReason")
    return heard


def stream(data: bytes) -> Heard:
    heard = Heard()
    for event in events(data):
        chunk = loads(event.data)
        if "error" in chunk:
            heard.error = error(chunk)
            return heard
        _take(heard, chunk)
    return heard


def _take(heard: Heard, chunk: Json) -> None:
    for candidate in chunk.get("candidates", ()):
        if candidate.get("index", 0):
            continue
        for part in candidate.get("content", {}).get("parts", ()):
            _part(heard, part)
        if reason := candidate.get("finishReason"):
            heard.stop, heard.terminal = _stop(reason, heard), True
    if chunk.get("promptFeedback", {}).get("blockReason"):
        heard.stop, heard.terminal = "refusal", True
    if usage := chunk.get("usageMetadata"):
        prompt = usage.get("promptTokenCount", 0) + usage.get("toolUsePromptTokenCount", 0)
        heard.tokens = prompt, usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)


def _part(heard: Heard, part: Json) -> None:
    if call := part.get("functionCall"):
        heard.calls.append(Call(call["name"], json.dumps(call.get("args") or {})))
    elif part.get("thought"):
        heard.thinking += part.get("text", "")
    else:
        heard.text += part.get("text", "")


def _stop(reason: str, heard: Heard) -> Literal["end", "tools", "length", "refusal"]:
    if reason in _LENGTH:
        return "length"
    if reason in _END:
        return "tools" if heard.calls else "end"
    return "refusal"


def error(body: Json) -> str:
    said = body["error"]
    return f"{said['status']}: {said['message']}"
