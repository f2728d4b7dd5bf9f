"""What Gemini refuses, as far as it is documented or known from its error messages. Pure.

Sources: Gemini API reference ("Content", "Schema", "Tool", "GenerationConfig"); Google's documentation, "Function
calling", "Thought signatures", "Gemini thinking"; messages of real 400s, quoted where they are checked.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from strict import Json
from strict.shapes import is_base64

#: What its paths contain.
PATH: Final = "enerateContent"
_PATH: Final = re.compile(r"/models/([A-Za-z0-9._%-]+):(generateContent|streamGenerateContent\?alt=sse)$")
_TOP: Final = {
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "generationConfig",
    "safetySettings",
    "cachedContent",
}
_DATA: Final = {
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "toolCall",
    "toolResponse",
}
_PART: Final = _DATA | {"thought", "thoughtSignature"}
_CONFIG: Final = {
    "stopSequences",
    "responseMimeType",
    "responseSchema",
    "candidateCount",
    "maxOutputTokens",
    "temperature",
    "topP",
    "topK",
    "seed",
    "thinkingConfig",
}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
_SIGNATURE: Final = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")

#: Schema keyword to the types that may have it; None: any.
_KEYWORDS: Final[Mapping[str, set[str] | None]] = {
    "type": None,
    "title": None,
    "description": None,
    "nullable": None,
    "anyOf": None,
    "default": None,
    "example": None,
    "format": {"STRING", "NUMBER", "INTEGER"},
    "enum": {"STRING"},
    "pattern": {"STRING"},
    "minLength": {"STRING"},
    "maxLength": {"STRING"},
    "minimum": {"NUMBER", "INTEGER"},
    "maximum": {"NUMBER", "INTEGER"},
    "items": {"ARRAY"},
    "minItems": {"ARRAY"},
    "maxItems": {"ARRAY"},
    "properties": {"OBJECT"},
    "required": {"OBJECT"},
    "minProperties": {"OBJECT"},
    "maxProperties": {"OBJECT"},
    "propertyOrdering": {"OBJECT"},
}
_TYPES: Final = {"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT"}
_FORMATS: Final = {"STRING": {"enum", "date-time"}, "NUMBER": {"float", "double"}, "INTEGER": {"int32", "int64"}}


def problems(path: str, headers: Mapping[str, str], body: Json) -> list[str]:
    """Everything that is wrong with a request; none if Gemini takes it."""
    found = _PATH.search(path)
    if found is None:
        return [f"404 {path}"]
    wrong = [] if headers.get("x-goog-api-key") else ["403 Method doesn't allow unregistered callers"]
    wrong += unknown("", body, _TOP)
    checks: tuple[Callable[[str, Json], Iterator[str]], ...] = (turns, signatures, tools, config)
    return wrong + [each for check in checks for each in check(found[1], body)]


def unknown(where: str, value: Json, known: set[str]) -> list[str]:
    """Names that the API does not have."""
    return [f'Unknown name "{name}" at {where!r}: Cannot find field.' for name in value if name not in known]


def is_current(model: str) -> bool:
    """Generation 3 and later."""
    found = re.match(r"gemini-(\d+)", model)
    return bool(found and int(found[1]) >= 3)


def turns(model: str, body: Json) -> Iterator[str]:
    """Roles, parts, and that calls and responses belong together."""
    contents = body.get("contents") or []
    if not contents:
        yield "contents is not specified"
    before: Json = {}
    for number, turn in enumerate(contents):
        where = f"contents[{number}]"
        if turn.get("role") not in {"user", "model"}:
            yield f"{where}.role: Please use a valid role: user, model."
        if turn.get("role") == before.get("role", "model"):
            yield f"{where}: Please ensure that multiturn requests alternate between user and model."
        if not turn.get("parts"):
            yield f"{where}.parts: must not be empty."
        for at, part in enumerate(turn.get("parts") or ()):
            yield from one_part(f"{where}.parts[{at}]", part, model)
        yield from pairs(where, before, turn, last=number == len(contents) - 1)
        before = turn
    for part in body.get("systemInstruction", {}).get("parts", ()):
        if part.keys() != {"text"} or not part["text"]:
            yield "system_instruction: text only"


def one_part(where: str, part: Json, model: str) -> Iterator[str]:
    """One kind of data in each part, all of it there."""
    yield from unknown(where, part, _PART)
    data = part.keys() & _DATA
    if len(data) != 1:
        yield f"{where}.data: required oneof field 'data' must have one initialized field, not {sorted(data)}"
    if part.get("text") == "" and "thoughtSignature" not in part:
        yield f"{where}.text: contents.parts must not be empty."
    if "inlineData" in part:
        yield from blob(where, part["inlineData"])
    if "fileData" in part and not (part["fileData"].get("fileUri") and part["fileData"].get("mimeType")):
        yield f"{where}.fileData: fileUri and mimeType are required"
    call, response = part.get("functionCall"), part.get("functionResponse")
    if call is not None:
        yield from unknown(f"{where}.functionCall", call, {"id", "name", "args"})
        if not _NAME.fullmatch(call.get("name", "")) or not isinstance(call.get("args", {}), dict):
            yield f"{where}.functionCall: name and args must be a name and an object"
    if response is not None:
        yield from unknown(f"{where}.functionResponse", response, {"id", "name", "response", "parts"})
        if not response.get("name") or not isinstance(response.get("response"), dict):
            yield f"{where}.functionResponse.name: Name cannot be empty, and response must be an object."
        if response.get("parts") and not is_current(model):
            yield f"{where}.functionResponse.parts: multimodal function responses are not supported by {model}"
        for each in response.get("parts", ()):
            yield from blob(where, each.get("inlineData", {}))


def blob(where: str, value: Json) -> Iterator[str]:
    """Bytes and what they are."""
    if not is_base64(value.get("data")):
        yield f"{where}.inlineData.data: Base64 decoding failed"
    if "/" not in value.get("mimeType", ""):
        yield f"{where}.inlineData.mimeType: mimeType is required"


def of_kind(turn: Json, kind: str) -> list[Json]:
    """The calls or responses of a turn."""
    return [part[kind] for part in turn.get("parts", ()) if kind in part]


def pairs(where: str, before: Json, turn: Json, *, last: bool) -> Iterator[str]:
    """Each call of a turn is answered in the next one, and nothing else is."""
    calls, responses = of_kind(before, "functionCall"), of_kind(turn, "functionResponse")
    if responses and not calls:
        yield f"{where}: Please ensure that function response turn comes immediately after a function call turn."
    elif len(responses) != len(calls):
        yield (
            f"{where}: Please ensure that the number of function response parts is equal to the number of function "
            "call parts of the function call turn."
        )
    elif [(each.get("id"), each["name"]) for each in calls] != [(each.get("id"), each["name"]) for each in responses]:
        yield f"{where}: function responses do not match their calls"
    kinds = [next(iter(part.keys() & _DATA), "") for part in turn.get("parts", ())]
    if kinds != sorted(kinds, key=lambda kind: kind != "functionResponse"):
        yield f"{where}: function responses stand behind other parts"
    if last and of_kind(turn, "functionCall"):
        yield f"{where}: Please ensure that single turn requests end with a user role or a function response."


def signatures(model: str, body: Json) -> Iterator[str]:
    """Generation 3 refuses a step of the current turn whose first call has none."""
    contents = body.get("contents") or []
    begun = max((n for n, turn in enumerate(contents) if is_said(turn)), default=0)
    for number, turn in enumerate(contents):
        for part in turn.get("parts", ()):
            if "thoughtSignature" in part and not _SIGNATURE.fullmatch(part["thoughtSignature"]):
                yield f"contents[{number}]: Invalid value at 'thought_signature' (TYPE_BYTES), Base64 decoding failed"
        first = next((part for part in turn.get("parts", ()) if "functionCall" in part), None)
        if is_current(model) and number > begun and first and not first.get("thoughtSignature"):
            yield (
                f"Function call is missing a thought_signature in functionCall parts. Additional data, function call "
                f"`default_api:{first['functionCall'].get('name')}`, position {number}."
            )


def is_said(turn: Json) -> bool:
    """Whether a user's turn is more than responses: there the current turn begins."""
    return turn.get("role") == "user" and not of_kind(turn, "functionResponse")


