"""A whole Anthropic answer, both ways.

Source: Anthropic's API reference, "Create a Message", response; "Errors".
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from core.dialects.anthropic_blocks import read_block, write_block
from core.dialects.provider_errors import decode_error
from core.dialects.usage import AnthropicUsage, read_usage, to_anthropic
from core.errors import STATUS_OF_TYPE, BadRequest, UpstreamFailed
from core.messages import Block, Response, Usage


class _Message(Struct):
    type: str = ""
    id: str = ""
    model: str = ""
    content: Raw = Raw()
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: Raw = Raw()


def decode_response(body: bytes) -> Response:
    """UpstreamFailed if this is no whole message: an error, another shape, or one that never came to its end."""
    try:
        body.decode()  # a tool's input is kept raw, which the decoder does not look into
        wire = msgspec.json.decode(body, type=_Message)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise _unreadable(str(exc)) from None
    if wire.type == "error":
        type, message = decode_error(500, body)
        raise UpstreamFailed(STATUS_OF_TYPE[type], message, stage="answered", type=type)
    if wire.type != "message" or not wire.stop_reason:
        raise _unreadable("it is not a message with a stop_reason")
    said = read_usage(wire.usage, AnthropicUsage)
    return Response(
        id=wire.id,
        model=wire.model,
        content=_content(wire.content),
        stop_reason=wire.stop_reason,
        stop_sequence=wire.stop_sequence,
        usage=said.over(Usage()) if said else Usage(),
    )


def _content(raw: Raw) -> list[Block]:
    try:
        return msgspec.json.decode(raw, type=list[Block])
    except msgspec.DecodeError:
        pass
    try:
        blocks = msgspec.json.decode(raw, type=list[dict[str, Raw]])
        return [read_block(block, f"content.{number}") for number, block in enumerate(blocks)]
    except (msgspec.DecodeError, BadRequest) as exc:
        raise _unreadable(str(exc)) from None


def _unreadable(why: str) -> UpstreamFailed:
    return UpstreamFailed(502, f"the provider's answer is not readable: {why}", stage="answered", type="api_error")


def encode_response(response: Response) -> bytes:
    """A message. Blocks that only their own provider can write are left out; null is what nobody here knows."""
    body: dict[str, Any] = {
        "id": response.id,
        "type": "message",
        "role": "assistant",
        "model": response.model,
        "content": [written for block in response.content if (written := write_block(block))],
        "stop_reason": response.stop_reason,
        "stop_sequence": response.stop_sequence,
        "stop_details": None,
        "container": None,
        "usage": _whole_usage(response.usage),
    }
    return msgspec.json.encode(body)


def _whole_usage(usage: Usage) -> dict[str, Any]:
    """With what the API's schema demands of a whole message."""
    unknown = dict.fromkeys(("cache_creation", "inference_geo", "server_tool_use", "service_tier"))
    details = {"thinking_tokens": usage.reasoning} if usage.reasoning else None
    return {**to_anthropic(usage), **unknown, "output_tokens_details": details}


def error_body(type: str, message: str, request_id: str, details: Mapping[str, object] | None) -> bytes:
    """Anthropic's error object; `details` is there only for an `error_code` that clients act on."""
    error: dict[str, object] = {"type": type, "message": message}
    if details and "error_code" in details:
        error["details"] = dict(details)
    return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id})
