"""An OpenAI Chat Completions request: body to `Request`.

Source: OpenAI's API reference, "Create chat completion". Leading system and developer messages become `system`, later
ones stay where they are; each `tool` message becomes a user turn with one tool_result.
"""

from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from core.dialects.json_gate import decode, fields
from core.dialects.openai_reasoning import blocks_of, read_entries
from core.errors import BadRequest
from core.messages import EMPTY_OBJECT, Block, Message, Request, Source, Thinking, Tool, ToolChoice

#: What `response_format: json_object` asks for. The dialects without such a mode say it in words.
ANY_OBJECT = Raw(b'{"type":"object"}')


class _ImageURL(Struct):
    url: str


class _File(Struct):
    filename: str | None = None
    file_data: str | None = None
    file_id: str | None = None


class _Part(Struct):
    type: str
    text: str = ""
    refusal: str = ""
    image_url: _ImageURL | str | None = None
    file: _File | None = None


class _Function(Struct):
    name: str = ""
    arguments: str | dict[str, Any] | None = ""


class _ToolCall(Struct):
    id: str = ""
    function: _Function | None = None


class _Message(Struct):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[_Part] | None = None
    name: str | None = None
    tool_calls: list[_ToolCall] | None = None
    function_call: _Function | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    reasoning: Raw = Raw()
    reasoning_details: Raw = Raw()
    refusal: str | None = None


class _ToolFunction(Struct):
    name: str
    description: str | None = None
    parameters: Raw = EMPTY_OBJECT


class _Tool(Struct):
    type: str = "function"
    function: _ToolFunction | None = None
    name: str | None = None
    cache_control: Raw = Raw()


class _Named(Struct):
    name: str = ""


class _ToolChoice(Struct):
    type: str
    function: _Named | None = None


class _JSONSchema(Struct):
    name: str = ""
    schema: Raw = Raw()


class _ResponseFormat(Struct):
    type: str = "text"
    json_schema: _JSONSchema | None = None


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Body(Struct):
    model: str
    messages: list[_Message]
    tools: list[_Tool] | None = None
    tool_choice: str | _ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    reasoning_effort: str | None = None
    stop: str | list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    response_format: _ResponseFormat | None = None
    user: str | None = None
    prompt_cache_key: str | None = None
    n: int | None = None


def decode_request(body: bytes) -> Request:
    """BadRequest with the path of what is wrong."""
    top = fields(body)
    wire: _Body = decode(body, _Body, "body")
    _check(wire)
    system, rest = _split_system(wire.messages)
    answer = wire.response_format or _ResponseFormat()
    schema = answer.json_schema or _JSONSchema(schema=ANY_OBJECT if answer.type == "json_object" else Raw())
    return Request(
        dialect="openai",
        raw=body,
        model=wire.model,
        messages=rest,
        system=system,
        tools=[_tool(tool, f"tools.{number}") for number, tool in enumerate(wire.tools or [])] + _search(top),
        tool_choice=_tool_choice(wire),
        max_tokens=wire.max_completion_tokens or wire.max_tokens,
        stream=wire.stream or False,
        thinking=Thinking(effort=wire.reasoning_effort or ""),
        stop=[wire.stop] if isinstance(wire.stop, str) else wire.stop or [],
        temperature=wire.temperature,
        top_p=wire.top_p,
        top_k=wire.top_k,
        answer_schema=schema.schema,
        answer_schema_name=schema.name,
        user=wire.user or "",
        prompt_cache_key=wire.prompt_cache_key or "",
        include_usage=bool(wire.stream_options and wire.stream_options.include_usage),
        fields=frozenset(top),
        places=top.members,
    )


def _check(wire: _Body) -> None:
    if not wire.model:
        raise BadRequest("model: must not be empty", details={"param": "model"})
    if not wire.messages:
        raise BadRequest("messages: at least one message is required", details={"param": "messages"})
    if (wire.n or 1) > 1:
        raise BadRequest("n: only one choice is supported; send one request for each", details={"param": "n"})
    for name in ("max_tokens", "max_completion_tokens"):
        limit = getattr(wire, name)
        if limit is not None and limit < 1:
            raise BadRequest(f"{name}: must be at least 1", details={"param": name})


def _split_system(messages: list[_Message]) -> tuple[list[Block], list[Message]]:
    system: list[Block] = []
    rest: list[Message] = []
    for number, wire in enumerate(messages):
        message = _message(wire, f"messages.{number}")
        if message.role == "system" and not rest:
            system += message.content
        else:
            rest.append(message)
    return system, rest


