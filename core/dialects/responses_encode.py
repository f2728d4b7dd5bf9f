"""A request of another dialect as an OpenAI Responses body.

Source: OpenAI's API reference, "Create a model response". Each block keeps its place: text beside a call is an item of
its own, so are calls, their outputs (images included) and the reasoning that this provider may read again. Nothing is
stored at the provider (`store: false`); what a tool loop needs travels with the conversation instead.
"""

from typing import Any

import msgspec

from core.dialects import responses_reasoning as reasoning
from core.dialects.openai_encode import MAX_USER, is_reasoning, is_strict
from core.dialects.openai_request import ANY_OBJECT
from core.dialects.readable import as_text, system_text, without_tags
from core.dialects.sealing import opened
from core.dialects.stops import effort
from core.dialects.tool_names import LONGEST, fitting
from core.errors import BadRequest
from core.exchange import Candidate
from core.messages import EMPTY_OBJECT, Block, Request, Source, Tool

#: OpenAI's least `max_output_tokens`.
MIN_OUTPUT = 16

_NO_PARAMETERS = {"type": "object", "properties": {}}
_EFFORTS = {"xhigh": "high", "max": "high"}
_Json = dict[str, Any]


def encode_request(request: Request, candidate: Candidate) -> bytes:
    """BadRequest names the field that cannot be passed on."""
    if "safeguards" in request.fields:
        # The client knows this answer and asks again without the field.
        raise BadRequest("safeguards: cannot be passed on to this provider; send the request without it")
    body: _Json = {"model": candidate.target.model, "input": _input(request, candidate), "store": False}
    if instructions := system_text(request):
        body["instructions"] = instructions
    if request.stream:
        body["stream"] = True
    body |= _limits(request, candidate)
    body |= _thinking(request, candidate)
    body |= _tools(request)
    body |= _answer_format(request)
    if request.user and len(request.user) <= MAX_USER:
        body["user"] = request.user
    if request.prompt_cache_key:
        body["prompt_cache_key"] = request.prompt_cache_key
    return msgspec.json.encode(body)


def _limits(request: Request, candidate: Candidate) -> _Json:
    body: _Json = {}
    if request.max_tokens:
        body["max_output_tokens"] = max(MIN_OUTPUT, min(request.max_tokens, candidate.max_tokens or request.max_tokens))
    if not is_reasoning(candidate.target.model):
        sampling = (("temperature", request.temperature), ("top_p", request.top_p))
        body |= {name: value for name, value in sampling if value is not None}
    return body


def _thinking(request: Request, candidate: Candidate) -> _Json:
    """How much, its summary for who wants to see it, and in any case what gives it back with the next request."""
    if candidate.drop_thinking:
        return {}
    wanted = effort(request.thinking)
    asked: _Json = {"effort": _EFFORTS.get(wanted, wanted)} if wanted else {}
    if request.thinking.type in {"enabled", "adaptive"} or wanted not in {"", "none"}:
        asked["summary"] = "auto"
    body: _Json = {"reasoning": asked} if asked else {}
    if asked or is_reasoning(candidate.target.model):  # other models refuse to be asked
        body["include"] = ["reasoning.encrypted_content"]
    return body


def _tools(request: Request) -> _Json:
    tools = [_tool(tool) for tool in request.tools if not tool.type or is_search(tool)]
    choice = request.tool_choice
    if choice and choice.type == "tool" and not any(_is_named(tool, choice.name) for tool in request.tools):
        raise BadRequest(f"tool_choice.name: the tool {choice.name!r} cannot be passed on to this provider")
    if not tools:
        if choice and choice.type == "any":
            raise BadRequest("tool_choice.type: none of the tools can be passed on to this provider")
        return {}
    body: _Json = {"tools": tools}
    if choice is None:
        return body
    match choice.type:
        case "tool":
            search = any(is_search(tool) for tool in request.tools if tool.name == choice.name)
            body["tool_choice"] = {"type": "web_search"} if search else {"type": "function", "name": _fit(choice.name)}
        case "any":
            body["tool_choice"] = "required"
        case same:
            body["tool_choice"] = same
    if choice.disable_parallel:
        body["parallel_tool_calls"] = False
    return body


def _fit(name: str) -> str:
    return fitting(name, LONGEST["openai-responses"])


def is_search(tool: Tool) -> bool:
    """Whether this is the web search that the provider itself runs."""
    return tool.type.startswith("web_search")


def _is_named(tool: Tool, name: str) -> bool:
    return tool.name == name and (not tool.type or is_search(tool))


