"""Neutral events to OpenAI's Responses stream.

Source: OpenAI's API reference, "Streaming events". Every event has its number in the stream; an item is opened, filled
and closed, and once more repeated whole in the last event.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

import msgspec
from msgspec import Raw

from core import sse
from core.dialects.openai_wire import NewId
from core.dialects.responses_answer import ended, head
from core.dialects.responses_blocks import is_written, item_of, new_item_id, output_text, summary_text
from core.dialects.responses_tools import find, free_text
from core.messages import (
    EMPTY_OBJECT,
    Block,
    BlockDelta,
    BlockStart,
    BlockStop,
    MessageDelta,
    MessageStart,
    MessageStop,
    Ping,
    Request,
    StreamError,
    StreamEvent,
    Usage,
)

#: OpenAI's codes for Anthropic's error types; clients (Codex) decide by them whether to ask again.
_CODES = {
    "rate_limit_error": "rate_limit_exceeded",
    "overloaded_error": "server_is_overloaded",
    "billing_error": "insufficient_quota",
    "invalid_request_error": "invalid_prompt",
}
_Kind = Literal["text", "thinking", "call", "free_text", "other"]
#: The event of a delta, and its fields after those that each event of an item has.
_DELTAS: Mapping[str, tuple[str, dict[str, Any]]] = MappingProxyType(
    {
        "text": ("output_text.delta", {"content_index": 0, "delta": "", "logprobs": []}),
        "thinking": ("reasoning_summary_text.delta", {"summary_index": 0, "delta": ""}),
        "call": ("function_call_arguments.delta", {"delta": ""}),
    }
)
_NOTHING = (b"", b"", b"")


class Encoder:
    """One stream."""

    def __init__(self, request: Request, now: Callable[[], float], new_id: NewId) -> None:
        self._request = request
        self._now = now
        self._new_id = new_id
        self._tools = find(request)
        self._head: dict[str, Any] = {}
        self._output: list[dict[str, Any]] = []
        self._number = -1
        self._block: Block | None = None
        self._id = ""
        self._kind: _Kind = "other"
        self._said: list[str] = []
        self._signature = ""
        self._around = _NOTHING
        self._end: tuple[str, Usage] = ("", Usage())

    def encode(self, event: StreamEvent) -> bytes:
        match event:
            case BlockDelta(kind=kind, data=data):
                return self._delta(kind, data)
            case BlockStart(block=block):
                return self._open(block)
            case BlockStop():
                return self._close()
            case MessageStart(id=id, model=model):
                self._head = head(id, model or self._request.model, self._request, int(self._now()))
                return self._response("response.created", self._head) + self._response(
                    "response.in_progress", self._head
                )
            case MessageDelta(stop_reason=reason, usage=usage):
                self._end = (reason, usage)
            case MessageStop():
                whole = ended(self._head, self._output, *self._end)
                return self._response(f"response.{whole['status']}", whole)
            case Ping():
                return sse.comment("ping")
            case StreamError():
                return failure(event, self._number + 1, self._head | {"output": self._output} if self._head else {})
        return b""

    def _event(self, name: str, **fields: Any) -> bytes:
        self._number += 1
        body = {"type": name, "sequence_number": self._number, **fields}
        return sse.encode(msgspec.json.encode(body), name)

    def _of_item(self, name: str, **fields: Any) -> bytes:
        """An event of the open item."""
        return self._event(f"response.{name}", item_id=self._id, output_index=len(self._output), **fields)

    def _response(self, name: str, response: dict[str, Any]) -> bytes:
        return self._event(name, response=response)

    def _open(self, block: Block) -> bytes:
        if not is_written(block):
            self._block = None
            return b""
        self._block, self._said, self._signature = msgspec.structs.replace(block), [], block.signature or ""
        self._id = new_item_id(block, self._tools, self._new_id)
        self._kind = self._kind_of(block)
        self._around = self._template() if self._kind in _DELTAS else _NOTHING
        item = item_of(block, self._id, self._tools, "in_progress")
        opened = self._event("response.output_item.added", output_index=len(self._output), item=item)
        match block:
            case Block(type="text"):
                return opened + self._of_item("content_part.added", content_index=0, part=output_text(""))
            case Block(type="server_tool_use"):
                return opened + self._of_item("web_search_call.in_progress")
        return opened

    def _kind_of(self, block: Block) -> _Kind:
        if block.type == "tool_use":
            return "free_text" if block.name in self._tools and self._tools[block.name].free_text else "call"
        return "text" if block.type == "text" else "thinking" if block.type == "thinking" else "other"

    def _delta(self, kind: str, data: str) -> bytes:
        if self._block is None or not data:
            return b""
        if kind == "signature":
            self._signature += data
            return b""
        first = not self._said
        self._said.append(data)
        if self._kind not in _DELTAS:
            return b""  # a free text is known when its whole JSON is
        opened = b""
        if first and self._kind == "thinking":
            opened = self._of_item("reasoning_summary_part.added", summary_index=0, part=summary_text(""))
        self._number += 1
        head, middle, tail = self._around
        return b"%b%b%d%b%b%b" % (opened, head, self._number, middle, msgspec.json.encode(data), tail)

    def _template(self) -> tuple[bytes, bytes, bytes]:
        """A delta of the open item around its number and its text: all else is the same in each of them."""
        name, fields = f"response.{_DELTAS[self._kind][0]}", _DELTAS[self._kind][1]
        body = {"type": name, "sequence_number": 0, "item_id": self._id, "output_index": len(self._output)}
        whole = sse.encode(msgspec.json.encode(body | fields), name)
        head, number, rest = whole.partition(b'"sequence_number":')
        middle, text, tail = rest.removeprefix(b"0").partition(b'"delta":')
        return head + number, middle + text, tail.removeprefix(b'""')

    def _close(self) -> bytes:
        block = self._block
        if block is None:
            return b""
        said, self._block = "".join(self._said), None
        events = self._closing(block, said)
        item = item_of(block, self._id, self._tools)
        events += self._event("response.output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)
        return events

    def _closing(self, block: Block, said: str) -> bytes:
        """What ends the item's content; the block gets what was said of it."""
        match self._kind:
            case "text":
                block.text = said
                done = self._of_item("output_text.done", content_index=0, text=said, logprobs=[])
                return done + self._of_item("content_part.done", content_index=0, part=output_text(said))
            case "thinking":
                block.thinking, block.signature = said, self._signature
                if not said:
                    return b""
                done = self._of_item("reasoning_summary_text.done", summary_index=0, text=said)
                return done + self._of_item("reasoning_summary_part.done", summary_index=0, part=summary_text(said))
            case "call":
                block.input = Raw(said.encode()) if said.strip() else EMPTY_OBJECT
                # Clients of this dialect parse what was sent, so empty arguments are said.
                more = b"" if said else self._of_item("function_call_arguments.delta", delta="{}")
                return more + self._of_item("function_call_arguments.done", arguments=said or "{}")
            case "free_text":
                block.input = Raw(said.encode()) if said.strip() else EMPTY_OBJECT
                text = free_text(said)
                more = self._of_item("custom_tool_call_input.delta", delta=text) if text else b""
                return more + self._of_item("custom_tool_call_input.done", input=text)
        return self._searched(block, said)

    def _searched(self, block: Block, said: str) -> bytes:
        if block.type != "server_tool_use":
            return b""
        block.input = Raw(said.encode()) if said.strip() else block.input
        return self._of_item("web_search_call.searching") + self._of_item("web_search_call.completed")


def failure(error: StreamError, number: int, response: dict[str, Any]) -> bytes:
    """The stream's last event: the failure of the response, which Codex reads, or `error` where none had begun. SDKs
    raise what has an `error`.
    """
    code = _CODES.get(error.type, "server_error")
    said = {"type": error.type, "code": code, "message": error.message, "param": None}
    body: dict[str, Any] = {"type": "error", "code": code, "message": error.message, "param": None}
    if response:
        whole = response | {"status": "failed", "error": {"code": code, "message": error.message}}
        body = {"type": "response.failed", "response": whole}
    return sse.encode(msgspec.json.encode(body | {"sequence_number": number, "error": said}), body["type"])