def tools(model: str, body: Json) -> Iterator[str]:
    """Declarations, and what may stand beside them."""
    offered: list[Json] = body.get("tools", [])
    functions = [each for tool in offered for each in tool.get("functionDeclarations", ())]
    searches = any("googleSearch" in tool for tool in offered)
    for number, tool in enumerate(offered):
        yield from unknown(f"tools[{number}]", tool, {"functionDeclarations", "googleSearch"})
    names = [each.get("name", "") for each in functions]
    if len(set(names)) != len(names):
        yield "Duplicate function declaration found"
    for number, each in enumerate(functions):
        where = f"tools[0].function_declarations[{number}]"
        yield from unknown(where, each, {"name", "description", "parameters"})
        if not _NAME.fullmatch(each.get("name", "")):
            yield f"{where}.name: Invalid function name. Must start with a letter or an underscore."
        if "parameters" in each:
            yield from schema(f"{where}.parameters", each["parameters"])
            if each["parameters"].get("type") != "OBJECT" or not each["parameters"].get("properties"):
                yield f"{where}.parameters.properties: should be non-empty for OBJECT type"
    yield from tool_config(model, body.get("toolConfig", {}), names, searches=searches)


def tool_config(model: str, config: Json, names: list[str], *, searches: bool) -> Iterator[str]:
    yield from unknown("tool_config", config, {"functionCallingConfig", "includeServerSideToolInvocations"})
    calling = config.get("functionCallingConfig", {})
    mode, allowed = calling.get("mode", "AUTO"), calling.get("allowedFunctionNames", [])
    yield from unknown("function_calling_config", calling, {"mode", "allowedFunctionNames"})
    if mode not in {"AUTO", "ANY", "NONE", "VALIDATED"}:
        yield f"Invalid value at 'tool_config.function_calling_config.mode': {mode}"
    if mode == "ANY" and not names:
        yield "Function calling config is set without function_declarations."
    if allowed and (mode not in {"ANY", "VALIDATED"} or not set(allowed) <= set(names)):
        yield "allowed_function_names should only be set when function_calling_config.mode is ANY, and name functions"
    if searches and names and not is_current(model):
        yield "Tool use with function calling is unsupported"
    elif searches and names and config.get("includeServerSideToolInvocations") is not True:
        yield "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools with Function calls"
    elif searches and names and mode == "AUTO":
        yield "Function calling mode AUTO is not supported beside built-in tools"


