"""What an answer says, read as strictly as a careful client of its dialect would: one class each.

`whole` and `stream` raise `Wrong` for what no client should have to read.
"""

import json
from typing import Any, Final, Protocol

from prove.chain import Content
from prove.oracle_http import Event

Json = dict[str, Any]


class Wrong(ValueError):
    """Not the dialect's shape."""


class Said:
    """What was read: the words, whether the answer says that it is complete, and whether it ends with an error.

    `finished`: the model's own end was said, without the terminal marker that is due after it.
    """

    def __init__(self) -> None:
        self.thinking, self.text, self.tool = "", "", ""
        self.terminal = self.finished = self.error = False

    @property
    def content(self) -> Content:
        return Content(self.thinking, self.text, self.tool)


class Client(Protocol):
    """A client's dialect."""

    name: str
    path: str

    def request(self, model: str, prompt: str, *, stream: bool) -> Json: ...

    def whole(self, body: Json) -> Said:
        """A successful answer."""
        ...

    def stream(self, events: list[Event]) -> Said:
        """A streamed one, however it ends."""
        ...

    def check_error(self, body: Json) -> None:
        """Wrong if this is no error."""
        ...


def need(condition: object, what: str) -> None:
    """Wrong without it."""
    if not condition:
        raise Wrong(what)


def loads(data: str | bytes) -> Json:
    """A JSON object and nothing else."""
    try:
        value = json.loads(data, parse_constant=_no_constant)
    except ValueError as exc:
        raise Wrong(f"not JSON: {exc}: {data[:60]!r}") from None
    except RecursionError:
        raise Wrong("JSON without end") from None
    need(isinstance(value, dict), f"not an object: {data[:60]!r}")
    return dict(value)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class AnthropicClient:
    """Reads `/v1/messages`, with a grammar of its own: the proxy's must not judge itself."""

    name, path = "anthropic", "/v1/messages"
    _LANES: Final = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}

    def request(self, model: str, prompt: str, *, stream: bool) -> Json:
        message = {"role": "user", "content": prompt}
        return {"model": model, "max_tokens": 4000, "stream": stream, "messages": [message]}

    def whole(self, body: Json) -> Said:
        need(body.get("type") == "message", f"type {body.get('type')!r}")
        need(body.get("role") == "assistant", "role")
        need(isinstance(body.get("stop_reason"), str), f"stop_reason {body.get('stop_reason')!r}")
        need(isinstance(body.get("content"), list), "content is no list")
        said = Said()
        for block in body["content"]:
            match block.get("type"):
                case "text":
                    said.text += block["text"]
                case "thinking":
                    said.thinking += block["thinking"]
                case "tool_use":
                    said.tool += json.dumps(block["input"], separators=(",", ":"))
        said.terminal = True
        return said

    def stream(self, events: list[Event]) -> Said:
        said, state, index, kind = Said(), "start", -1, ""
        for event in events:
            need(state not in ("done", "failed"), f"{event.name} after the end")
            value = loads(event.data)
            name = value.get("type")
            need(event.name == name, f"event {event.name!r} with data of type {name!r}")
            match name, state:
                case "ping", _:
                    pass
                case "error", _:
                    self.check_error(value)
                    state, said.error = "failed", True
                case "message_start", "start":
                    need(isinstance(value.get("message"), dict), "message_start without a message")
                    state = "open"
                case "content_block_start", "open":
                    index, kind, state = index + 1, value["content_block"]["type"], "block"
                    need(value.get("index") == index, f"block {value.get('index')} where {index} is due")
                case "content_block_delta", "block":
                    need(value.get("index") == index, f"a delta for block {value.get('index')} in block {index}")
                    self._add(said, kind, value["delta"])
                case "content_block_stop", "block":
                    need(value.get("index") == index, f"block {value.get('index')} stops, not {index}")
                    state = "open"
                case "message_delta", "open" | "ending":
                    need(value.get("delta", {}).get("stop_reason"), "message_delta without a stop_reason")
                    state = "ending"
                case "message_stop", "ending":
                    state, said.terminal = "done", True
                case known, _:
                    need(known not in _KNOWN, f"{known} in state {state}")
        return said

    def _add(self, said: Said, kind: str, delta: Json) -> None:
        match delta["type"], kind:
            case "text_delta", "text":
                said.text += delta["text"]
            case "thinking_delta", "thinking":
                said.thinking += delta["thinking"]
            case "input_json_delta", "tool_use":
                said.tool += delta["partial_json"]
            case "signature_delta", "thinking":
                pass
            case other, _:
                raise Wrong(f"a {other} in a {kind} block")

    def check_error(self, body: Json) -> None:
        error = body.get("error")
        if body.get("type") != "error" or not isinstance(error, dict):
            raise Wrong(f"no error: {str(body)[:100]}")
        for name in ("type", "message"):
            need(isinstance(error.get(name), str) and error[name], f"error without {name}")


_KNOWN: Final = frozenset(
    (
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    )
)


