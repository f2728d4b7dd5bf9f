"""The provider without a network: a valid answer that says how the request was routed.

Pure: the same request id gives the same answer. A forced tool is called, an answer schema is answered with an instance
of it, anything else gets text.
"""

import hashlib
from dataclasses import dataclass

from msgspec import Raw

from core.dialects import whole
from core.dialects.schema_instance import instance
from core.messages import Block, Request, Response, StreamEvent, Tool, Usage

#: Characters a delta.
_PIECE = 24
#: Characters a token, for the usage of an answer that no model made.
_CHARACTERS_A_TOKEN = 4


@dataclass(frozen=True)
class Facts:
    """How the request was routed; `input_tokens` is the proxy's own count of the request."""

    request_id: str
    phase: str
    reason: str
    provider: str
    model: str
    input_tokens: int = 0


def answer(request: Request, facts: Facts) -> Response:
    """A whole answer. It is short; still it ends with max_tokens where the request allows less."""
    block = _block(request, facts)
    size = len(block.text) or len(bytes(block.input))
    output = -(-size // _CHARACTERS_A_TOKEN)
    stop = "tool_use" if block.type == "tool_use" else "end_turn"
    if block.type == "text" and request.max_tokens is not None and output > request.max_tokens:
        block.text = block.text[: request.max_tokens * _CHARACTERS_A_TOKEN]
        output, stop = request.max_tokens, "max_tokens"
    return Response(
        id=f"msg_{_digest(facts.request_id, 'message')}",
        model=facts.model,
        content=[block],
        stop_reason=stop,
        usage=Usage(input=facts.input_tokens, output=output),
    )


def events(response: Response) -> list[StreamEvent]:
    """The same answer as a stream."""
    return whole.events(response, _PIECE)


def _block(request: Request, facts: Facts) -> Block:
    if tool := _forced(request):
        arguments = Raw(instance(tool.input_schema))
        return Block(type="tool_use", id=f"toolu_{_digest(facts.request_id, 'call')}", name=tool.name, input=arguments)
    if request.answer_schema:
        return Block(type="text", text=instance(request.answer_schema).decode())
    return Block(type="text", text=_say(facts))


def _say(facts: Facts) -> str:
    return (
        f"Simulated answer: no provider was asked. This request was routed to {facts.provider},{facts.model} "
        f"by the {facts.phase} phase (reason: {facts.reason}). Configure a provider key to get real answers."
    )


def _forced(request: Request) -> Tool | None:
    """The tool that the request demands: the named one, or with `any` the first that takes arguments."""
    choice = request.tool_choice
    if choice is None or choice.type not in {"any", "tool"}:
        return None
    functions = [tool for tool in request.tools if not tool.type]
    return next((tool for tool in functions if choice.type == "any" or tool.name == choice.name), None)


def _digest(request_id: str, part: str) -> str:
    return hashlib.blake2s(f"{part}:{request_id}".encode(), digest_size=12).hexdigest()
