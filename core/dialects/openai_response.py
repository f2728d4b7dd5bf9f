"""A whole OpenAI chat completion, both ways.

Source: OpenAI's API reference, "The chat completion object"; "Error codes".
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from core.dialects.openai_reasoning import Details, Entry, read_entries, told
from core.dialects.openai_request import arguments
from core.dialects.openai_wire import (
    Answer,
    Choice,
    Delta,
    NewId,
    ToolCall,
    asked_for,
    error_of,
    read_answer,
    text_of,
    thinking_of,
    usage_of,
)
from core.dialects.stops import finish_reason, stop_reason
from core.dialects.tool_ids import safe_id
from core.dialects.usage import to_openai
from core.errors import STATUS_OF_TYPE, UpstreamFailed
from core.messages import Block, Response, Usage


def decode_response(body: bytes, new_id: NewId) -> Response:
    """UpstreamFailed if this is no whole completion: an error inside a 200, no choice, no finish_reason."""
    try:
        body.decode()  # arguments may be kept raw, which the decoder does not look into
        answer = read_answer(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise _unreadable(str(exc)) from None
    if error := error_of(answer):
        raise UpstreamFailed(STATUS_OF_TYPE.get(error.type, 502), error.message, stage="answered", type=error.type)
    choice = asked_for(answer)
    if choice is None or choice.message is None or not choice.finish_reason:
        raise _unreadable("it has no choice with a message and a finish_reason")
    return _response(answer, choice, new_id)


def _response(answer: Answer, choice: Choice, new_id: NewId) -> Response:
    content = _content(choice.message or Delta(), new_id)
    matched = choice.stop_reason if isinstance(choice.stop_reason, str) else None
    tool_used = any(block.type == "tool_use" for block in content)
    reason = stop_reason(choice.finish_reason or "", tool_used=tool_used, matched=matched)
    return Response(
        id=answer.id or new_id(),
        model=answer.model or "",
        content=content,
        stop_reason=reason,
        stop_sequence=matched if reason == "stop_sequence" else None,
        usage=usage_of(answer) or Usage(),
    )


def _content(message: Delta, new_id: NewId) -> list[Block]:
    blocks = []
    details = Details()
    details.add(read_entries(message.reasoning_details))
    thinking = thinking_of(message)
    signature = details.take(thinking)
    if thinking:
        blocks.append(Block(type="thinking", thinking=thinking, signature=signature))
    elif signature:
        blocks.append(Block(type="redacted_thinking", data=signature))
    if text := text_of(message.content) + (message.refusal or ""):
        blocks.append(Block(type="text", text=text))
    return blocks + [_call(call, new_id) for call in message.tool_calls or () if call.function and call.function.name]


def _call(call: ToolCall, new_id: NewId) -> Block:
    function = call.function
    return Block(
        type="tool_use",
        id=safe_id(call.id or new_id()),
        name=(function.name if function else None) or "",
        input=arguments(function.arguments if function else None),
    )


def _unreadable(why: str) -> UpstreamFailed:
    return UpstreamFailed(502, f"the provider's answer is not readable: {why}", stage="answered", type="api_error")


def encode_response(response: Response, created: int) -> bytes:
    """A completion; `created` in Unix seconds."""
    choice = {
        "index": 0,
        "message": _message(response.content),
        "logprobs": None,
        "finish_reason": finish_reason(response.stop_reason),
    }
    body = {
        "id": response.id,
        "object": "chat.completion",
        "created": created,
        "model": response.model,
        "choices": [choice],
        "usage": to_openai(response.usage),
    }
    return msgspec.json.encode(body)


def _message(content: list[Block]) -> dict[str, Any]:
    text = "".join(block.text for block in content if block.type == "text")
    thinking = "".join(block.thinking for block in content if block.type == "thinking")
    calls = [
        {"id": block.id, "type": "function", "function": {"name": block.name, "arguments": bytes(block.input).decode()}}
        for block in content
        if block.type == "tool_use"
    ]
    message: dict[str, Any] = {"role": "assistant", "content": text if text or not calls else None, "refusal": None}
    if thinking:
        message["reasoning_content"] = thinking
    entries: list[Entry] = []
    for block in content:
        entries += told(block, len(entries))
    if entries:
        message["reasoning_details"] = entries
    if calls:
        message["tool_calls"] = calls
    return message


def error_body(type: str, message: str, details: Mapping[str, object] | None) -> bytes:
    """OpenAI's error object; `param` is the path of what is wrong, where there is one."""
    details = details or {}
    error = {"message": message, "type": type, "param": details.get("param"), "code": details.get("error_code")}
    return msgspec.json.encode({"error": error})
