"""An OpenAI Responses request: body to `Request`.

Source: OpenAI's API reference, "Create a model response". Nothing is stored here, so what refers to something stored
is refused with what to send instead. `instructions` and the leading system and developer messages become `system`.
"""

from typing import Any

from msgspec import Raw, Struct

from core.dialects.json_gate import decode, fields
from core.dialects.openai_request import ANY_OBJECT
from core.dialects.responses_items import Conversation, read_input
from core.dialects.responses_tools import allowed, offered, read_choice, read_tools
from core.errors import BadRequest
from core.messages import Block, Message, Request, Thinking

#: Fields that refer to what is stored at a provider, and what to send instead.
_STORED = {
    "previous_response_id": "answers are not kept here; send the whole conversation in input, with store: false",
    "conversation": "conversations are not kept here; send the whole conversation in input, with store: false",
    "prompt": "templates are kept at a provider; send their text as instructions and input",
}


class _Reasoning(Struct):
    effort: str | None = None


class _Format(Struct):
    type: str = "text"
    name: str = ""
    schema: Raw = Raw()


class _Text(Struct):
    format: _Format | None = None


def decode_request(body: bytes) -> Request:
    """BadRequest with the path of what is wrong."""
    top = fields(body)
    _check(top)
    found = read_input(top["input"])
    system, messages = _split_system(top, found)
    choice = top.get("tool_choice", Raw())
    tools = offered(read_tools(top.get("tools", Raw(b"[]")), "tools") + found.tools)
    answer = (_optional(top, "text", _Text) or _Text()).format or _Format()
    request = Request(
        dialect="openai-responses",
        raw=body,
        model=decode(top["model"], str, "model"),
        messages=messages,
        system=system,
        tools=allowed(tools, choice),
        tool_choice=read_choice(choice, one_at_a_time=_optional(top, "parallel_tool_calls", bool) is False),
        max_tokens=_optional(top, "max_output_tokens", int),
        stream=_optional(top, "stream", bool) or False,
        thinking=Thinking(effort=(_optional(top, "reasoning", _Reasoning) or _Reasoning()).effort or ""),
        temperature=_optional(top, "temperature", float),
        top_p=_optional(top, "top_p", float),
        answer_schema=ANY_OBJECT if answer.type == "json_object" else answer.schema,
        answer_schema_name=answer.name,
        user=_optional(top, "safety_identifier", str) or _optional(top, "user", str) or "",
        prompt_cache_key=_optional(top, "prompt_cache_key", str) or "",
        fields=frozenset(top),
        places=top.members,
    )
    _check_values(request)
    return request


def _check(top: dict[str, Raw]) -> None:
    for name, instead in _STORED.items():
        if bytes(top.get(name, b"null")) != b"null":
            raise BadRequest(f"{name}: {instead}", details={"param": name})
    if _optional(top, "background", bool):
        raise BadRequest(
            "background: answers are not kept here; send the request without it and wait for its answer",
            details={"param": "background"},
        )
    for name in ("model", "input"):
        if name not in top:
            raise BadRequest(f"{name}: Field required", details={"param": name})


def _check_values(request: Request) -> None:
    if not request.model:
        raise BadRequest("model: must not be empty", details={"param": "model"})
    if not any(message.content for message in request.messages) and not request.system:
        raise BadRequest("input: at least one item with content is required", details={"param": "input"})
    if request.max_tokens is not None and request.max_tokens < 1:
        raise BadRequest("max_output_tokens: must be at least 1", details={"param": "max_output_tokens"})


def _optional(top: dict[str, Raw], name: str, type: Any) -> Any:
    """The field as `type`, None if it is absent or null."""
    return decode(top[name], type | None, name) if name in top else None


def _split_system(top: dict[str, Raw], found: Conversation) -> tuple[list[Block], list[Message]]:
    """The instructions with the system messages that lead, and the rest."""
    instructions = _optional(top, "instructions", str)
    system = [Block(type="text", text=instructions)] if instructions else []
    at = 0
    for message in found.messages:
        if message.role != "system":
            break
        system += message.content
        at += 1
    return system, found.messages[at:]
