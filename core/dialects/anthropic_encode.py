"""A request of another dialect as an Anthropic Messages body.

Source: Anthropic's API reference, "Create a Message", and "Extended thinking" for what may stand beside thinking.
"""

from typing import Any

import msgspec

from core.dialects.anthropic_thinking import MIN_BUDGET, adaptive, takes_adaptive
from core.dialects.openai_request import ANY_OBJECT
from core.dialects.readable import as_text, without_tags
from core.dialects.sealing import opened
from core.dialects.stops import BUDGETS, effort
from core.dialects.subagent import without_tag
from core.dialects.tool_ids import safe_id
from core.dialects.tool_names import LONGEST, fitting
from core.errors import BadRequest
from core.exchange import Candidate
from core.messages import EMPTY_OBJECT, Block, Request, Source, Tool

#: Answer length when an OpenAI client gave none: Anthropic demands one. The candidate's limit bounds it.
DEFAULT_MAX_TOKENS = 8192

#: The version that every model with web search takes.
_SEARCH = {"type": "web_search_20250305", "name": "web_search"}
_REASONING = {"thinking", "redacted_thinking"}
_NO_SCHEMA = {"type": "object", "properties": {}}
_ANSWER_IN_JSON = "Answer with one JSON object and nothing else."


def encode_request(request: Request, candidate: Candidate) -> bytes:
    """BadRequest names the field that cannot be passed on."""
    turns = _turns(request, candidate.target.provider)
    system = [text for block in request.system if (text := without_tag(block.text).strip())]
    if request.answer_schema == ANY_OBJECT:
        system.append(_ANSWER_IN_JSON)
    if not turns:
        # Instructions alone are a legal chat request; Anthropic wants a user turn.
        turns, system = [{"role": "user", "content": [_text("\n\n".join(system) or "Begin.")]}], []
    body: dict[str, Any] = {"model": candidate.target.model, "messages": turns}
    if system:
        body["system"] = [_text(text) for text in system]
    body |= _tools(request)
    body |= _limits(request, candidate, turns)
    if "thinking" not in body:
        for turn in turns:
            turn["content"] = [block for block in turn["content"] if block["type"] not in _REASONING]
    if request.stream:
        body["stream"] = True
    if stop := [each for each in request.stop if each.strip()]:  # whitespace alone is refused
        body["stop_sequences"] = stop
    if request.answer_schema and request.answer_schema != ANY_OBJECT:
        wanted = {"format": {"type": "json_schema", "schema": request.answer_schema}}
        body["output_config"] = body.get("output_config", {}) | wanted
    if request.user:
        body["metadata"] = {"user_id": request.user}
    return msgspec.json.encode(body)


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _limits(request: Request, candidate: Candidate, turns: list[dict[str, Any]]) -> dict[str, Any]:
    """max_tokens, thinking and sampling, which depend on each other.

    With thinking neither temperature nor top_k may be sent; without it temperature goes up to 1, and current models
    take temperature or top_p, not both.
    """
    limit = candidate.max_tokens
    budget = _budget(request, candidate, turns)
    wanted = request.max_tokens or DEFAULT_MAX_TOKENS + budget
    max_tokens = min(wanted, limit) if limit else wanted
    budget = min(budget, max_tokens // 2)  # the other half is for the answer
    if budget >= MIN_BUDGET:
        if takes_adaptive(candidate):
            return {"max_tokens": max_tokens, **adaptive(effort(request.thinking), candidate)}
        return {"max_tokens": max_tokens, "thinking": {"type": "enabled", "budget_tokens": budget}}
    body: dict[str, Any] = {"max_tokens": max_tokens}
    if "sampling" in candidate.without:
        return body
    if request.temperature is not None:
        body["temperature"] = min(request.temperature, 1.0)
    elif request.top_p is not None:
        body["top_p"] = request.top_p
    if request.top_k is not None:
        body["top_k"] = request.top_k
    return body


def _budget(request: Request, candidate: Candidate, turns: list[dict[str, Any]]) -> int:
    """Tokens for thinking, 0 for none.

    None with a forced tool, which excludes thinking, nor within a tool loop whose assistant turn does not begin with
    thinking that this provider had signed: a client of another dialect may have none to send back.
    """
    forced = request.tool_choice is not None and request.tool_choice.type in {"any", "tool"}
    if candidate.drop_thinking or forced or (_loop_lost_thinking(turns) and not takes_adaptive(candidate)):
        return 0
    return BUDGETS.get(effort(request.thinking), 0)


def _loop_lost_thinking(turns: list[dict[str, Any]]) -> bool:
    """Whether a tool loop is under way that does not begin with thinking (see `in_loop_without_thinking`)."""
    first = None
    for turn in reversed(turns):
        if turn["role"] == "assistant":
            first = turn
        elif not any(block["type"] == "tool_result" for block in turn["content"]):
            break
    in_loop = any(block["type"] == "tool_result" for block in turns[-1]["content"])
    return in_loop and (first is None or first["content"][0]["type"] not in _REASONING)


def _tools(request: Request) -> dict[str, Any]:
    choice = request.tool_choice
    tools = [_tool(tool) for tool in request.tools if not tool.type]
    if any(tool.type.startswith("web_search") for tool in request.tools):
        tools.append(_SEARCH)
    if choice and choice.type == "tool" and _name(choice.name) not in {tool["name"] for tool in tools}:
        raise BadRequest(f"tool_choice: the tool {choice.name!r} is not among the functions in tools")
    if not tools:
        if choice and choice.type == "any":
            raise BadRequest("tool_choice: a tool is required, but tools has no function that can be passed on")
        return {}
    body: dict[str, Any] = {"tools": tools}
    if choice:
        wire: dict[str, Any] = {"type": choice.type}
        if choice.type == "tool":
            wire["name"] = _name(choice.name)
        if choice.disable_parallel and choice.type != "none":
            wire["disable_parallel_tool_use"] = True
        body["tool_choice"] = wire
    return body


def _name(name: str) -> str:
    return fitting(name, LONGEST["anthropic"])


def _tool(tool: Tool) -> dict[str, Any]:
    wire: dict[str, Any] = {"name": _name(tool.name)}
    if tool.description:
        wire["description"] = tool.description
    wire["input_schema"] = _NO_SCHEMA if tool.input_schema == EMPTY_OBJECT else tool.input_schema
    return wire


def _turns(request: Request, provider: str) -> list[dict[str, Any]]:
    """User and assistant turns that alternate, beginning with the user's.

    A system message in the middle becomes the user's text in the tags that Claude knows for such: only clients with
    their own beta header may send `role: "system"`, and hoisting it would change its place and break the prompt cache.
    """
    turns: list[dict[str, Any]] = []
    for message, content in zip(request.messages, without_tags(request), strict=True):
        role = "assistant" if message.role == "assistant" else "user"
        said = _reminder(content) if message.role == "system" else content
        blocks = [written for block in said if (written := _block(block, provider))]
        if all(block["type"] in _REASONING for block in blocks):
            continue  # nothing, or thinking alone, which cannot be a turn
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    if turns and turns[0]["role"] == "assistant":
        turns.insert(0, {"role": "user", "content": [_text("Continue.")]})
    for turn in turns:
        # Results must come first in their turn. The sort is stable.
        turn["content"].sort(key=lambda block: block["type"] != "tool_result")
    return _without_trailing_space(turns)


def _reminder(content: list[Block]) -> list[Block]:
    text = "\n\n".join(filter(None, map(as_text, content)))
    return [Block(type="text", text=f"<system-reminder>\n{text}\n</system-reminder>")] if text else []


def _without_trailing_space(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A last assistant turn is the beginning of the answer, and Anthropic refuses one that ends in white space."""
    if turns and turns[-1]["role"] == "assistant" and turns[-1]["content"][-1]["type"] == "text":
        last = turns[-1]["content"][-1]
        last["text"] = last["text"].rstrip()
    return turns


def _block(block: Block, provider: str) -> dict[str, Any] | None:
    match block.type:
        case "text":
            return _text(block.text)
        case "image" | "document" if block.source:
            return {"type": block.type, "source": _source(block.source)}
        case "tool_use":
            return {"type": "tool_use", "id": safe_id(block.id), "name": _name(block.name), "input": block.input}
        case "tool_result":
            return _result(block, provider)
        case "thinking" if signature := opened(block.signature, provider):
            return {"type": "thinking", "thinking": block.thinking, "signature": signature}
        case "redacted_thinking" if data := opened(block.data, provider):
            return {"type": "redacted_thinking", "data": data}
        case "input_audio" | "video_url":
            raise BadRequest(f"messages: content of type {block.type} cannot be passed on to this provider")
    text = as_text(block)  # other thinking gives none: what this provider had not signed it would refuse
    return _text(text) if text else None


def _result(block: Block, provider: str) -> dict[str, Any]:
    content: Any = block.content
    if isinstance(content, list):
        content = [
            written for each in content if (written := _block(each, provider)) and written.get("text", "x").strip()
        ]
    wire: dict[str, Any] = {"type": "tool_result", "tool_use_id": safe_id(block.tool_use_id)}
    if content:
        wire["content"] = content
    if block.is_error:
        wire["is_error"] = True
    return wire


def _source(source: Source) -> dict[str, str]:
    if source.type == "base64":
        return {"type": "base64", "media_type": source.media_type, "data": source.data}
    if source.type == "url":
        return {"type": "url", "url": source.url}
    raise BadRequest(f"messages: the file {source.file_id!r} is stored at another provider; send it as a data URL")
