"""Reads Anthropic Messages ("Streaming messages"): blocks in order, one open at a time, contiguous indices."""

import json
from typing import Any, Final, Literal

from heard import Call, Event, Heard, Json, events, need

NAME = "anthropic"
_STOP: Final[dict[str, Literal["end", "tools", "length", "refusal"]]] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "pause_turn": "end",
    "tool_use": "tools",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}
_LANES: Final = {
    ("text_delta", "text"): "text",
    ("thinking_delta", "thinking"): "thinking",
    ("input_json_delta", "tool_use"): "partial_json",
    ("signature_delta", "thinking"): "",
}


def whole(body: Json) -> Heard:
    need(body["type"] == "message" and body["role"] == "assistant", f"no message: {body}")
    heard = Heard(stop=_STOP[body["stop_reason"]], tokens=_tokens(body["usage"]), terminal=True)
    for block in body["content"]:
        match block["type"]:
            case "text":
                heard.text += block["text"]
            case "thinking":
                need(isinstance(block["signature"], str), "thinking without a signature")
                heard.thinking += block["thinking"]
            case "tool_use":
                need(isinstance(block["input"], dict) and block["id"], "a call without id or arguments")
                heard.calls.append(Call(block["name"], json.dumps(block["input"])))
    _check_stop(heard)
    return heard


def _check_stop(heard: Heard) -> None:
    need(heard.stop != "tools" or heard.calls, "stop_reason tool_use without a call")
    need(heard.stop != "end" or not heard.calls, "a call, but stop_reason end_turn")


def stream(data: bytes) -> Heard:
    reading = _Reading()
    for event in events(data):
        need(not (reading.heard.terminal or reading.heard.error), f"{event.name} after the end")
        reading.take(event)
    return reading.heard


class _Reading:
    def __init__(self) -> None:
        self.heard = Heard()
        self._usage: Json = {}
        self._begun = self._ending = False
        self._open: Json | None = None
        self._blocks = 0

    def take(self, event: Event) -> None:
        value = event.json()
        name = value["type"]
        need(event.name in ("", name), f"event {event.name!r} says that it is {name!r}")
        match name:
            case "ping":
                return
            case "error":
                self.heard.error = error(value)
            case "message_start":
                need(not self._begun, "two message_start")
                need(value["message"]["content"] == [], "message_start with content")
                self._begun, self._usage = True, value["message"]["usage"]
            case "content_block_start" | "content_block_delta" | "content_block_stop":
                need(self._begun and not self._ending, f"{name} out of place")
                self._block(name, value)
            case "message_delta":
                need(self._begun and self._open is None, "message_delta out of place")
                self._ending = True
                self._usage |= {key: count for key, count in value["usage"].items() if count is not None}
                self.heard.stop, self.heard.tokens = _STOP[value["delta"]["stop_reason"]], _tokens(self._usage)
            case "message_stop":
                need(self._ending, "message_stop without a stop_reason")
                _check_stop(self.heard)
                self.heard.terminal = True

    def _block(self, name: str, value: Json) -> None:
        if name == "content_block_start":
            need(self._open is None and value["index"] == self._blocks, f"block {value['index']} out of place")
            self._open = value["content_block"]
            self._opened(value["content_block"])
            return
        need(self._open is not None and value["index"] == self._blocks, f"{name} of block {value['index']}")
        if name == "content_block_stop":
            self._open, self._blocks = None, self._blocks + 1
        elif self._open is not None:
            self._delta(self._open["type"], value["delta"])

    def _opened(self, block: Json) -> None:
        self.heard.text += block.get("text", "")
        self.heard.thinking += block.get("thinking", "")
        if block["type"] == "tool_use":
            need(block["id"] and block["name"], "a call without id or name")
            whole_input = block.get("input") or None
            self.heard.calls.append(Call(block["name"], json.dumps(whole_input) if whole_input else ""))

    def _delta(self, block_type: str, delta: Json) -> None:
        key = (delta["type"], block_type)
        need(key in _LANES or block_type not in ("text", "thinking", "tool_use"), f"a {key[0]} in a {key[1]} block")
        match _LANES.get(key, ""):
            case "text":
                self.heard.text += delta["text"]
            case "thinking":
                self.heard.thinking += delta["thinking"]
            case "partial_json":
                self.heard.calls[-1].arguments += delta["partial_json"]


def _tokens(usage: dict[str, Any]) -> tuple[int, int]:
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return sum(usage.get(name) or 0 for name in names), usage.get("output_tokens") or 0


def error(body: Json) -> str:
    need(body["type"] == "error", f"no error: {body}")
    said = body["error"]
    need(said["message"] and said["type"], "an error without a type or a message")
    return f"{said['type']}: {said['message']}"