def schema(where: str, value: Any, depth: int = 0) -> Iterator[str]:
    """A `Schema` object and all that is in it."""
    if not isinstance(value, dict):
        yield f"{where}: Proto field is not repeating, cannot start list."
        return
    kind = value.get("type")
    if depth > 48:
        yield f"{where}: nested too deep"
    if not isinstance(kind, str | None) or (kind is not None and kind not in _TYPES):
        yield f"Invalid value at '{where}.type': {kind}"
        return
    if kind is None and not value.get("anyOf"):
        yield f"{where}.type: must be specified"
    for name in value:
        if name not in _KEYWORDS:
            yield f'Unknown name "{name}" at {where!r}: Cannot find field.'
        elif (only := _KEYWORDS[name]) is not None and kind not in only:
            yield f"{where}.{name}: only allowed for {sorted(only)} type"
    yield from values(where, value, kind or "")
    yield from inside(where, value, depth)


def values(where: str, value: Json, kind: str) -> Iterator[str]:
    """What the keywords say."""
    if "enum" in value and not all(isinstance(each, str) and each for each in value["enum"]):
        yield f"{where}.enum[0]: cannot be empty, and must be a string"
    if value.get("enum") == [] or (value.get("format") == "enum" and not value.get("enum")):
        yield f"{where}.enum: should be non-empty for STRING type with enum format"
    if "format" in value and value["format"] not in _FORMATS.get(kind, ()):
        yield f"{where}.format: only 'enum' and 'date-time' are supported for STRING type"
    for name in value.get("required", ()):
        if name not in value.get("properties", {}):
            yield f"{where}.required[{name}]: property is not defined"
    for name in ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"):
        if name in value and (type(value[name]) is not int or not 0 <= value[name] < 2**63):
            yield f"Invalid value at '{where}.{name}' (TYPE_INT64), {value[name]}"


