"""What Anthropic's `/v1/messages` rejects.

Sources: API reference "Create a Message"; "Tool use" (order of results), "Extended thinking" (budgets, what may stand
beside thinking, signatures), "Structured outputs", "Prompt caching"; and the texts of its 400s.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from upstream_wire import signature

from strict import Json
from strict.shapes import blocks, is_base64, unknown

PATH = "/messages"
_FIELDS: Final = frozenset((
    "model", "max_tokens", "messages", "system", "tools", "tool_choice", "stop_sequences", "stream", "temperature",
    "top_p", "top_k", "thinking", "metadata", "output_config", "service_tier", "container", "context_management",
    "mcp_servers", "inference_geo",
))  # fmt: skip
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_ID: Final = re.compile(r"[a-zA-Z0-9_-]+")
_IMAGES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_BLOCK: Final[dict[str, frozenset[str]]] = {
    "text": frozenset({"type", "text", "cache_control", "citations"}),
    "image": frozenset({"type", "source", "cache_control"}),
    "document": frozenset({"type", "source", "cache_control", "title", "context", "citations"}),
    "tool_use": frozenset({"type", "id", "name", "input", "cache_control", "caller"}),
    "tool_result": frozenset({"type", "tool_use_id", "content", "is_error", "cache_control"}),
    "thinking": frozenset({"type", "thinking", "signature"}),
    "redacted_thinking": frozenset({"type", "data"}),
}
_CACHED: Final = 4


def problems(path: str, headers: Mapping[str, str], body: Json) -> list[str]:
    """In the order in which the API says them, about."""
    return [each for check in _CHECKS for each in check(body)] + list(_head(path, headers))


def _head(path: str, headers: Mapping[str, str]) -> Iterator[str]:
    if not path.partition("?")[0].endswith("/v1/messages"):
        yield f"{path}: Not found"
    if "anthropic-version" not in headers:
        yield "anthropic-version: header is required"
    if not (headers.get("x-api-key") or headers.get("authorization", "").startswith("Bearer ")):
        yield "x-api-key header is required"


def _fields(body: Json) -> Iterator[str]:
    if not isinstance(body.get("model"), str):
        yield "model: Field required"
    limit = body.get("max_tokens")
    if type(limit) is not int or limit < 1:
        yield "max_tokens: Field required"
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        yield "messages: at least one message is required"
    yield from unknown(body, _FIELDS, "")
    for name, top in (("temperature", 1), ("top_p", 1)):
        if name in body and not (isinstance(body[name], int | float) and 0 <= body[name] <= top):
            yield f"{name}: range: 0..{top}"
    if "temperature" in body and "top_p" in body:
        yield "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
    for each in body.get("stop_sequences", ()):
        if not str(each).strip():
            yield "stop_sequences: each stop sequence must contain non-whitespace"
    user = (body.get("metadata") or {}).get("user_id")
    if user is not None and not (isinstance(user, str) and len(user) <= 256):
        yield "metadata.user_id: String should have at most 256 characters"


def _system(body: Json) -> Iterator[str]:
    for block in blocks(body.get("system")):
        if not block.get("text"):
            yield "system: text content blocks must be non-empty"


def _thinking(body: Json) -> Iterator[str]:
    thinking = body.get("thinking") or {"type": "disabled"}
    if thinking.get("type") == "disabled":
        return
    if thinking["type"] == "enabled":
        budget = thinking.get("budget_tokens")
        if type(budget) is not int or budget < 1024:
            yield "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
        elif budget >= body.get("max_tokens", 0):
            yield "`max_tokens` must be greater than `thinking.budget_tokens`"
    if body.get("temperature", 1) != 1:
        yield "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode."
    if "top_k" in body:
        yield "`top_k` must be unset when thinking is enabled or in adaptive mode."
    if body.get("top_p", 1) < 0.95:
        yield "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled."
    if (body.get("tool_choice") or {}).get("type") in {"any", "tool"}:
        yield "Thinking may not be enabled when tool_choice forces tool use."


def _tools(body: Json) -> Iterator[str]:
    names: list[Any] = []
    for number, tool in enumerate(body.get("tools", ())):
        names.append(tool.get("name"))
        if not _NAME.fullmatch(str(tool.get("name", ""))):
            yield f"tools.{number}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        if tool.get("type", "custom") == "custom":
            if (tool.get("input_schema") or {}).get("type") != "object":
                yield f"tools.{number}.custom.input_schema.type: Field required"
            known = {"type", "name", "description", "input_schema", "cache_control", "strict", "eager_input_streaming"}
            yield from unknown(tool, known | {"defer_loading", "input_examples"}, f"tools.{number}.custom.")
    if len(set(names)) != len(names):
        yield "tools: Tool names must be unique."
    choice = body.get("tool_choice")
    if choice and not names:
        yield "tool_choice: may only be specified while providing tools."
    if choice and choice["type"] == "tool" and choice.get("name") not in names:
        yield f"Tool '{choice.get('name')}' not found in provided tools"
    if choice and choice["type"] not in {"auto", "any", "tool", "none"}:
        yield f"tool_choice: Input tag '{choice['type']}' is unknown"


def _schema(body: Json) -> Iterator[str]:
    schema = ((body.get("output_config") or {}).get("format") or {}).get("schema")
    yield from _closed(schema) if schema is not None else ()


def _closed(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
            yield "output_config.format.schema: For 'object' type, 'additionalProperties' must be set to false"
        for each in schema.values():
            yield from _closed(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from _closed(each)


def _messages(body: Json) -> Iterator[str]:
    messages = body.get("messages") or []
    for number, message in enumerate(messages):
        path = f"messages.{number}"
        yield from unknown(message, {"role", "content"}, f"{path}.")
        if message.get("role") not in {"user", "assistant"}:
            yield f"{path}.role: Input should be 'user' or 'assistant'"
        if not message.get("content") and not (number == len(messages) - 1 and message.get("role") == "assistant"):
            yield f"{path}: all messages must have non-empty content except for the optional final assistant message"
        for at, block in enumerate(blocks(message.get("content"))):
            yield from _block(block, f"{path}.content.{at}", str(message.get("role")))
    if messages and messages[0].get("role") != "user":
        yield 'messages: first message must use the "user" role'
    last = blocks(messages[-1].get("content")) if messages and messages[-1].get("role") == "assistant" else []
    if last and last[-1].get("type") == "text" and last[-1]["text"] != last[-1]["text"].rstrip():
        yield "messages: final assistant content cannot end with trailing whitespace"
    cached = str(body.get("system")) + str(messages) + str(body.get("tools"))
    if cached.count("'cache_control': {") > _CACHED:
        yield f"A maximum of {_CACHED} blocks with cache_control may be provided."


def _block(block: Json, path: str, role: str) -> Iterator[str]:
    type = block.get("type")
    if type not in _BLOCK:
        if not str(type).startswith(("server_tool_use", "web_search", "search_result", "tool_reference")):
            yield f"{path}: Input tag '{type}' is not one of the expected tags"
        return
    yield from unknown(block, _BLOCK[type], f"{path}.{type}.")
    yield from _OF_TYPE[type](block, path, role)


def _text(block: Json, path: str, _: str) -> Iterator[str]:
    if not block.get("text"):
        yield f"{path}: text content blocks must be non-empty"
    elif not block["text"].strip():
        yield f"{path}: text content blocks must contain non-whitespace text"


def _tool_use(block: Json, path: str, _: str) -> Iterator[str]:
    if not _ID.fullmatch(str(block.get("id", ""))):
        yield f"{path}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
    if not isinstance(block.get("input"), dict):
        yield f"{path}.tool_use.input: Input should be a valid dictionary"


def _tool_result(block: Json, path: str, _: str) -> Iterator[str]:
    for at, inner in enumerate(block["content"] if isinstance(block.get("content"), list) else ()):
        yield from _block(inner, f"{path}.tool_result.content.{at}", "user")


def _thought(block: Json, path: str, _: str) -> Iterator[str]:
    if block["type"] == "thinking" and block.get("signature") != signature(str(block.get("thinking"))):
        yield f"{path}: Invalid `signature` in `thinking` block"
    if block["type"] == "redacted_thinking" and not is_base64(block.get("data")):
        yield f"{path}: Invalid `data` in `redacted_thinking` block"


def _source(block: Json, path: str, role: str) -> Iterator[str]:
    source, path = block.get("source") or {}, f"{path}.{block['type']}.source"
    if role != "user":
        yield f"{path}: images and documents are only allowed in user turns"
    match source.get("type"):
        case "base64":
            if not is_base64(source.get("data")):
                yield f"{path}.base64.data: invalid base64 data"
            allowed = _IMAGES if block["type"] == "image" else frozenset({"application/pdf"})
            if source.get("media_type") not in allowed:
                yield f"{path}.base64.media_type: Input should be one of {sorted(allowed)}"
        case "url":
            if not str(source.get("url")).startswith("https://"):
                yield f"{path}.url.url: Only HTTPS URLs are supported"
        case "text" | "file":
            pass
        case other:
            yield f"{path}: Input tag {other!r} is unknown"


_OF_TYPE: Final[dict[str, Callable[[Json, str, str], Iterator[str]]]] = {
    "text": _text,
    "image": _source,
    "document": _source,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "thinking": _thought,
    "redacted_thinking": _thought,
}


def _pairs(body: Json) -> Iterator[str]:
    """Each call is answered at the beginning of the next turn, and nothing else is."""
    calls: list[str] = []
    for number, message in enumerate(body.get("messages") or ()):
        content = blocks(message.get("content"))
        results = [block.get("tool_use_id") for block in content if block.get("type") == "tool_result"]
        leading = [block.get("type") for block in content[: len(results)]]
        if stray := [each for each in results if each not in calls]:
            yield (
                f"messages.{number}.content: unexpected `tool_use_id` found in `tool_result` blocks: {stray[0]}. "
                "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        if calls and (set(calls) - set(results) or leading != ["tool_result"] * len(results)):
            yield (
                f"messages.{number - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(calls)}"
            )
        if len(set(results)) != len(results):
            yield f"messages.{number}.content: each tool_use must have a single result"
        calls = [str(block.get("id")) for block in content if block.get("type") == "tool_use"]
        if len(set(calls)) != len(calls):
            yield f"messages.{number}.content: `tool_use` ids must be unique"
    if calls:
        yield "messages: `tool_use` ids were found without `tool_result` blocks immediately after"


def _loop(body: Json) -> Iterator[str]:
    """With `enabled`, the assistant's turn that is under way begins with thinking.

    A turn is a whole tool loop ("Extended thinking", thinking blocks and tool use): what comes after a result may have
    none.
    """
    messages = body.get("messages") or []
    if (body.get("thinking") or {}).get("type") != "enabled" or len(messages) < 2 or not _is_results(messages[-1]):
        return
    at = len(messages) - 1
    while at > 1 and _is_results(messages[at]):
        at -= 2
    turn = blocks(messages[at + 1].get("content"))
    if turn and turn[0].get("type") not in {"thinking", "redacted_thinking"}:
        yield (
            f"messages.{at + 1}.content.0.type: Expected `thinking` or `redacted_thinking`, but found "
            f"`{turn[0].get('type')}`. When `thinking` is enabled, a final `assistant` message must start with a "
            "thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks)."
        )


def _is_results(message: Json) -> bool:
    return any(block.get("type") == "tool_result" for block in blocks(message.get("content")))


_CHECKS: Final[tuple[Callable[[Json], Iterator[str]], ...]] = (
    _fields,
    _system,
    _thinking,
    _tools,
    _schema,
    _messages,
    _pairs,
    _loop,
)
