"""How the fake provider writes a step as OpenAI Responses, whole and streamed, and reads a conversation of it."""

from collections.abc import Iterator
from typing import Any

from upstream_script import Call, Step
from upstream_wire import (
    EVENT_STREAM,
    TYPES,
    Frame,
    Json,
    Part,
    encode,
    ident,
    input_tokens,
    output_tokens,
    pieces,
    signature,
)

_ENDS = {"response.completed", "response.incomplete"}
#: OpenAI's words for why an answer is not complete, by any dialect's stop reason.
_INCOMPLETE = {
    "max_tokens": "max_output_tokens",
    "length": "max_output_tokens",
    "refusal": "content_filter",
    "content_filter": "content_filter",
}


class OpenAIResponses:
    """`/v1/responses`. Thinking is a summary, with an encrypted form that only this provider could read."""

    stream_type = EVENT_STREAM

    def asked(self, path: str, body: Json) -> Json:
        return body | {"messages": conversation(body.get("input"))}

    def whole(self, step: Step, body: Json, size: int) -> Json:
        reason = _INCOMPLETE.get(step.stop)
        return self._head(body, ident("resp_")) | {
            "status": "incomplete" if reason else "completed",
            "incomplete_details": {"reason": reason} if reason else None,
            "output": self._items(step, body),
            "usage": self._usage(step, size),
        }

    def frames(self, step: Step, body: Json, size: int) -> Iterator[Frame]:
        response = self.whole(step, body, size)
        begun = self._head(body, response["id"])
        events: list[tuple[str, Json]] = [("response.created", {"response": begun})]
        events.append(("response.in_progress", {"response": begun}))
        for at, item in enumerate(response["output"]):
            events.append(("response.output_item.added", {"output_index": at, "item": self._opening(item)}))
            of_item = {"item_id": item["id"], "output_index": at}
            events += [(name, of_item | fields) for name, fields in self._filling(item, step.chunk)]
            events.append(("response.output_item.done", {"output_index": at, "item": item}))
        events.append((f"response.{response['status']}", {"response": response}))
        for number, (name, fields) in enumerate(events):
            yield _event(name, {"sequence_number": number} | fields)

    def error(self, status: int, type: str, message: str) -> Json:
        kind = type or TYPES.get(status, "server_error")
        return {"error": {"message": message, "type": kind, "param": None, "code": None}}

    def error_frame(self, type: str, message: str) -> bytes:
        error = {"type": type or "server_error", "code": "server_error", "message": message, "param": None}
        return _event("error", {"sequence_number": 999} | error | {"type": "error", "error": error}).data

    @staticmethod
    def _head(body: Json, id: str) -> Json:
        return {
            "id": id,
            "object": "response",
            "created_at": 1_763_800_000,
            "status": "in_progress",
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "model": body["model"],
            "output": [],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": None,
        }

    def _items(self, step: Step, body: Json) -> list[Json]:
        items: list[Json] = []
        if step.think:
            summary = [{"type": "summary_text", "text": step.think}]
            opaque = signature(step.think)
            items.append({"id": ident("rs_"), "type": "reasoning", "summary": summary, "encrypted_content": opaque})
        if step.content:
            said = [{"type": "output_text", "text": step.content, "annotations": [], "logprobs": []}]
            head = {"id": ident("msg_"), "type": "message", "role": "assistant", "status": "completed"}
            items.append(head | {"content": said})
        custom = {tool.get("name") for tool in body.get("tools") or () if tool.get("type") == "custom"}
        return items + [self._call(call, free_text=call.name in custom) for call in step.calls]

    @staticmethod
    def _call(call: Call, *, free_text: bool) -> Json:
        item = {"status": "completed", "call_id": ident("call_"), "name": call.name}
        if free_text:
            return item | {"id": ident("ctc_"), "type": "custom_tool_call", "input": str(call.input.get("input", ""))}
        return item | {"id": ident("fc_"), "type": "function_call", "arguments": encode(call.input).decode()}

    @staticmethod
    def _opening(item: Json) -> Json:
        empty: Json = {"summary": [], "content": [], "arguments": "", "input": "", "encrypted_content": ""}
        return {name: empty.get(name, value) for name, value in item.items()} | (
            {} if item["type"] == "reasoning" else {"status": "in_progress"}
        )

    @staticmethod
    def _filling(item: Json, chunk: int) -> Iterator[tuple[str, Json]]:
        match item["type"]:
            case "message":
                at, part = {"content_index": 0}, item["content"][0]
                yield "response.content_part.added", at | {"part": part | {"text": ""}}
                for piece in pieces(part["text"], chunk):
                    yield "response.output_text.delta", at | {"delta": piece, "logprobs": []}
                yield "response.output_text.done", at | {"text": part["text"], "logprobs": []}
                yield "response.content_part.done", at | {"part": part}
            case "reasoning":
                at, part = {"summary_index": 0}, item["summary"][0]
                yield "response.reasoning_summary_part.added", at | {"part": part | {"text": ""}}
                for piece in pieces(part["text"], chunk):
                    yield "response.reasoning_summary_text.delta", at | {"delta": piece}
                yield "response.reasoning_summary_text.done", at | {"text": part["text"]}
                yield "response.reasoning_summary_part.done", at | {"part": part}
            case "function_call":
                for piece in pieces(item["arguments"], chunk):
                    yield "response.function_call_arguments.delta", {"delta": piece}
                yield "response.function_call_arguments.done", {"name": item["name"], "arguments": item["arguments"]}
            case "custom_tool_call":
                for piece in pieces(item["input"], chunk):
                    yield "response.custom_tool_call_input.delta", {"delta": piece}
                yield "response.custom_tool_call_input.done", {"input": item["input"]}

    @staticmethod
    def _usage(step: Step, size: int) -> Json:
        sent = input_tokens(step, size) + step.usage.cache_read + step.usage.cache_write
        output = output_tokens(step)
        return {
            "input_tokens": sent,
            "input_tokens_details": {"cached_tokens": step.usage.cache_read},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": len(step.think) // 4},
            "total_tokens": sent + output,
        }


def _event(name: str, fields: Json) -> Frame:
    part = Part.END if name in _ENDS else Part.DELTA if name.endswith(".delta") else Part.FRAME
    return Frame(b"event: %s\ndata: %s\n\n" % (name.encode(), encode({"type": name} | fields)), part)


def conversation(sent: Any) -> list[Json]:
    """`input` as messages: what the model said between two inputs is one turn."""
    if isinstance(sent, str):
        return [{"role": "user", "content": sent}]
    turns: list[Json] = []
    for item in sent if isinstance(sent, list) else []:
        role = item.get("role") or ("tool" if str(item.get("type")).endswith("_output") else "assistant")
        if role == "assistant" and turns and turns[-1]["role"] == role:
            continue
        content = item.get("content")
        texts = (
            [part | {"type": "text"} for part in content if "text" in part] if isinstance(content, list) else content
        )
        turns.append({"role": role, "content": texts})
    return turns
