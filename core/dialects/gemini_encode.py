"""A request of another dialect as a Gemini `generateContent` body.

Source: Gemini API reference, "models.generateContent", "Tool", "GenerationConfig"; Google's documentation, "Structured
output" and "Combine built-in tools and function calling". What has no form there is turned into text or left out; what
must not get lost in silence is refused: `safeguards`, a forced tool that cannot be passed on. A web search that a model
does not take is the gate's to refuse.
"""

from typing import Any

import msgspec

from core.dialects import gemini_schema
from core.dialects.gemini_model import is_current, thinking_config
from core.dialects.gemini_turns import contents
from core.dialects.openai_request import ANY_OBJECT
from core.dialects.readable import system_text
from core.errors import BadRequest
from core.exchange import Candidate
from core.messages import Request, Tool

#: Gemini's limit on stop sequences.
MAX_STOP = 5

_MODES = {"auto": "AUTO", "any": "ANY", "tool": "ANY", "none": "NONE"}


def encode_request(request: Request, candidate: Candidate) -> bytes:
    """BadRequest names the field that cannot be passed on."""
    if "safeguards" in request.fields:
        # The client knows this answer and asks again without the field.
        raise BadRequest("safeguards: cannot be passed on to this provider; send the request without it")
    turns = contents(request, candidate)
    tools = _tools(request, candidate)
    system = [text for text in (system_text(request), _format_in_words(request, candidate, tools)) if text]
    if not turns:
        # Instructions alone are a legal chat request; Gemini wants a user turn.
        turns, system = [{"role": "user", "parts": [{"text": "\n\n".join(system) or "Begin."}]}], []
    body: dict[str, Any] = {"contents": turns}
    if system:
        body["systemInstruction"] = {"parts": [{"text": text} for text in system]}
    body |= tools
    if config := _generation(request, candidate, tools):
        body["generationConfig"] = config
    return msgspec.json.encode(body)


def _generation(request: Request, candidate: Candidate, tools: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    limits = [limit for limit in (request.max_tokens, candidate.max_tokens) if limit]
    if request.max_tokens:
        config["maxOutputTokens"] = min(limits)
    sampling = {"temperature": request.temperature, "topP": request.top_p, "topK": request.top_k}
    config |= {name: value for name, value in sampling.items() if value is not None}
    if stop := list(dict.fromkeys(filter(None, request.stop))):
        config["stopSequences"] = stop[:MAX_STOP]
    if request.answer_schema and _has_formats(candidate, tools):
        config["responseMimeType"] = "application/json"
        if request.answer_schema != ANY_OBJECT:
            config["responseSchema"] = gemini_schema.answer(request.answer_schema)
    if thinking := thinking_config(request, candidate):
        config["thinkingConfig"] = thinking
    return config


def _has_formats(candidate: Candidate, tools: dict[str, Any]) -> bool:
    """Whether an answer's format may be given: models before generation 3 refuse one beside tools."""
    return not tools.get("tools") or is_current(candidate.target.model)


def _format_in_words(request: Request, candidate: Candidate, tools: dict[str, Any]) -> str:
    if not request.answer_schema or _has_formats(candidate, tools):
        return ""
    if request.answer_schema == ANY_OBJECT:
        return "Answer with one JSON object and nothing else."
    schema = bytes(request.answer_schema).decode()
    return f"Answer with one JSON value of this schema and nothing else:\n{schema}"


def _tools(request: Request, candidate: Candidate) -> dict[str, Any]:
    functions = [_function(tool) for tool in request.tools if not tool.type]
    searches = any(map(_is_search, request.tools))
    forced = _forced(request)
    if forced and _is_search(forced):
        functions = []  # the model is told what it may use, as it cannot be told to
    elif searches and functions and not is_current(candidate.target.model):
        searches = False  # such a model takes one or the other, and the gate has let the search go
    if request.tool_choice and request.tool_choice.type == "any" and not (functions or searches):
        raise BadRequest("tool_choice.type: none of the tools can be passed on to this provider")
    wire: list[dict[str, Any]] = [{"functionDeclarations": functions}] if functions else []
    if searches:
        wire.append({"googleSearch": {}})
    if not wire:
        return {}
    config = _tool_config(request, searches=searches) if functions else {}
    return {"tools": wire} | ({"toolConfig": config} if config else {})


def _is_search(tool: Tool) -> bool:
    return tool.type.startswith("web_search")


def _forced(request: Request) -> Tool | None:
    """The tool that must be used. BadRequest if it cannot be passed on."""
    choice = request.tool_choice
    if choice is None or choice.type != "tool":
        return None
    usable = (tool for tool in request.tools if not tool.type or _is_search(tool))
    found = next((tool for tool in usable if choice.name in {tool.name, tool.type}), None)
    if found is None:
        raise BadRequest(f"tool_choice.name: the tool {choice.name!r} cannot be passed on to this provider")
    return found


def _tool_config(request: Request, *, searches: bool) -> dict[str, Any]:
    """How functions may be called. Beside Google's own tools AUTO is called VALIDATED, and what those did is told."""
    choice = request.tool_choice
    calling: dict[str, Any] = {"mode": _MODES[choice.type]} if choice else {}
    if choice and choice.type == "tool":
        calling["allowedFunctionNames"] = [choice.name]
    config: dict[str, Any] = {}
    if searches:
        config["includeServerSideToolInvocations"] = True
        calling = {"mode": "VALIDATED"} if calling.get("mode", "AUTO") == "AUTO" else calling
    return config | ({"functionCallingConfig": calling} if calling else {})


def _function(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if parameters := gemini_schema.parameters(tool.input_schema):
        function["parameters"] = parameters
    return function
