"""A request of another dialect as an OpenAI Chat Completions body.

Source: OpenAI's API reference, "Create chat completion". What has no form there is turned into text (`readable`) or
left out: top_k, tools that only Anthropic runs; and the history's thinking and cache_control, but for providers that
take them (`Candidate.extensions`). What must not get lost in silence is refused: `safeguards`, a forced tool that
cannot be passed on.
"""

import hashlib
import re
from typing import Any

import msgspec

from core.dialects.openai_request import ANY_OBJECT
from core.dialects.openai_turns import messages, tool_name
from core.dialects.stops import effort
from core.errors import BadRequest
from core.exchange import Candidate
from core.messages import EMPTY_OBJECT, Request, Tool

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
    body: dict[str, Any] = {"model": candidate.target.model, "messages": messages(request, candidate)}
    if request.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    body |= _limits(request, candidate)
    body |= _tools(request, marked="cache_control" in candidate.extensions)
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


def _tools(request: Request, *, marked: bool) -> dict[str, Any]:
    tools = [_function(tool, marked=marked) for tool in request.tools if not tool.type]
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
            body["tool_choice"] = {"type": "function", "function": {"name": tool_name(choice.name)}}
        case _:
            body["tool_choice"] = "required" if choice.type == "any" else choice.type
    if choice.disable_parallel:
        body["parallel_tool_calls"] = False
    return body


def _function(tool: Tool, *, marked: bool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool_name(tool.name)}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = _NO_PARAMETERS if tool.input_schema == EMPTY_OBJECT else tool.input_schema
    wire = {"type": "function", "function": function}
    return wire | {"cache_control": tool.cache_control} if marked and tool.cache_control else wire


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
