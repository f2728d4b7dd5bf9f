"""How the fake provider writes a step: Anthropic's Messages and OpenAI's Chat Completions, whole and streamed."""

import hashlib
import itertools
from collections.abc import Iterator
from enum import Enum
from typing import Any, NamedTuple, Protocol

import msgspec
from upstream_script import Step

_IDS = itertools.count(1)
#: OpenAI's word for Anthropic's.
FINISH = {"end_turn": "stop", "max_tokens": "length", "tool_use": "tool_calls", "refusal": "content_filter"}
STOP = {finish: stop for stop, finish in FINISH.items()}
TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
EVENT_STREAM = "text/event-stream; charset=utf-8"
Json = dict[str, Any]


class Part(Enum):
    """What a piece of a stream is: content, the ending that makes it a success, or anything else."""

    FRAME = "frame"
    DELTA = "delta"
    END = "end"


class Frame(NamedTuple):
    """Bytes of a stream."""

    data: bytes
    part: Part = Part.FRAME


PARTS = {"content_block_delta": Part.DELTA, "message_delta": Part.END, "message_stop": Part.END}


class Wire(Protocol):
    """One dialect."""

    stream_type: str

    def asked(self, path: str, body: Json) -> Json:
        """The request with its `model`, `stream` and `messages`, wherever this dialect says them."""
        ...

    def whole(self, step: Step, body: Json, size: int) -> Json: ...

    def frames(self, step: Step, body: Json, size: int) -> Iterator[Frame]: ...

    def error(self, status: int, type: str, message: str) -> Json: ...

    def error_frame(self, type: str, message: str) -> bytes: ...


def encode(value: Any) -> bytes:
    return msgspec.json.encode(value)


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def ident(prefix: str) -> str:
    return f"{prefix}{next(_IDS):08d}"


def signature(thinking: str) -> str:
    return "sig-" + hashlib.sha256(thinking.encode()).hexdigest()[:24]


class Anthropic:
    """`/v1/messages`."""

    stream_type = EVENT_STREAM

    def asked(self, path: str, body: Json) -> Json:
        return body

    def whole(self, step: Step, body: Json, size: int) -> Json:
        stop = STOP.get(step.stop, step.stop) or ("tool_use" if step.calls else "end_turn")
        return {
            "id": ident("msg_"),
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": self._content(step),
            "stop_reason": stop,
            "stop_sequence": body["stop_sequences"][0] if stop == "stop_sequence" else None,
            "usage": self._usage(step, size),
        }

    def frames(self, step: Step, body: Json, size: int) -> Iterator[Frame]:
        message = self.whole(step, body, size)
        usage = message["usage"]
        begun = message | {"content": [], "stop_reason": None, "stop_sequence": None}
        yield self._event("message_start", message=begun | {"usage": usage | {"output_tokens": 1}})
        yield self._event("ping")
        for index, block in enumerate(message["content"]):
            yield self._event("content_block_start", index=index, content_block=self._opening(block))
            for delta in self._deltas(block, step.chunk):
                yield self._event("content_block_delta", index=index, delta=delta)
            yield self._event("content_block_stop", index=index)
        ending = {key: message[key] for key in ("stop_reason", "stop_sequence")}
        yield self._event("message_delta", delta=ending, usage=usage)
        yield self._event("message_stop")

    def error(self, status: int, type: str, message: str) -> Json:
        kind = type or TYPES.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": ident("req_")}

    def error_frame(self, type: str, message: str) -> bytes:
        return self._event("error", error={"type": type or "overloaded_error", "message": message}).data

    @staticmethod
    def _event(name: str, **fields: Any) -> Frame:
        data = encode({"type": name} | fields)
        part = PARTS.get(name, Part.FRAME)
        return Frame(b"event: %s\ndata: %s\n\n" % (name.encode(), data), part)

    @staticmethod
    def _content(step: Step) -> list[Json]:
        blocks: list[Json] = []
        if step.think:
            blocks.append({"type": "thinking", "thinking": step.think, "signature": signature(step.think)})
        if step.content:
            blocks.append({"type": "text", "text": step.content})
        calls = ({"type": "tool_use", "id": ident("toolu_"), "name": c.name, "input": c.input} for c in step.calls)
        return [*blocks, *calls]

    @staticmethod
    def _opening(block: Json) -> Json:
        empty = {"thinking": "", "signature": "", "text": "", "input": {}}
        return {key: empty.get(key, value) for key, value in block.items()}

    @staticmethod
    def _deltas(block: Json, chunk: int) -> Iterator[Json]:
        if block["type"] == "text":
            yield from ({"type": "text_delta", "text": piece} for piece in pieces(block["text"], chunk))
        elif block["type"] == "thinking":
            yield from ({"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"], chunk))
            yield {"type": "signature_delta", "signature": block["signature"]}
        else:
            text = encode(block["input"]).decode() if block["input"] else ""
            yield {"type": "input_json_delta", "partial_json": ""}
            yield from ({"type": "input_json_delta", "partial_json": piece} for piece in pieces(text, chunk))

    @staticmethod
    def _usage(step: Step, size: int) -> Json:
        return {
            "input_tokens": input_tokens(step, size),
            "cache_creation_input_tokens": step.usage.cache_write,
            "cache_read_input_tokens": step.usage.cache_read,
            "output_tokens": output_tokens(step),
        }


