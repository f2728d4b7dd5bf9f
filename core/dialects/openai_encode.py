"""A request of another dialect as an OpenAI Chat Completions body.

Source: OpenAI's API reference, "Create chat completion". What has no form there is turned into text (`readable`) or
left out: the history's thinking, cache_control, top_k, tools that only Anthropic runs. What must not get lost in
silence is refused: `safeguards`, a forced tool that cannot be passed on.
"""

import hashlib
import re
from typing import Any

import msgspec

from core.dialects.openai_request import ANY_OBJECT
from core.dialects.readable import as_text, content_text, system_text, without_tags
from core.dialects.stops import effort
from core.errors import BadRequest
from core.exchange import Candidate
from core.messages import EMPTY_OBJECT, Block, Request, Source, Tool

#: OpenAI's limit on stop strings.
MAX_STOP = 4
#: OpenAI's limit on `user`, in characters.
MAX_USER = 64

#: Models that take `max_completion_tokens` and no sampling parameters (OpenAI, "Reasoning models").
_REASONING = re.compile(r"(?:^|/)(?:gpt-5(?!-chat)|o[134](?:-|$))")
_BAD_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_NO_PARAMETERS = {"type": "object", "properties": {}}
_EFFORTS = {"xhigh": "high", "max": "high"}


def is_reasoning(model: str) -> bool:
    """Whether OpenAI's parameters for reasoning models apply."""
    return bool(_REASONING.search(model))


def encode_request(request: Request, candidate: Candidate) -> bytes:
    """BadRequest names the field that cannot be passed on."""
    if "safeguards" in request.fields:
        # The client knows this answer and asks again without the field.
        raise BadRequest("safeguards: cannot be passed on to this provider; send the request without it")
    body: dict[str, Any] = {"model": candidate.target.model, "messages": _messages(request)}
    if request.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    body |= _limits(request, candidate)
    body |= _tools(request)
    body |= _answer_format(request)
    if not candidate.drop_thinking and (wanted := effort(request.thinking)):
        body["reasoning_effort"] = _EFFORTS.get(wanted, wanted)
    if request.user:
        body["user"] = _user(request.user)
    return msgspec.json.encode(body)


def _user(user: str) -> str:
    """As sent, or a stable stand-in where it is longer than OpenAI takes (Claude Code's is JSON)."""
    return user if len(user) <= MAX_USER else hashlib.blake2s(user.encode()).hexdigest()


def _limits(request: Request, candidate: Candidate) -> dict[str, Any]:
    reasoning = is_reasoning(candidate.target.model)
    body: dict[str, Any] = {}
    limits = [limit for limit in (request.max_tokens, candidate.max_tokens) if limit]
    if request.max_tokens and limits:
        body["max_completion_tokens" if reasoning else "max_tokens"] = min(limits)
    if request.stop:
        body["stop"] = request.stop[:MAX_STOP]
    if not reasoning:
        body |= {
            name: value
            for name, value in (("temperature", request.temperature), ("top_p", request.top_p))
            if value is not None
        }
    return body


