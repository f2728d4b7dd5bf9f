"""Reads Ollama's `/api/chat`, whole and as lines of JSON: `"done": true` is the only end."""

import json

from heard import Call, Heard, Json, loads, need

NAME = "ollama"


def whole(body: Json) -> Heard:
    heard = Heard()
    _take(heard, body)
    need(heard.stop, "not done")
    return heard


def stream(data: bytes) -> Heard:
    heard = Heard()
    *lines, rest = data.decode().split("\n")
    # A line that a closing bracket ends is whole, whether its line end came or not.
    for line in [*lines, rest if rest.endswith("}") and _is_json(rest) else ""]:
        if not line.strip():
            continue
        value = loads(line)
        if "error" in value:
            heard.error = error(value)
            return heard
        need(not heard.terminal, "a line after the last")
        _take(heard, value)
    return heard


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _take(heard: Heard, value: Json) -> None:
    message = value.get("message") or {}
    heard.text += message.get("content") or ""
    heard.thinking += message.get("thinking") or ""
    for call in message.get("tool_calls") or ():
        heard.calls.append(Call(call["function"]["name"], json.dumps(call["function"]["arguments"])))
    if value["done"]:
        reason = value.get("done_reason") or "stop"
        heard.stop = "length" if reason == "length" else "tools" if heard.calls else "end"
        heard.tokens = value.get("prompt_eval_count", 0), value.get("eval_count", 0)
        heard.terminal = True


def error(body: Json) -> str:
    return f"error: {body['error']}"