class OpenAIClient:
    """Reads `/v1/chat/completions`."""

    name, path = "openai", "/v1/chat/completions"

    def request(self, model: str, prompt: str, *, stream: bool) -> Json:
        message = {"role": "user", "content": prompt}
        asked: Json = {"model": model, "messages": [message]}
        return asked | {"stream": True, "stream_options": {"include_usage": True}} if stream else asked

    def whole(self, body: Json) -> Said:
        need(body.get("object") == "chat.completion", f"object {body.get('object')!r}")
        choices = body.get("choices")
        need(isinstance(choices, list) and len(choices) == 1, "not one choice")
        choice = choices[0] if choices else {}
        need(isinstance(choice.get("finish_reason"), str), f"finish_reason {choice.get('finish_reason')!r}")
        said = Said()
        self._add(said, choice["message"])
        said.terminal = True
        return said

    def stream(self, events: list[Event]) -> Said:
        said = Said()
        for event in events:
            need(not said.terminal and not said.error, "an event after the end")
            if event.data == "[DONE]":
                need(said.finished, "[DONE] without a finish_reason")
                said.terminal = True
                continue
            value = loads(event.data)
            if "error" in value:
                self.check_error(value)
                said.error = True
                continue
            need(value.get("object") == "chat.completion.chunk", f"object {value.get('object')!r}")
            for choice in value["choices"]:
                need(choice["index"] == 0, f"choice {choice['index']}")
                self._add(said, choice["delta"])
                said.finished |= isinstance(choice.get("finish_reason"), str)
        return said

    def _add(self, said: Said, message: Json) -> None:
        said.text += message.get("content") or ""
        said.thinking += message.get("reasoning_content") or message.get("reasoning") or ""
        for call in message.get("tool_calls") or ():
            need(call.get("index", 0) == 0, f"call {call.get('index')}")
            said.tool += (call.get("function") or {}).get("arguments") or ""

    def check_error(self, body: Json) -> None:
        error = body.get("error")
        need(isinstance(error, dict), f"no error: {str(body)[:100]}")
        need(
            isinstance(error, dict) and isinstance(error.get("message"), str) and error["message"],
            "error without message",
        )


class ResponsesClient:
    """Reads `/v1/responses`, with a grammar of its own."""

    name, path = "openai-responses", "/v1/responses"
    _LANES: Final = {
        "response.output_text.delta": ("text", "message"),
        "response.reasoning_summary_text.delta": ("thinking", "reasoning"),
        "response.function_call_arguments.delta": ("tool", "function_call"),
    }

    def request(self, model: str, prompt: str, *, stream: bool) -> Json:
        return {"model": model, "input": prompt, "stream": stream, "store": False}

    def whole(self, body: Json) -> Said:
        need(body.get("object") == "response", f"object {body.get('object')!r}")
        need(body.get("status") in ("completed", "incomplete"), f"status {body.get('status')!r}")
        need(isinstance(body.get("output"), list), "output is no list")
        said = Said()
        for item in body["output"]:
            match item.get("type"):
                case "message":
                    need(item.get("role") == "assistant", "role")
                    said.text += "".join(part["text"] for part in item["content"])
                case "reasoning":
                    said.thinking += "".join(part["text"] for part in item["summary"])
                case "function_call":
                    said.tool += item["arguments"]
        said.terminal = True
        return said

    def stream(self, events: list[Event]) -> Said:
        said, items, done, begun = Said(), dict[int, str](), set[int](), False
        for event in events:
            need(not (said.terminal or said.error), f"{event.name} after the end")
            value = loads(event.data)
            name, at = value.get("type"), int(value.get("output_index", -1))
            need(event.name in ("", name), f"event {event.name!r} with data of type {name!r}")
            match name:
                case "error" | "response.failed":
                    self.check_error(value.get("response") or value)
                    said.error = True
                case "response.created" | "response.in_progress":
                    begun = True
                case "response.output_item.added":
                    need(begun and at >= 0 and at not in items, f"item {at} begins")
                    items[at] = value["item"]["type"]
                case "response.output_item.done":
                    need(at in items and at not in done, f"item {at} ends")
                    done.add(at)
                case "response.completed" | "response.incomplete":
                    need(done == set(items), "an item was never done")
                    self._check_end(said, value["response"], name)
                case filled if filled in self._LANES:
                    lane, kind = self._LANES[filled]
                    need(at not in done and items.get(at) == kind, f"{filled} of item {at}, a {items.get(at)}")
                    setattr(said, lane, getattr(said, lane) + value["delta"])
        return said

    def _check_end(self, said: Said, response: Json, name: str) -> None:
        need(name == f"response.{response.get('status')}", f"{name} with status {response.get('status')}")
        whole = self.whole(response)
        need(whole.content == said.content, "the response's end differs from what was streamed")
        said.terminal = True

    def check_error(self, body: Json) -> None:
        error = body.get("error")
        need(isinstance(error, dict), f"no error: {str(body)[:100]}")
        need(
            isinstance(error, dict) and isinstance(error.get("message"), str) and error["message"],
            "error without message",
        )


CLIENTS: Final[tuple[Client, ...]] = (AnthropicClient(), OpenAIClient(), ResponsesClient())
