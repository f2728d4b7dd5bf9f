"""A whole OpenAI response, both ways.

Source: OpenAI's API reference, "The response object".
"""

from typing import Any

import msgspec
from msgspec import Raw

from core.dialects.openai_wire import NewId
from core.dialects.responses_blocks import blocks_of, is_written, item_of, new_item_id
from core.dialects.responses_tools import find
from core.dialects.responses_wire import NOT_JSON, failure_of, read_answer, stop_reason
from core.dialects.usage import to_responses
from core.errors import STATUS_OF_TYPE, UpstreamFailed
from core.messages import Request, Response, Usage

#: Anthropic's stop reasons of an answer that is not complete, in OpenAI's words.
_INCOMPLETE = {
    "max_tokens": "max_output_tokens",
    "model_context_window_exceeded": "max_output_tokens",
    "refusal": "content_filter",
}
#: Fields of a request that its response repeats, and what stands for one that was not sent.
_ECHO = {
    "metadata": Raw(b"{}"),
    "parallel_tool_calls": Raw(b"true"),
    "reasoning": Raw(b'{"effort":null,"summary":null}'),
    "temperature": Raw(b"null"),
    "text": Raw(b'{"format":{"type":"text"}}'),
    "tool_choice": Raw(b'"auto"'),
    "top_p": Raw(b"null"),
    "truncation": Raw(b'"disabled"'),
    "max_output_tokens": Raw(b"null"),
    "prompt_cache_key": Raw(b"null"),
    "safety_identifier": Raw(b"null"),
    "service_tier": Raw(b"null"),
    "user": Raw(b"null"),
}


def decode_response(body: bytes, new_id: NewId) -> Response:
    """UpstreamFailed if this is no whole response: failed, cancelled, still under way, or another shape."""
    try:
        body.decode()  # usage and errors are kept raw, which the decoder does not look into
        answer = read_answer(body)
    except NOT_JSON as exc:
        raise _unreadable(str(exc)) from None
    if error := failure_of(answer):
        raise UpstreamFailed(STATUS_OF_TYPE.get(error.type, 502), error.message, stage="answered", type=error.type)
    if answer.object != "response" or answer.status is None or answer.output is None:
        raise _unreadable("it is not a response with a status and an output")
    content = [block for item in answer.output for block in blocks_of(item, new_id)]
    tool_used = any(block.type == "tool_use" for block in content)
    return Response(
        id=answer.id or new_id(),
        model=answer.model or "",
        content=content,
        stop_reason=stop_reason(answer, incomplete=False, tool_used=tool_used),
        usage=answer.used() or Usage(),
    )


def _unreadable(why: str) -> UpstreamFailed:
    return UpstreamFailed(502, f"the provider's answer is not readable: {why}", stage="answered", type="api_error")


def encode_response(response: Response, request: Request, created: int, new_id: NewId) -> bytes:
    """A response; `created` in Unix seconds."""
    tools = find(request)
    output = [
        item_of(block, new_item_id(block, tools, new_id), tools) for block in response.content if is_written(block)
    ]
    body = head(response.id, response.model or request.model, request, created)
    return msgspec.json.encode(ended(body, output, response.stop_reason, response.usage))


def head(id: str, model: str, request: Request, created: int) -> dict[str, Any]:
    """A response that has begun. Of what the request said the settings are repeated, not its texts and tools."""
    try:
        sent = msgspec.json.decode(request.raw, type=dict[str, Raw])
    except msgspec.DecodeError:
        sent = {}
    return {
        "id": id if id.startswith("resp_") else f"resp_{id}",
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_tool_calls": None,
        "model": model,
        "output": [],
        "previous_response_id": None,
        "store": False,
        "tools": [],
        "top_logprobs": 0,
        "usage": None,
    } | {name: sent.get(name, default) for name, default in _ECHO.items()}


def ended(head: dict[str, Any], output: list[dict[str, Any]], stop_reason: str, usage: Usage) -> dict[str, Any]:
    """The same response with its output, completed or not, as `stop_reason` says."""
    why = _INCOMPLETE.get(stop_reason)
    return head | {
        "status": "incomplete" if why else "completed",
        "incomplete_details": {"reason": why} if why else None,
        "output": output,
        "usage": to_responses(usage),
    }