class OpenAIChat:
    """`/v1/chat/completions`. Thinking is `reasoning_content`, as DeepSeek and others send it."""

    stream_type = EVENT_STREAM

    def asked(self, path: str, body: Json) -> Json:
        return body

    def whole(self, step: Step, body: Json, size: int) -> Json:
        calls = [
            {
                "id": ident("call_"),
                "type": "function",
                "function": {"name": c.name, "arguments": encode(c.input).decode()},
            }
            for c in step.calls
        ]
        message: Json = {"role": "assistant", "content": step.content or None, "refusal": None}
        if step.think:
            message["reasoning_content"] = step.think
        if calls:
            message["tool_calls"] = calls
        choice = {"index": 0, "message": message, "finish_reason": self._finish(step), "logprobs": None}
        return self._head(body, "chat.completion") | {"choices": [choice], "usage": self._usage(step, size)}

    def frames(self, step: Step, body: Json, size: int) -> Iterator[Frame]:
        message = self.whole(step, body, size)["choices"][0]["message"]
        head = self._head(body, "chat.completion.chunk")

        def chunk(delta: Json, finish: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
            return self._data(head | {"choices": [choice]})

        yield Frame(chunk({"role": "assistant", "content": ""}))
        for piece in pieces(step.think, step.chunk):
            yield Frame(chunk({"reasoning_content": piece}), Part.DELTA)
        for piece in pieces(step.content, step.chunk):
            yield Frame(chunk({"content": piece}), Part.DELTA)
        for index, call in enumerate(message.get("tool_calls", ())):
            arguments = call["function"]["arguments"]
            opening = call | {"index": index, "function": call["function"] | {"arguments": ""}}
            yield Frame(chunk({"tool_calls": [opening]}))
            for piece in pieces(arguments, step.chunk):
                more = {"index": index, "function": {"arguments": piece}}
                yield Frame(chunk({"tool_calls": [more]}), Part.DELTA)
        yield Frame(chunk({}, self._finish(step)), Part.END)
        if (body.get("stream_options") or {}).get("include_usage"):
            yield Frame(self._data(head | {"choices": [], "usage": self._usage(step, size)}))
        yield Frame(b"data: [DONE]\n\n", Part.END)

    def error(self, status: int, type: str, message: str) -> Json:
        kind = type or TYPES.get(status, "server_error")
        return {"error": {"message": message, "type": kind, "param": None, "code": None}}

    def error_frame(self, type: str, message: str) -> bytes:
        return self._data({"error": {"message": message, "type": type or "server_error", "code": 502}})

    @staticmethod
    def _data(value: Json) -> bytes:
        return b"data: %s\n\n" % encode(value)

    @staticmethod
    def _head(body: Json, kind: str) -> Json:
        return {"id": ident("chatcmpl-"), "object": kind, "created": 1_763_800_000, "model": body["model"]}

    @staticmethod
    def _finish(step: Step) -> str:
        return FINISH.get(step.stop, step.stop) or ("tool_calls" if step.calls else "stop")

    @staticmethod
    def _usage(step: Step, size: int) -> Json:
        prompt = input_tokens(step, size) + step.usage.cache_read + step.usage.cache_write
        output = output_tokens(step)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": output,
            "total_tokens": prompt + output,
            "prompt_tokens_details": {"cached_tokens": step.usage.cache_read},
            "completion_tokens_details": {"reasoning_tokens": len(step.think) // 4},
        }


def input_tokens(step: Step, size: int) -> int:
    """Without cached ones: scripted, or a quarter of the body's bytes."""
    return size // 4 if step.usage.input is None else step.usage.input


def output_tokens(step: Step) -> int:
    """Scripted, or a quarter of the characters."""
    if step.usage.output is not None:
        return step.usage.output
    return 1 + (len(step.think) + len(step.content) + sum(len(encode(call)) for call in step.calls)) // 4