def _message(wire: _Message, path: str) -> Message:
    content = _content(wire.content, f"{path}.content")
    match wire.role:
        case "tool" | "function":
            result = Block(type="tool_result", tool_use_id=wire.tool_call_id or wire.name or "", content=content)
            return Message(role="user", content=[result])
        case "assistant":
            return Message(role="assistant", content=_assistant(wire, content, path))
        case "system" | "developer":
            return Message(role="system", content=content)
    return Message(role="user", content=content)


def _assistant(wire: _Message, content: list[Block], path: str) -> list[Block]:
    thinking = blocks_of(read_entries(wire.reasoning_details), wire.reasoning_content or _text(wire.reasoning))
    refusal = [Block(type="text", text=wire.refusal)] if wire.refusal else []
    calls = list(wire.tool_calls or [])
    if wire.function_call:
        calls.append(_ToolCall(id=wire.function_call.name, function=wire.function_call))
    return thinking + content + refusal + [_call(call, f"{path}.tool_calls.{i}") for i, call in enumerate(calls)]


def _text(raw: Raw) -> str:
    """OpenRouter's `reasoning`, where it is text."""
    return msgspec.json.decode(raw, type=str) if raw and bytes(raw).startswith(b'"') else ""


def _call(call: _ToolCall, path: str) -> Block:
    if call.function is None:
        raise BadRequest(f"{path}.function: Field required")
    return Block(type="tool_use", id=call.id, name=call.function.name, input=arguments(call.function.arguments))


def arguments(sent: str | dict[str, Any] | None) -> Raw:
    """A call's arguments as a JSON object. What is none (a model may have written anything) is kept as text in one."""
    if not sent:
        return EMPTY_OBJECT
    if isinstance(sent, dict):
        return Raw(msgspec.json.encode(sent))
    try:
        msgspec.json.decode(sent, type=dict[str, Raw])
    except (msgspec.DecodeError, RecursionError):
        return Raw(msgspec.json.encode({"arguments": sent}))
    return Raw(sent.encode())


def _content(content: str | list[_Part] | None, path: str) -> list[Block]:
    if isinstance(content, list):
        return [_part(part, f"{path}.{number}") for number, part in enumerate(content)]
    return [Block(type="text", text=content)] if content else []


def _part(part: _Part, path: str) -> Block:
    match part.type:
        case "text" | "input_text" | "output_text":
            return Block(type="text", text=part.text)
        case "refusal":
            return Block(type="text", text=part.refusal)
        case "image_url":
            if part.image_url is None:
                raise BadRequest(f"{path}.image_url: Field required")
            url = part.image_url if isinstance(part.image_url, str) else part.image_url.url
            return Block(type="image", source=source(url))
        case "file":
            file = part.file or _File()
            where = source(file.file_data) if file.file_data else Source(type="file", file_id=file.file_id or "")
            return Block(type="document", source=where, name=file.filename or "")
    return Block(type=part.type, text=part.text)


def source(url: str) -> Source:
    """A data URL's content (RFC 2397, base64 form), or the URL itself."""
    head, comma, data = url.partition(",")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        return Source(type="base64", media_type=head[5:-7].partition(";")[0], data=data)
    return Source(type="url", url=url)


def _tool(tool: _Tool, path: str) -> Tool:
    if tool.type != "function":
        return Tool(name=tool.name or "", type=tool.type if tool.type != "custom" else "openai_custom")
    if tool.function is None:
        raise BadRequest(f"{path}.function: Field required")
    function = tool.function
    return Tool(
        name=function.name,
        description=function.description or "",
        input_schema=function.parameters,
        cache_control=tool.cache_control,
    )


def _search(top: dict[str, Raw]) -> list[Tool]:
    """`web_search_options`, OpenAI's way to ask for a search, as the tool that it is in every other dialect."""
    asked = bytes(top.get("web_search_options", b"null")) != b"null"
    return [Tool(name="web_search", type="web_search")] if asked else []


def _tool_choice(wire: _Body) -> ToolChoice | None:
    one_at_a_time = wire.parallel_tool_calls is False
    match wire.tool_choice:
        case None:
            return ToolChoice(type="auto", disable_parallel=True) if one_at_a_time else None
        case "none" | "auto" as same:
            return ToolChoice(type=same, disable_parallel=one_at_a_time)
        case "required":
            return ToolChoice(type="any", disable_parallel=one_at_a_time)
        case _ToolChoice(type="function", function=_Named(name=name)):
            return ToolChoice(type="tool", name=name, disable_parallel=one_at_a_time)
    raise BadRequest("tool_choice: expected none, auto, required or a function", details={"param": "tool_choice"})
