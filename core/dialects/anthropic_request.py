"""An Anthropic Messages request: body to `Request`.

Source: Anthropic's API reference, "Create a Message", and what Claude Code sends beyond it: `role: "system"` in the
middle, tools with `defer_loading`, `tool_reference` blocks, `thinking: adaptive`, `output_config`, `safeguards`.
Whatever is unknown is accepted: a provider of the same dialect gets the client's own bytes.
"""

from typing import Any, Final, Literal

import msgspec
from msgspec import Raw, Struct

from core.dialects.anthropic_blocks import read_block
from core.dialects.json_gate import decode, fields
from core.errors import BadRequest
from core.messages import EMPTY_OBJECT, Block, Message, Request, Thinking, Tool, ToolChoice


class _Message(Message):
    """As it is sent; what it is from then on is a `Message`."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Block]  # type: ignore[assignment]


class _LooseMessage(Struct):
    role: Literal["user", "assistant", "system"]
    content: str | list[dict[str, Raw]]


class _Tool(Struct):
    name: str = ""
    type: str | None = None
    description: str | None = None
    input_schema: Raw = EMPTY_OBJECT
    cache_control: Raw = Raw()


class _ToolChoice(Struct):
    type: Literal["auto", "any", "tool", "none"]
    name: str = ""
    disable_parallel_tool_use: bool | None = None


class _Thinking(Struct):
    type: str = ""
    budget_tokens: int | None = None


class _Format(Struct):
    type: str = ""
    schema: Raw = Raw()


class _OutputConfig(Struct):
    effort: str | None = None
    format: _Format | None = None


class _Metadata(Struct):
    user_id: str | None = None


class _ClassifierContext(Struct):
    permission_mode: str | None = None


class _Safeguard(Struct):
    classifier_context: _ClassifierContext | None = None


def decode_request(body: bytes) -> Request:
    """BadRequest with the path of what is wrong."""
    return _decode(body, ("model", "max_tokens", "messages"))


def decode_count(body: bytes) -> Request:
    """A body of `/v1/messages/count_tokens`: a request without `max_tokens`."""
    return _decode(body, ("model", "messages"))


def _decode(body: bytes, required: tuple[str, ...]) -> Request:
    top = fields(body)
    if "thread" in top:
        # The SDK then sends the whole history; ignoring the field would lose the conversation.
        details = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
        raise BadRequest("thread: threads are not kept here; send the whole history in messages", details=details)
    for name in required:
        if name not in top:
            raise BadRequest(f"{name}: Field required", details={"param": name})
    config = _optional(top, "output_config", _OutputConfig) or _OutputConfig()
    metadata = _optional(top, "metadata", _Metadata)
    answer = config.format or _optional(top, "output_format", _Format) or _Format()
    request = Request(
        dialect="anthropic",
        raw=body,
        model=decode(top["model"], str, "model"),
        messages=_messages(top["messages"]),
        system=_system(top.get("system")),
        tools=_tools(top),
        tool_choice=_tool_choice(top),
        max_tokens=None if "max_tokens" not in top else decode(top["max_tokens"], int, "max_tokens"),
        stream=_optional(top, "stream", bool) or False,
        thinking=_thinking(top, config.effort or ""),
        stop=_optional(top, "stop_sequences", list[str]) or [],
        temperature=_optional(top, "temperature", float),
        top_p=_optional(top, "top_p", float),
        top_k=_optional(top, "top_k", int),
        answer_schema=answer.schema,
        user=(metadata.user_id if metadata else None) or "",
        permission_mode=_permission_mode(top),
        fields=frozenset(top),
        places=top.members,
    )
    _check(request)
    return request


def _check(request: Request) -> None:
    if not request.model:
        raise BadRequest("model: String should have at least 1 character")
    if not request.messages:
        raise BadRequest("messages: at least one message is required")
    if request.max_tokens is not None and request.max_tokens < 1:
        raise BadRequest("max_tokens: Input should be greater than or equal to 1")


def _optional(top: dict[str, Raw], name: str, type: Any) -> Any:
    """The field as `type`, None if it is absent or null."""
    return decode(top[name], type | None, name) if name in top else None


def _messages(raw: Raw) -> list[Message]:
    try:
        wire = _MESSAGES.decode(raw)
    except msgspec.ValidationError:
        return _loose_messages(raw)
    for message in wire:
        message.content = _blocks(message.content)
    return wire


_MESSAGES: Final[msgspec.json.Decoder[list[Message]]] = msgspec.json.Decoder(list[_Message])


def _blocks(content: str | list[Block]) -> list[Block]:
    return [Block(type="text", text=content)] if isinstance(content, str) else content


def _loose_messages(raw: Raw) -> list[Message]:
    """Block by block: only one of a type that is not known may have fields of another shape."""
    messages = []
    for number, each in enumerate(decode(raw, list[_LooseMessage], "messages")):
        path = f"messages.{number}.content"
        content = each.content
        blocks = content if isinstance(content, str) else [read_block(b, f"{path}.{i}") for i, b in enumerate(content)]
        messages.append(Message(role=each.role, content=_blocks(blocks)))
    return messages


def _system(raw: Raw | None) -> list[Block]:
    if raw is None:
        return []
    content = decode(raw, str | list[Block] | None, "system")
    return _blocks(content) if content else []


def _tools(top: dict[str, Raw]) -> list[Tool]:
    return [
        Tool(
            name=tool.name,
            type="" if tool.type in (None, "custom") else tool.type or "",
            description=tool.description or "",
            input_schema=tool.input_schema,
            cache_control=tool.cache_control,
        )
        for tool in _optional(top, "tools", list[_Tool]) or []
    ]


def _tool_choice(top: dict[str, Raw]) -> ToolChoice | None:
    wire = _optional(top, "tool_choice", _ToolChoice)
    if wire is None:
        return None
    return ToolChoice(type=wire.type, name=wire.name, disable_parallel=bool(wire.disable_parallel_tool_use))


def _thinking(top: dict[str, Raw], effort: str) -> Thinking:
    wire = _optional(top, "thinking", _Thinking) or _Thinking()
    return Thinking(type=wire.type, budget=wire.budget_tokens, effort=effort)


def _permission_mode(top: dict[str, Raw]) -> str:
    """Where Claude Code says which permission mode it is in; a body whose `safeguards` look otherwise says nothing."""
    try:
        safeguards = msgspec.json.decode(top.get("safeguards", Raw(b"[]")), type=list[_Safeguard])
    except msgspec.ValidationError:
        return ""
    modes = (each.classifier_context.permission_mode for each in safeguards if each.classifier_context)
    return next(filter(None, modes), "")
