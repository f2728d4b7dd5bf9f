"""The parts of a Gemini answer as blocks of which one is open at a time.

A call comes whole. A signature becomes a thinking block's where one is open, else a block of redacted thinking: that is
what clients send back (`gemini_carried` says where it belongs). A text's, which Google recommends to send back and does
not demand, is kept where thinking was shown: a client that asked for none should not find blocks of it behind its text.
"""

import msgspec
from msgspec import Raw

from core.dialects.gemini_carried import Carried, written
from core.dialects.gemini_wire import Blob, Code, FunctionCall, NewId, Part
from core.dialects.tool_ids import safe_id
from core.messages import Block, BlockDelta, BlockStart, BlockStop, StreamEvent

#: What the model puts before a tool's name now and then: how it sees the functions that it was given.
_NAMESPACES = ("default_api:", "default_api.")


class Blocks:
    """The blocks of one answer. Each method returns the events that are due."""

    def __init__(self, new_id: NewId) -> None:
        self._new_id = new_id
        self._index = 0
        self._open = ""
        self._ids: set[str] = set()
        self._shows_thoughts = False
        self.tool_used = False

    def take(self, part: Part) -> list[StreamEvent]:
        """One part of the answer."""
        if part.text and not (part.thought or part.thought_signature):
            return self._more("text", part.text)  # nearly all of them
        if part.function_call is not None and part.function_call.name:
            return self._call(part.function_call, part.thought_signature or "")
        if part.tool_call or part.tool_response:
            whole = {"toolCall": part.tool_call, "toolResponse": part.tool_response}
            kept = {name: value for name, value in whole.items() if value}
            if part.thought_signature:
                kept["thoughtSignature"] = Raw(msgspec.json.encode(part.thought_signature))
            return self._carry(Carried("part", msgspec.json.encode(kept).decode()))
        if part.thought:
            return self._thought(part.text or "", part.thought_signature or "")
        return self._said(_text(part), part.thought_signature or "")

    def close(self) -> list[StreamEvent]:
        """The open block's end."""
        if not self._open:
            return []
        self._open = ""
        self._index += 1
        return [BlockStop(self._index - 1)]

    def _call(self, call: FunctionCall, signature: str) -> list[StreamEvent]:
        id = safe_id(call.id or self._new_id())
        while id in self._ids:
            id = safe_id(self._new_id())
        self._ids.add(id)
        self.tool_used = True
        events = self._signed(Carried("call", signature, id)) if signature else self.close()
        arguments = bytes(call.args).decode()
        events.append(BlockStart(self._index, Block(type="tool_use", id=id, name=_name(call))))
        if arguments.startswith("{"):
            events.append(BlockDelta(self._index, "input_json", arguments))
        self._open = "tool_use"
        return events + self.close()

    def _thought(self, text: str, signature: str) -> list[StreamEvent]:
        self._shows_thoughts = True
        events = self._more("thinking", text)
        return events + self._signed(Carried("own", signature)) if signature else events

    def _said(self, text: str, signature: str) -> list[StreamEvent]:
        if not signature or not self._shows_thoughts:
            return self._more("text", text)
        if not text:
            return self._carry(Carried("tail", signature))
        return self.close() + self._more("text", text) + self._carry(Carried("text", signature))

    def _more(self, kind: str, text: str) -> list[StreamEvent]:
        if not text:
            return []
        events: list[StreamEvent] = []
        if self._open != kind:
            events = self.close()
            self._open = kind
            block = Block(type="thinking", signature="") if kind == "thinking" else Block(type="text")
            events.append(BlockStart(self._index, block))
        return [*events, BlockDelta(self._index, "thinking" if kind == "thinking" else "text", text)]

    def _signed(self, carried: Carried) -> list[StreamEvent]:
        """With the thinking that is open, which ends with it; else by itself."""
        if self._open != "thinking":
            return self._carry(carried)
        return [BlockDelta(self._index, "signature", written(carried)), *self.close()]

    def _carry(self, carried: Carried) -> list[StreamEvent]:
        events = self.close()
        block = Block(type="redacted_thinking", data=written(carried))
        self._index += 1
        return [*events, BlockStart(self._index - 1, block), BlockStop(self._index - 1)]


def _name(call: FunctionCall) -> str:
    name = call.name or ""
    for namespace in _NAMESPACES:
        name = name.removeprefix(namespace)
    return name


def _text(part: Part) -> str:
    """A part as text: what the provider's own tools did is told, a picture named."""
    told = _code(part.executable_code) + _code(part.code_execution_result) + _picture(part.inline_data)
    return part.text or told


def _code(code: Code | None) -> str:
    if code is None:
        return ""
    return f"\n```{(code.language or '').lower()}\n{code.code or code.output or code.outcome or ''}\n```\n"


def _picture(blob: Blob | None) -> str:
    return f"[{blob.mime_type or 'data'} that could not be passed on]" if blob else ""