def _tool(tool: Tool) -> _Json:
    """Flat; `strict` must be said, as a schema that is not would be changed."""
    if is_search(tool):
        return {"type": "web_search"}
    wire: _Json = {"type": "function", "name": _fit(tool.name)}
    if tool.description:
        wire["description"] = tool.description
    parameters = _NO_PARAMETERS if tool.input_schema == EMPTY_OBJECT else tool.input_schema
    return wire | {"parameters": parameters, "strict": False}


def _answer_format(request: Request) -> _Json:
    schema = request.answer_schema
    if not schema:
        return {}
    if schema == ANY_OBJECT:
        return {"text": {"format": {"type": "json_object"}}}
    name = "".join(each if each.isascii() and (each.isalnum() or each in "_-") else "_" for each in _name(request))
    strict = is_strict(msgspec.json.decode(schema))
    return {"text": {"format": {"type": "json_schema", "name": name, "schema": schema, "strict": strict}}}


def _name(request: Request) -> str:
    return request.answer_schema_name[:64] or "answer"


def _input(request: Request, candidate: Candidate) -> list[_Json]:
    items: list[_Json] = []
    for message, content in zip(request.messages, without_tags(request), strict=True):
        if message.role == "assistant":
            items += _assistant(content, candidate)
        elif message.role == "system":
            text = "\n\n".join(filter(None, map(as_text, content)))
            items += [_message("developer", [{"type": "input_text", "text": text}])] if text else []
        else:
            items += _user(content)
    return items or [_message("user", [{"type": "input_text", "text": "Begin."}])]


def _message(role: str, content: list[_Json]) -> _Json:
    return {"type": "message", "role": role, "content": content}


def _assistant(content: list[Block], candidate: Candidate) -> list[_Json]:
    """The turn's items in their order. Reasoning must be followed by what it led to, or it is refused."""
    items = [item for block in content if (item := _said(block, candidate))]
    while items and items[-1]["type"] == "reasoning":
        items.pop()
    return items


def _said(block: Block, candidate: Candidate) -> _Json | None:
    match block.type:
        case "thinking" | "redacted_thinking":
            return None if candidate.drop_thinking else _reasoning(block, candidate.target.provider)
        case "tool_use":
            arguments = bytes(block.input).decode()
            return {"type": "function_call", "call_id": block.id, "name": _fit(block.name), "arguments": arguments}
    text = as_text(block)
    return _message("assistant", [{"type": "output_text", "text": text}]) if text else None


def _reasoning(block: Block, provider: str) -> _Json | None:
    """Only what this very provider gave, which alone can read it."""
    payload = opened(block.signature if block.type == "thinking" else block.data, provider)
    known = reasoning.unpack(payload) if payload else None
    if known is None:
        return None
    summary = [{"type": "summary_text", "text": block.thinking}] if block.thinking else []
    return {"type": "reasoning", "id": known[0], "summary": summary, "encrypted_content": known[1]}


def _user(content: list[Block]) -> list[_Json]:
    """Outputs of calls first; then what the user said."""
    outputs = [_output(block) for block in content if block.type == "tool_result"]
    said = [part for block in content if block.type != "tool_result" and (part := _part(block))]
    return [*outputs, _message("user", said)] if said else outputs


def _output(block: Block) -> _Json:
    """A text, or parts where there is more. OpenAI has no flag for a failed tool, so the text says it."""
    nested = block.content if isinstance(block.content, list) else [Block(type="text", text=str(block.content or ""))]
    parts = [part for each in nested if (part := _part(each))]
    output: str | list[_Json] = parts
    if all(part["type"] == "input_text" for part in parts):
        output = "\n".join(part["text"] for part in parts)
        if block.is_error and not output.lower().startswith("error"):
            output = f"Error: {output}"
    elif block.is_error:
        output = [{"type": "input_text", "text": "Error:"}, *parts]
    return {"type": "function_call_output", "call_id": block.tool_use_id, "output": output}


def _part(block: Block) -> _Json | None:
    source = block.source
    if block.type == "image" and source:
        return {"type": "input_image", "image_url": _url(source), "detail": "auto"}
    if block.type == "document" and source and source.type == "base64":
        return {"type": "input_file", "filename": block.name or "document.pdf", "file_data": _url(source)}
    if block.type == "document" and source and source.type == "url":
        return {"type": "input_file", "file_url": source.url}
    text = as_text(block)
    return {"type": "input_text", "text": text} if text else None


def _url(source: Source) -> str:
    """A data URL (RFC 2397) for what was sent along, else the URL itself."""
    if source.type == "base64":
        return f"data:{source.media_type};base64,{source.data}"
    if source.type == "url":
        return source.url
    raise BadRequest(f"source.type: {source.type!r} is stored at another provider; send it as base64 or url")
