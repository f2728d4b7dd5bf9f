"""What OpenAI's `/chat/completions` rejects.

Sources: API reference "Create chat completion"; "Function calling", "Structured outputs", "Reasoning models" (which
parameters these do not take); and the texts of its 400s.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from strict import Json
from strict.shapes import is_base64

PATH = "/chat/completions"
_FIELDS: Final = frozenset((
    "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature", "top_p",
    "stop", "tools", "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort", "user", "n", "seed",
    "logprobs", "top_logprobs", "logit_bias", "presence_penalty", "frequency_penalty", "metadata", "store",
    "service_tier", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "verbosity", "modalities",
    "audio", "prediction", "web_search_options", "functions", "function_call",
))  # fmt: skip
_MESSAGE: Final[dict[str, frozenset[str]]] = {
    "system": frozenset({"role", "content", "name"}),
    "developer": frozenset({"role", "content", "name"}),
    "user": frozenset({"role", "content", "name"}),
    "assistant": frozenset(
        {"role", "content", "name", "tool_calls", "refusal", "audio", "function_call", "annotations"}
    ),
    "tool": frozenset({"role", "content", "tool_call_id"}),
    "function": frozenset({"role", "content", "name"}),
}
_PARTS: Final[dict[str, frozenset[str]]] = {
    "user": frozenset({"text", "image_url", "input_audio", "file"}),
    "assistant": frozenset({"text", "refusal"}),
}
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_DATA_URL: Final = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,(.*)", re.DOTALL)
#: Models that think take neither sampling parameters nor `max_tokens`, the older ones no `reasoning_effort`.
_THINKS: Final = re.compile(r"(?:gpt-5(?!-chat)|o[134](?:-|$))")
_OLDER: Final = re.compile(r"gpt-(?:3|4)|chatgpt")
_LONGEST_ID = 40


def problems(path: str, headers: Mapping[str, str], body: Json) -> list[str]:
    """In the order in which the API says them, about."""
    return [each for check in _CHECKS for each in check(body)] + list(_head(path, headers))


def _head(path: str, headers: Mapping[str, str]) -> Iterator[str]:
    if not path.partition("?")[0].endswith("/chat/completions"):
        yield f"Invalid URL (POST {path})"
    if not headers.get("authorization", "").startswith("Bearer "):
        yield "You didn't provide an API key."


def _fields(body: Json) -> Iterator[str]:
    for name in body:
        if name not in _FIELDS:
            yield f"Unrecognized request argument supplied: {name}"
    if not isinstance(body.get("model"), str):
        yield "you must provide a model parameter"
    for name in ("max_tokens", "max_completion_tokens"):
        if name in body and not (type(body[name]) is int and body[name] >= 1):
            yield f"Invalid '{name}': integer below minimum value. Expected a value >= 1."
    if {"max_tokens", "max_completion_tokens"} <= body.keys():
        yield "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
    if "stream_options" in body and not body.get("stream"):
        yield "The 'stream_options' parameter is only allowed when 'stream' is enabled."
    stop = body.get("stop") or []
    if isinstance(stop, list) and (len(stop) > 4 or not all(isinstance(each, str) and each for each in stop)):
        yield "Invalid 'stop': array too long. Expected an array with maximum length 4."
    for name, top in (("temperature", 2), ("top_p", 1)):
        if name in body and not (isinstance(body[name], int | float) and 0 <= body[name] <= top):
            yield f"Invalid '{name}': expected a value between 0 and {top}."
    if len(body.get("user") or "") > 64:
        yield "Invalid 'user': string too long. Expected a string with maximum length 64."


def _reasoning(body: Json) -> Iterator[str]:
    if not _THINKS.match(str(body.get("model"))):
        if "reasoning_effort" in body and _OLDER.match(str(body.get("model"))):
            yield "Unrecognized request argument supplied: reasoning_effort"
        return
    if "max_tokens" in body:
        yield (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
    for name in ("temperature", "top_p"):
        if body.get(name, 1) != 1:
            yield f"Unsupported value: '{name}' does not support {body[name]} with this model."
    if body.get("stop"):
        yield "Unsupported parameter: 'stop' is not supported with this model."
    if body.get("reasoning_effort", "low") not in {"none", "minimal", "low", "medium", "high", "xhigh"}:
        yield f"Invalid value: '{body['reasoning_effort']}'."


def _tools(body: Json) -> Iterator[str]:
    tools = body.get("tools")
    if tools == []:
        yield "Invalid 'tools': empty array. Expected an array with minimum length 1."
    if len(tools or ()) > 128:
        yield "Invalid 'tools': array too long. Expected an array with maximum length 128."
    names = set()
    for number, tool in enumerate(tools or ()):
        function = tool.get("function") or {}
        names.add(function.get("name"))
        if tool.get("type") == "function" and not _NAME.fullmatch(str(function.get("name", ""))):
            yield f"Invalid 'tools[{number}].function.name': string does not match pattern '^[a-zA-Z0-9_-]+$', or > 64"
        for name in {*tool, *function} - {"type", "function", "name", "description", "parameters", "strict", "custom"}:
            yield f"Unknown parameter: 'tools[{number}].{name}'."
        yield from parameters(str(function.get("name")), function.get("parameters"))
    if not tools:
        for name in ("tool_choice", "parallel_tool_calls"):
            if body.get(name) is not None:
                yield f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified."
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "function" and choice["function"]["name"] not in names:
        yield f"Invalid value for 'tool_choice': tool_choice function {choice['function']['name']} not found in 'tools'"
    if isinstance(choice, str) and choice not in {"none", "auto", "required"}:
        yield f"Invalid value: '{choice}'. Supported values are: 'none', 'auto', and 'required'."


def parameters(name: str, schema: Any) -> Iterator[str]:
    if schema is None:
        return
    why = ""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        why = "schema must be a JSON Schema of 'type: \"object\"'"
    elif "properties" not in schema:
        why = "In context=(), object schema missing properties"
    if why:
        yield f"Invalid schema for function '{name}': {why}."


def _format(body: Json) -> Iterator[str]:
    wanted = body.get("response_format") or {}
    described = wanted.get("json_schema") or {}
    if wanted.get("type") == "json_schema":
        if not _NAME.fullmatch(str(described.get("name", ""))):
            yield "Invalid 'response_format.json_schema.name': string does not match pattern '^[a-zA-Z0-9_-]+$'."
        if described.get("strict"):
            yield from strict_schema("response_format", described.get("schema"))


def strict_schema(where: str, schema: Any) -> Iterator[str]:
    """What `strict` demands of a schema ("Structured outputs", supported schemas)."""
    if isinstance(schema, list):
        for each in schema:
            yield from strict_schema(where, each)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            yield f"Invalid schema for {where}: 'additionalProperties' is required to be supplied and false."
        if set(schema.get("required", ())) != set(schema.get("properties", ())):
            yield f"Invalid schema for {where}: 'required' is required to include every key in properties."
    for each in schema.values():
        yield from strict_schema(where, each)


def _messages(body: Json) -> Iterator[str]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        yield "Invalid 'messages': empty array. Expected an array with minimum length 1."
        return
    for number, message in enumerate(messages):
        path, role = f"messages[{number}]", message.get("role")
        if role not in _MESSAGE:
            yield f"Invalid value: '{role}'. Supported values are: {', '.join(_MESSAGE)}."
            continue
        known = _MESSAGE[role]
        if "reasoning_details" not in message:
            # The servers of this dialect that think (as the scripted one does) give and take this; OpenAI's own does
            # neither. Details are OpenRouter's alone, or the proxy's.
            known |= {"reasoning_content"}
        for name in message.keys() - known:
            yield f"Unknown parameter: '{path}.{name}'."
        yield from _content(message, path)
        if role == "assistant":
            yield from _calls(message, path)


def _content(message: Json, path: str) -> Iterator[str]:
    content, role = message.get("content"), message["role"]
    if content is None and not (role == "assistant" and (message.get("tool_calls") or message.get("refusal"))):
        yield f"Invalid value for 'content': expected a string, got null. ({path})"
    if isinstance(content, list):
        if not content:
            yield f"Invalid '{path}.content': empty array. Expected an array with minimum length 1."
        for at, part in enumerate(content):
            if part.get("type") not in _PARTS.get(role, frozenset({"text"})):
                yield f"Invalid '{path}.content[{at}]': {part.get('type')} is only allowed for role 'user'."
            elif part["type"] == "image_url":
                yield from image(part["image_url"].get("url", ""), f"{path}.content[{at}].image_url")


def image(url: str, path: str) -> Iterator[str]:
    if url.startswith("data:"):
        found = _DATA_URL.fullmatch(url)
        if not (found and is_base64(found[1])):
            yield f"Invalid '{path}': expected a base64-encoded data URL with an image MIME type."
    elif not url.startswith(("https://", "http://")):
        yield f"Invalid '{path}': expected a valid URL."


def _calls(message: Json, path: str) -> Iterator[str]:
    if message.get("tool_calls") == []:
        yield f"Invalid '{path}.tool_calls': empty array. Expected an array with minimum length 1."
    for at, call in enumerate(message.get("tool_calls") or ()):
        function = call.get("function") or {}
        if call.get("type") != "function":
            yield f"Missing required parameter: '{path}.tool_calls[{at}].type'."
        if not (isinstance(call.get("id"), str) and call["id"]):
            yield f"Missing required parameter: '{path}.tool_calls[{at}].id'."
        elif len(call["id"]) > _LONGEST_ID:
            yield f"Invalid '{path}.tool_calls[{at}].id': string too long. Expected a string with maximum length 40."
        if not _NAME.fullmatch(str(function.get("name", ""))):
            yield f"Invalid '{path}.tool_calls[{at}].function.name': string does not match pattern, or > 64"
        if not isinstance(function.get("arguments"), str) or not _is_json(function["arguments"]):
            yield f"Invalid '{path}.tool_calls[{at}].function.arguments': expected a string of JSON."


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _pairs(body: Json) -> Iterator[str]:
    """Each call is answered by a tool message at once, and nothing else is."""
    waiting: list[str] = []
    for number, message in enumerate(body.get("messages") or ()):
        if message.get("role") == "tool":
            if message.get("tool_call_id") not in waiting:
                yield (
                    f"Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
                    f"'tool_calls'. (messages[{number}])"
                )
                continue
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            break
        waiting = [str(call.get("id")) for call in message.get("tool_calls") or ()]
    if waiting:
        yield (
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(waiting)}"
        )


_CHECKS: Final[tuple[Callable[[Json], Iterator[str]], ...]] = (
    _fields,
    _reasoning,
    _tools,
    _format,
    _messages,
    _pairs,
)
