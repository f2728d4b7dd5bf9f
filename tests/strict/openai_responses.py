"""What OpenAI's `/responses` rejects.

Sources: API reference "Create a model response"; the guides "Reasoning models" (what a client keeps if nothing is
stored), "Function calling", "Structured outputs"; and the texts of its 400s.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from upstream_wire import signature

from strict import Json
from strict.openai import image, parameters, strict_schema

PATH = "/responses"
_FIELDS: Final = frozenset((
    "model", "input", "instructions", "stream", "stream_options", "max_output_tokens", "temperature", "top_p", "tools",
    "tool_choice", "parallel_tool_calls", "text", "reasoning", "include", "store", "previous_response_id",
    "conversation", "metadata", "user", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
    "service_tier", "truncation", "background", "max_tool_calls", "top_logprobs", "prompt", "context_management",
    "client_metadata",
))  # fmt: skip
_ITEM: Final[dict[str, frozenset[str]]] = {
    "message": frozenset({"type", "role", "content", "id", "status", "phase"}),
    "function_call": frozenset({"type", "call_id", "name", "arguments", "id", "status", "namespace"}),
    "function_call_output": frozenset({"type", "call_id", "output", "id", "status"}),
    "custom_tool_call": frozenset({"type", "call_id", "name", "input", "id", "status"}),
    "custom_tool_call_output": frozenset({"type", "call_id", "output", "id"}),
    "reasoning": frozenset({"type", "id", "summary", "content", "encrypted_content", "status"}),
}
_PREFIX: Final = {"message": "msg", "function_call": "fc", "custom_tool_call": "ctc", "reasoning": "rs"}
_PARTS: Final = {
    "user": frozenset({"input_text", "input_image", "input_file"}),
    "system": frozenset({"input_text"}),
    "developer": frozenset({"input_text"}),
    "assistant": frozenset({"output_text", "refusal"}),
}
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_THINKS: Final = re.compile(r"(?:gpt-5(?!-chat)|o[134](?:-|$)|codex)")
_OLDER: Final = re.compile(r"gpt-(?:3|4)|chatgpt")
_LEAST_OUTPUT: Final = 16
_LONGEST_ID: Final = 64


def problems(path: str, headers: Mapping[str, str], body: Json) -> list[str]:
    """In the order in which the API says them, about."""
    return [each for check in _CHECKS for each in check(body)] + list(_head(path, headers))


def _head(path: str, headers: Mapping[str, str]) -> Iterator[str]:
    if not path.partition("?")[0].endswith("/responses"):
        yield f"Invalid URL (POST {path})"
    if not headers.get("authorization", "").startswith("Bearer "):
        yield "You didn't provide an API key."


def _fields(body: Json) -> Iterator[str]:
    for name in body:
        if name not in _FIELDS:
            yield f"Unknown parameter: '{name}'."
    if not isinstance(body.get("model"), str):
        yield "Missing required parameter: 'model'."
    if not body.get("input"):
        yield "Missing required parameter: 'input'."
    limit = body.get("max_output_tokens")
    if limit is not None and not (type(limit) is int and limit >= _LEAST_OUTPUT):
        yield "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16."
    for name, top in (("temperature", 2), ("top_p", 1)):
        if body.get(name) is not None and not (isinstance(body[name], int | float) and 0 <= body[name] <= top):
            yield f"Invalid '{name}': expected a value between 0 and {top}."
    for name in ("user", "prompt_cache_key"):
        if len(body.get(name) or "") > 64:
            yield f"Invalid '{name}': string too long. Expected a string with maximum length 64."
    if body.get("stream_options") and not body.get("stream"):
        yield "The 'stream_options' parameter is only allowed when 'stream' is enabled."


def _reasoning(body: Json) -> Iterator[str]:
    model, wanted = str(body.get("model")), body.get("reasoning") or {}
    if _OLDER.match(model) and wanted.get("effort"):
        yield "Unsupported parameter: 'reasoning.effort' is not supported with this model."
    if _THINKS.search(model):
        for name in ("temperature", "top_p"):
            if body.get(name) not in (None, 1):
                yield f"Unsupported parameter: '{name}' is not supported with this model."
    if (wanted.get("effort") or "low") not in {"none", "minimal", "low", "medium", "high", "xhigh"}:
        yield f"Invalid value: '{wanted['effort']}'."
    if (wanted.get("summary") or "auto") not in {"auto", "concise", "detailed"}:
        yield f"Invalid value: '{wanted['summary']}'."


def _tools(body: Json) -> Iterator[str]:
    names = set()
    for number, tool in enumerate(body.get("tools") or ()):
        names.add(tool.get("name"))
        if tool.get("type") != "function":
            continue
        if not _NAME.fullmatch(str(tool.get("name", ""))):
            yield f"Invalid 'tools[{number}].name': string does not match pattern '^[a-zA-Z0-9_-]+$', or > 64"
        for name in tool.keys() - {"type", "name", "description", "parameters", "strict", "defer_loading"}:
            yield f"Unknown parameter: 'tools[{number}].{name}'."
        yield from parameters(str(tool.get("name")), tool.get("parameters"))
        if tool.get("strict", True):  # as it is here where nothing is said
            yield from strict_schema(f"function '{tool.get('name')}'", tool.get("parameters"))
    choice = body.get("tool_choice")
    if isinstance(choice, str) and choice not in {"none", "auto", "required"}:
        yield f"Invalid value: '{choice}'. Supported values are: 'none', 'auto', and 'required'."
    if isinstance(choice, dict) and choice.get("type") == "function" and choice.get("name") not in names:
        yield f"Tool choice '{choice.get('name')}' not found in 'tools' parameter."
    if choice == "required" and not names:
        yield "Tool choice 'required' must be specified with 'tools' parameter."


def _format(body: Json) -> Iterator[str]:
    wanted = (body.get("text") or {}).get("format") or {}
    if wanted.get("type") == "json_schema":
        if not _NAME.fullmatch(str(wanted.get("name", ""))):
            yield "Invalid 'text.format.name': string does not match pattern '^[a-zA-Z0-9_-]+$'."
        if wanted.get("strict"):
            yield from strict_schema("response_format", wanted.get("schema"))


def _items(body: Json) -> Iterator[str]:
    if isinstance(body.get("input"), str):
        return
    for number, item in enumerate(body.get("input") or ()):
        path, type = f"input[{number}]", item.get("type", "message")
        if type not in _ITEM:
            continue  # a tool of the API's own
        for name in item.keys() - _ITEM[type]:
            yield f"Unknown parameter: '{path}.{name}'."
        if id := item.get("id"):
            if not str(id).startswith(_PREFIX.get(type, "")):
                yield f"Invalid '{path}.id': '{id}'. Expected an ID that begins with '{_PREFIX[type]}'."
            if len(id) > _LONGEST_ID:
                yield f"Invalid '{path}.id': string too long. Expected a string with maximum length 64."
        yield from _OF_TYPE[type](item, path)


def _message(item: Json, path: str) -> Iterator[str]:
    allowed = _PARTS.get(str(item.get("role")))
    if allowed is None:
        yield f"Invalid value: '{item.get('role')}'. Supported values are: {', '.join(_PARTS)}."
        return
    content = item.get("content")
    if not isinstance(content, str | list):
        yield f"Missing required parameter: '{path}.content'."
    for at, part in enumerate(content if isinstance(content, list) else ()):
        if part.get("type") not in allowed:
            yield f"Invalid value: '{part.get('type')}'. Supported values are: {', '.join(sorted(allowed))}."
        elif part["type"] == "input_image" and "file_id" not in part:
            yield from image(str(part.get("image_url")), f"{path}.content[{at}].image_url")


def _call(item: Json, path: str) -> Iterator[str]:
    if not _NAME.fullmatch(str(item.get("call_id", ""))):
        yield f"Invalid '{path}.call_id': string does not match pattern, or > 64"
    if not _NAME.fullmatch(str(item.get("name", ""))):
        yield f"Invalid '{path}.name': string does not match pattern '^[a-zA-Z0-9_-]+$', or > 64"
    try:
        json.loads(item["arguments"] if item["type"] == "function_call" else '""')
    except (ValueError, TypeError, KeyError):
        yield f"Invalid '{path}.arguments': expected a string of JSON."


def _output(item: Json, path: str) -> Iterator[str]:
    output = item.get("output")
    if not isinstance(output, str | list):
        yield f"Missing required parameter: '{path}.output'."
    if isinstance(output, list):
        yield from _message({"role": "user", "content": output}, f"{path}.output")


def _thought(item: Json, path: str) -> Iterator[str]:
    if not isinstance(item.get("summary"), list):
        yield f"Missing required parameter: '{path}.summary'."
    said = "".join(part.get("text", "") for part in item.get("summary") or ())
    if not item.get("encrypted_content"):
        yield f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` is set to false."
    elif item["encrypted_content"] != signature(said):
        yield f"The encrypted content for item {item.get('id')} could not be verified."


_OF_TYPE: Final[dict[str, Callable[[Json, str], Iterator[str]]]] = {
    "message": _message,
    "function_call": _call,
    "custom_tool_call": _call,
    "function_call_output": _output,
    "custom_tool_call_output": _output,
    "reasoning": _thought,
}


def _pairs(body: Json) -> Iterator[str]:
    """Each call has an output after it, each output a call before it; reasoning has something after it."""
    items: list[Any] = [] if isinstance(body.get("input"), str) else body.get("input") or []
    called: list[str] = []
    answered = set()
    for number, item in enumerate(items):
        type, call = str(item.get("type", "message")), str(item.get("call_id"))
        if type in {"function_call", "custom_tool_call"}:
            if call in called:
                yield f"Duplicate item found with call_id {call}."
            called.append(call)
        elif type in {"function_call_output", "custom_tool_call_output"}:
            if call not in called:
                yield f"No tool call found for function call output with call_id {call}."
            answered.add(call)
        elif type == "reasoning":
            following = items[number + 1] if number + 1 < len(items) else {}
            if following.get("role", "assistant") != "assistant" or not following or "output" in following:
                yield f"Item '{item.get('id')}' of type 'reasoning' was provided without its required following item."
    for call in called:
        if call not in answered:
            yield f"No tool output found for function call {call}."


_CHECKS: Final[tuple[Callable[[Json], Iterator[str]], ...]] = (
    _fields,
    _reasoning,
    _tools,
    _format,
    _items,
    _pairs,
)