def inside(where: str, value: Json, depth: int) -> Iterator[str]:
    """The schemas within a schema."""
    if value.get("type") == "ARRAY" and "items" not in value:
        yield f"{where}.items: missing field."
    if "items" in value:
        yield from schema(f"{where}.items", value["items"], depth + 1)
    if value.get("properties") == {}:
        yield f"{where}.properties: should be non-empty for OBJECT type"
    for name, each in value.get("properties", {}).items():
        yield from schema(f"{where}.properties[{name}]", each, depth + 1)
    for number, each in enumerate(value.get("anyOf", ())):
        yield from schema(f"{where}.any_of[{number}]", each, depth + 1)


def config(model: str, body: Json) -> Iterator[str]:
    """`generationConfig`."""
    given: Json = body.get("generationConfig", {})
    yield from unknown("generation_config", given, _CONFIG)
    stop = given.get("stopSequences", [])
    if len(stop) > 5 or not all(stop):
        yield f"The number of stop sequences must be at most 5, none empty: {stop}"
    if not 0 <= given.get("temperature", 0) <= 2 or not 0 <= given.get("topP", 0) <= 1:
        yield "temperature must be in the range [0.0, 2.0], top_p in [0.0, 1.0]"
    if given.get("maxOutputTokens", 1) < 1 or given.get("topK", 1) < 1:
        yield "max_output_tokens and top_k must be positive"
    if "responseSchema" in given:
        yield from schema("generation_config.response_schema", given["responseSchema"])
        if given.get("responseMimeType") != "application/json":
            yield "response_schema is only allowed with a JSON response_mime_type"
    if given.get("responseMimeType") == "application/json" and body.get("tools") and not is_current(model):
        yield "Function calling with a response mime type: 'application/json' is unsupported"
    if "thinkingConfig" in given:
        yield from thinking(model, given["thinkingConfig"])


def thinking(model: str, given: Json) -> Iterator[str]:
    """By level from generation 3 on, by budget before, not at all before 2.5."""
    yield from unknown("thinking_config", given, {"includeThoughts", "thinkingBudget", "thinkingLevel"})
    if not (is_current(model) or model.startswith("gemini-2.5")) or "image" in model:
        yield f"Thinking is not enabled for models/{model}"
        return
    budget, level = given.get("thinkingBudget"), given.get("thinkingLevel")
    if budget is not None and level is not None:
        yield "You can only set one of thinking budget and thinking level."
    if level is not None and (not is_current(model) or level not in levels(model)):
        yield f"Thinking level {level} is not supported for this model."
    if budget is not None and budget != -1 and not any(low <= budget <= high for low, high in budgets(model)):
        yield f"The thinking budget {budget} is invalid. Please choose a value within {budgets(model)}."


def levels(model: str) -> set[str]:
    if "pro" in model:
        return {"low", "high"} if re.match(r"gemini-3-pro", model) else {"low", "medium", "high"}
    return {"minimal", "low", "medium", "high"}


def budgets(model: str) -> list[tuple[int, int]]:
    if "pro" in model:
        return [(128, 32_768)]
    return [(0, 0), (512, 24_576)] if "lite" in model else [(0, 24_576)]