def _tools(request: Request) -> dict[str, Any]:
    tools = [_function(tool) for tool in request.tools if not tool.type]
    choice = request.tool_choice
    if choice and choice.type == "tool" and not any(t.name == choice.name and not t.type for t in request.tools):
        raise BadRequest(f"tool_choice.name: the tool {choice.name!r} cannot be passed on to this provider")
    if not tools:
        if choice and choice.type == "any":
            raise BadRequest("tool_choice.type: none of the tools can be passed on to this provider")
        return {}
    body: dict[str, Any] = {"tools": tools}
    match choice:
        case None:
            return body
        case _ if choice.type == "tool":
            body["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
        case _:
            body["tool_choice"] = "required" if choice.type == "any" else choice.type
    if choice.disable_parallel:
        body["parallel_tool_calls"] = False
    return body


def _function(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = _NO_PARAMETERS if tool.input_schema == EMPTY_OBJECT else tool.input_schema
    return {"type": "function", "function": function}


def _answer_format(request: Request) -> dict[str, Any]:
    schema = request.answer_schema
    if not schema:
        return {}
    if schema == ANY_OBJECT:
        return {"response_format": {"type": "json_object"}}
    name = _BAD_NAME.sub("_", request.answer_schema_name)[:64] or "answer"
    described = {"name": name, "schema": schema, "strict": is_strict(msgspec.json.decode(schema))}
    return {"response_format": {"type": "json_schema", "json_schema": described}}


def is_strict(schema: Any) -> bool:
    """Whether OpenAI would take the schema as strict: every object closed, all of its properties required."""
    if isinstance(schema, list):
        return all(map(is_strict, schema))
    if not isinstance(schema, dict):
        return True
    if "properties" in schema or schema.get("type") == "object":
        properties = schema.get("properties")
        named = set(properties) if isinstance(properties, dict) else set()
        if schema.get("additionalProperties") is not False or named != set(schema.get("required", ())):
            return False
    return all(map(is_strict, schema.values()))


def _messages(request: Request) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if system := system_text(request):
        messages.append({"role": "system", "content": system})
    for message, content in zip(request.messages, without_tags(request), strict=True):
        if message.role == "assistant":
            messages += _assistant(content)
        elif message.role == "system":
            text = "\n\n".join(filter(None, map(as_text, content)))
            messages += [{"role": "system", "content": text}] if text else []
        else:
            messages += _user_turn(content)
    return messages


def _assistant(content: list[Block]) -> list[dict[str, Any]]:
    calls = [
        {"id": block.id, "type": "function", "function": {"name": block.name, "arguments": bytes(block.input).decode()}}
        for block in content
        if block.type == "tool_use"
    ]
    text = "\n\n".join(filter(None, (as_text(block) for block in content if block.type != "tool_use")))
    if not text and not calls:
        return []
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if calls:
        message["tool_calls"] = calls
    return [message]


def _user_turn(content: list[Block]) -> list[dict[str, Any]]:
    """Tool results first, as they must follow their calls at once; then their images and what the user said."""
    results = [block for block in content if block.type == "tool_result"]
    turns = [{"role": "tool", "tool_call_id": block.tool_use_id, "content": _result(block)} for block in results]
    parts: list[dict[str, Any]] = []
    for block in results:
        if images := [each for each in _nested(block) if each.type == "image"]:
            parts.append({"type": "text", "text": f"Images of the tool result {block.tool_use_id}:"})
            parts += filter(None, map(_part, images))
    parts += filter(None, (_part(block) for block in content if block.type != "tool_result"))
    if not parts:
        return turns
    only_text = all(part["type"] == "text" for part in parts)
    said = "\n\n".join(part["text"] for part in parts) if only_text else parts
    return [*turns, {"role": "user", "content": said}]


def _nested(block: Block) -> list[Block]:
    return block.content if isinstance(block.content, list) else []


def _result(block: Block) -> str:
    """The result's text. OpenAI has no flag for a failed tool, so the text says it."""
    text = content_text(block)
    if block.is_error and not text.lower().startswith("error"):
        return f"Error: {text}"
    return text


def _part(block: Block) -> dict[str, Any] | None:
    source = block.source
    if block.type == "image" and source:
        return {"type": "image_url", "image_url": {"url": _url(source)}}
    if block.type == "document" and source and source.type == "base64":
        file = {"filename": block.name or "document.pdf", "file_data": _url(source)}
        return {"type": "file", "file": file}
    text = as_text(block)
    return {"type": "text", "text": text} if text else None


def _url(source: Source) -> str:
    """A data URL (RFC 2397) for what was sent along, else the URL itself."""
    if source.type == "base64":
        return f"data:{source.media_type};base64,{source.data}"
    if source.type == "url":
        return source.url
    raise BadRequest(f"source.type: {source.type!r} is stored at another provider; send it as base64 or url")
