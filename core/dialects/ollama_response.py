"""A whole answer of Ollama's `/api/chat`."""

from core.dialects.ollama_wire import (
    NOT_JSON,
    Answer,
    Ids,
    Message,
    NewId,
    arguments_of,
    error_of,
    read_answer,
    reason_of,
    usage_of,
)
from core.errors import STATUS_OF_TYPE, UpstreamFailed
from core.messages import Block, Response, Usage


def decode_response(body: bytes, new_id: NewId) -> Response:
    """UpstreamFailed if this is no whole answer: an error inside a 200, no message, not done."""
    try:
        answer = read_answer(body)
        content = _content(answer.message or Message(), new_id)
    except NOT_JSON as exc:
        raise _unreadable(str(exc)) from None
    if error := error_of(answer):
        status = 502 if error.type == "api_error" else STATUS_OF_TYPE.get(error.type, 502)
        raise UpstreamFailed(status, error.message, stage="answered", type=error.type)
    if answer.message is None or not answer.done:
        raise _unreadable("it has no message with done: true")
    return _response(answer, content, new_id)


def _response(answer: Answer, content: list[Block], new_id: NewId) -> Response:
    tool_used = any(block.type == "tool_use" for block in content)
    return Response(
        id=new_id(),
        model=answer.model or "",
        content=content,
        stop_reason=reason_of(answer, tool_used=tool_used),
        usage=usage_of(answer, Usage()),
    )


def _content(message: Message, new_id: NewId) -> list[Block]:
    ids = Ids(new_id)
    blocks = [Block(type="thinking", thinking=message.thinking, signature="")] if message.thinking else []
    if message.content:
        blocks.append(Block(type="text", text=message.content))
    for call in message.tool_calls or ():
        if call.function and call.function.name:
            id, name = ids.of(call), call.function.name
            blocks.append(Block(type="tool_use", id=id, name=name, input=arguments_of(call.function)))
    return blocks


def _unreadable(why: str) -> UpstreamFailed:
    return UpstreamFailed(502, f"the provider's answer is not readable: {why}", stage="answered", type="api_error")
