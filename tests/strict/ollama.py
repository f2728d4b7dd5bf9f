"""What Ollama's `/api/chat` refuses, or takes and silently mangles.

Sources: Ollama's API documentation ("Generate a chat completion", "Tool calling", "Thinking", "Context length") and its
API types: a body is decoded into fixed Go types, and what does not fit is a 400 with the decoder's message. Unknown
members are dropped in silence, which is worse than a refusal: here they are problems.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from strict import Json
from strict.shapes import is_base64

PATH: Final = "/api/chat"
_FIELDS: Final = frozenset({
    "model", "messages", "stream", "format", "keep_alive", "tools", "options", "think", "truncate", "shift", "logprobs",
    "top_logprobs",
})  # fmt: skip
_MESSAGE: Final = frozenset({"role", "content", "thinking", "images", "tool_calls", "tool_name", "tool_call_id"})
_OPTIONS: Final[dict[str, type | tuple[type, ...]]] = {
    "num_ctx": int, "num_predict": int, "top_k": int, "seed": int, "num_keep": int, "repeat_last_n": int,
    "temperature": (int, float), "top_p": (int, float), "min_p": (int, float), "repeat_penalty": (int, float),
    "stop": list,
}  # fmt: skip
#: What a server holds without `num_ctx`, in tokens, on most machines.
DEFAULT_CONTEXT: Final = 4096
#: Characters a token, at the least; the images aside.
_CHARACTERS: Final = 6


def problems(path: str, headers: Mapping[str, str], body: Json) -> list[str]:
    """What its server says, or would not say."""
    return [each for check in _CHECKS for each in check(body)] + list(_head(path, headers))


def _head(path: str, headers: Mapping[str, str]) -> Iterator[str]:
    if not path.endswith(PATH):
        yield "404 page not found"
    if headers.get("content-type", "application/json") != "application/json":
        yield "the body is no JSON by its type"


def _fields(body: Json) -> Iterator[str]:
    for name in body.keys() - _FIELDS:
        yield f"{name}: dropped in silence"
    if not body.get("model"):
        yield "model is required"
    if not isinstance(body.get("stream"), bool):
        yield "stream: true by default, whatever was meant"
    think = body.get("think", True)
    if think not in (True, False, "high", "medium", "low", "max"):
        yield f'invalid think value: {think!r} (must be "high", "medium", "low", "max", true, or false)'
    form = body.get("format", "json")
    if form != "json" and not isinstance(form, dict):
        yield f'invalid format: {form!r}; expected "json" or a valid JSON Schema object'


def _options(body: Json) -> Iterator[str]:
    options = body.get("options") or {}
    for name, value in options.items():
        kind = _OPTIONS.get(name)
        if kind is None:
            yield f"options.{name}: invalid option provided"
        elif not isinstance(value, kind) or isinstance(value, bool):
            yield f"option {name!r} must be of another type"
    if not all(isinstance(each, str) for each in options.get("stop") or ()):
        yield "option 'stop' must be of an array of strings"
    words = sum(len(message.get("content") or "") for message in _messages(body)) // _CHARACTERS
    room = options.get("num_ctx", DEFAULT_CONTEXT)
    if isinstance(room, int) and words > room:
        yield "the beginning of the conversation is cut off in silence: num_ctx is too small"


def _messages(body: Json) -> list[Json]:
    messages = body.get("messages")
    return [each for each in messages if isinstance(each, dict)] if isinstance(messages, list) else []


def _turns(body: Json) -> Iterator[str]:
    if not _messages(body):
        yield "nothing to answer: the model is only loaded"
    called: list[tuple[str, str]] = []
    for number, message in enumerate(_messages(body)):
        at = f"messages.{number}"
        for name in message.keys() - _MESSAGE:
            yield f"{at}.{name}: dropped in silence"
        if message.get("role") not in {"system", "user", "assistant", "tool"}:
            yield f"{at}.role: {message.get('role')!r} is rendered by no template"
        if not isinstance(message.get("content", ""), str):
            yield f"json: cannot unmarshal {at}.content into Go struct field of type string"
        if not all(map(is_base64, message.get("images") or ())):
            yield f"{at}.images: illegal base64 data"
        yield from _calls(at, message.get("tool_calls") or ())
        if message.get("role") == "tool":
            yield from _result(at, message, called)
        elif called:
            yield f"{at}: calls without results before it: {called}"
            called = []
        for call in message.get("tool_calls") or ():
            called.append((call.get("id", ""), call["function"]["name"]))


def _calls(at: str, calls: Any) -> Iterator[str]:
    ids = [call["id"] for call in calls if call.get("id")]
    if len(ids) != len(set(ids)):
        yield f"{at}.tool_calls: two with the same id"
    for number, call in enumerate(calls):
        function = call.get("function") or {}
        if not isinstance(function.get("arguments"), dict):
            yield f"json: cannot unmarshal {at}.tool_calls.{number}.function.arguments into an object"
        for name in call.keys() - {"id", "function"} | function.keys() - {"index", "name", "arguments"}:
            yield f"{at}.tool_calls.{number}.{name}: dropped in silence"
        if not function.get("name"):
            yield f"{at}.tool_calls.{number}: a call of nothing"


def _result(at: str, message: Json, called: list[tuple[str, str]]) -> Iterator[str]:
    """Takes its call out of those that wait for a result."""
    mine = (message.get("tool_call_id", ""), message.get("tool_name", ""))
    if mine in called:
        called.remove(mine)
    else:
        yield f"{at}: a result of {mine}, which was not called just before"


def _tools(body: Json) -> Iterator[str]:
    for number, tool in enumerate(body.get("tools") or ()):
        at = f"tools.{number}"
        function = tool.get("function") or {}
        if tool.get("type") != "function" or not function.get("name"):
            yield f"{at}: no function with a name"
        for name in tool.keys() - {"type", "function"} | function.keys() - {"name", "description", "parameters"}:
            yield f"{at}.{name}: dropped in silence"
        parameters = function.get("parameters")
        if not isinstance(parameters, dict) or not isinstance(parameters.get("type"), str):
            yield f"json: cannot unmarshal {at}.function.parameters.type into Go struct field of type string"
        elif not isinstance(parameters.get("properties"), dict):
            yield f"{at}.function.parameters.properties: null in the prompt"
        else:
            yield from _schema(f"{at}.function.parameters", parameters)


def _schema(at: str, schema: Any) -> Iterator[str]:
    """A property is a fixed type: its members must fit, and those that it lacks are lost."""
    if not isinstance(schema, dict):
        yield f"json: cannot unmarshal {at} into Go value of type api.ToolProperty"
        return
    for name, fits in _MEMBERS.items():
        if name in schema and not fits(schema[name]):
            yield f"json: cannot unmarshal {at}.{name} into Go struct field"
    for name in schema.keys() & {"$ref", "oneOf", "allOf", "const"}:
        yield f"{at}.{name}: dropped in silence"
    properties = schema.get("properties")
    for name, each in properties.items() if isinstance(properties, dict) else ():
        yield from _schema(f"{at}.properties.{name}", each)
    for number, each in enumerate(schema["anyOf"]) if isinstance(schema.get("anyOf"), list) else ():
        yield from _schema(f"{at}.anyOf.{number}", each)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


_MEMBERS: Final[dict[str, Callable[[Any], bool]]] = {
    "type": lambda value: isinstance(value, str) or _texts(value),
    "description": lambda value: isinstance(value, str),
    "required": _texts,
    "enum": lambda value: isinstance(value, list),
    "properties": lambda value: isinstance(value, dict),
    "anyOf": lambda value: isinstance(value, list),
}
_CHECKS: Final[tuple[Callable[[Json], Iterator[str]], ...]] = (_fields, _options, _turns, _tools)
