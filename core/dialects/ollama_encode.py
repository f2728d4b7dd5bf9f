"""A request of another dialect as a body of Ollama's `/api/chat`.

Source: Ollama's API documentation, "Generate a chat completion"; "Thinking"; "Context length". What has no form there
is turned into text (`readable`) or left out. A forced tool has none either: then nothing else is on offer, and the
instructions say that it must be called.

The context window is part of the request: without `num_ctx` a server takes its default, 4096 tokens on many machines,
and forgets the beginning of a longer conversation without a word. So it is asked for what the request needs, and told
not to cut (`truncate: false`), which makes what still does not fit an error. `keep_alive` and `shift` are the
operator's: another value than the last one would load the model anew.
"""

from typing import Any

import msgspec
from msgspec import Raw

from core.dialects import ollama_schema
from core.dialects.openai_request import ANY_OBJECT
from core.dialects.readable import as_text, content_text, system_text, without_tags
from core.dialects.stops import effort
from core.dialects.tool_ids import safe_id
from core.errors import BadRequest
from core.exchange import Candidate
from core.messages import Block, Request, Source, Tool

#: Least context that is asked for, in tokens.
MIN_CONTEXT = 8192
#: Room for the answer, in tokens, where the request allows more or does not say: a client's 128 000 would fill the
#: memory of most machines, and an answer may grow into what rounding leaves.
MAX_ALLOWANCE = 8192
#: Our count is of another vocabulary than the model's, and without the words of its template: a quarter more, and so
#: many tokens.
TEMPLATE = 256

_LEVELS = {"low": "low", "minimal": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}


def encode_request(request: Request, candidate: Candidate) -> bytes:
    """BadRequest names the field that cannot be passed on."""
    if "safeguards" in request.fields:
        # The client knows this answer and asks again without the field.
        raise BadRequest("safeguards: cannot be passed on to this provider; send the request without it")
    tools, must = _tools(request)
    body: dict[str, Any] = {
        "model": candidate.target.model,
        "messages": _messages(request, must, thinking=not candidate.drop_thinking),
        "stream": request.stream,
        "truncate": False,
        "options": _options(request, candidate),
    }
    if tools:
        body["tools"] = tools
    if request.answer_schema:
        body["format"] = "json" if request.answer_schema == ANY_OBJECT else request.answer_schema
    if (think := _think(request, candidate)) is not None:
        body["think"] = think
    return msgspec.json.encode(body)


def _options(request: Request, candidate: Candidate) -> dict[str, Any]:
    limits = [limit for limit in (request.max_tokens, candidate.max_tokens) if limit]
    most = min(limits) if request.max_tokens and limits else None
    options: dict[str, Any] = {}
    if tokens := candidate.tokens or request.tokens:
        options["num_ctx"] = context(tokens, most, candidate.context_window)
    if most:
        options["num_predict"] = most
    if request.stop:
        options["stop"] = request.stop
    for name in ("temperature", "top_p", "top_k"):
        if (value := getattr(request, name)) is not None:
            options[name] = value
    return options


def context(tokens: int, most: int | None, window: int | None) -> int:
    """`num_ctx` in tokens for a request of so many, whose answer may have `most`.

    In steps of 2^k and 1.5 · 2^k: a server loads the model anew when it changes, so a conversation must not change it
    with each turn; and memory goes with it, so it must not be twice what is needed.
    """
    needed = tokens + tokens // 4 + TEMPLATE + min(most or MAX_ALLOWANCE, MAX_ALLOWANCE)
    step = MIN_CONTEXT
    while step < needed:
        step = step * 3 // 2 if step & (step - 1) == 0 else step * 4 // 3
    return min(step, window) if window else step


def _think(request: Request, candidate: Candidate) -> bool | str | None:
    """`think`, or None to leave it to the model.

    A model that cannot think refuses `true` (400), so that is said only to one that is known to. Most models take true
    or false, older servers refuse a level for them; gpt-oss takes levels only.
    """
    wanted = effort(request.thinking)
    asked = request.thinking.type in {"enabled", "adaptive"} or bool(wanted)
    if candidate.drop_thinking:
        return None
    if wanted == "none" or request.thinking.type == "disabled" or (request.dialect == "anthropic" and not asked):
        return False  # who says nothing in Anthropic's dialect wants no thinking; here it is on by default
    if not asked or not candidate.thinks:
        return None
    if "gpt-oss" in candidate.target.model.lower():
        return _LEVELS.get(wanted)
    return True


def _tools(request: Request) -> tuple[list[dict[str, Any]], str]:
    """The tools on offer, and an instruction that makes up for a `tool_choice`."""
    choice, functions = request.tool_choice, [tool for tool in request.tools if not tool.type]
    must = ""
    match choice.type if choice else "auto":
        case "none":
            functions = []
        case "any":
            if not functions:
                raise BadRequest("tool_choice.type: none of the tools can be passed on to this provider")
            must = "You must answer with a call of one of your tools."
        case "tool" if choice:
            functions = [tool for tool in functions if tool.name == choice.name]
            if not functions:
                raise BadRequest(f"tool_choice.name: the tool {choice.name!r} cannot be passed on to this provider")
            must = f"You must answer with a call of the tool {choice.name}."
    return [_function(tool) for tool in functions], must


def _function(tool: Tool) -> dict[str, Any]:
    parameters = ollama_schema.parameters(tool.input_schema)
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}


def _messages(request: Request, must: str, *, thinking: bool) -> list[dict[str, Any]]:
    names = {
        block.id: block.name for message in request.messages for block in message.content if block.type == "tool_use"
    }
    messages: list[dict[str, Any]] = []
    if system := "\n\n".join(filter(None, (system_text(request), must))):
        messages.append({"role": "system", "content": system})
    for message, content in zip(request.messages, without_tags(request), strict=True):
        if message.role == "assistant":
            messages += _assistant(content, thinking=thinking)
        elif message.role == "system":
            text = "\n\n".join(filter(None, map(as_text, content)))
            messages += [{"role": "system", "content": text}] if text else []
        else:
            messages += _user_turn(content, names)
    # A request without messages only loads the model.
    return messages or [{"role": "user", "content": "Begin."}]


def _assistant(content: list[Block], *, thinking: bool) -> list[dict[str, Any]]:
    calls = [
        {"id": safe_id(block.id), "function": {"index": index, "name": block.name, "arguments": _arguments(block)}}
        for index, block in enumerate(block for block in content if block.type == "tool_use")
    ]
    text = "\n\n".join(filter(None, (as_text(block) for block in content if block.type != "tool_use")))
    thought = "\n\n".join(block.thinking for block in content if block.type == "thinking" and block.thinking)
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if thought and thinking:  # unsigned here, so another provider's is as good; templates use that of the last turn
        message["thinking"] = thought
    if calls:
        message["tool_calls"] = calls
    return [message] if len(message) > 2 or text else []


def _arguments(block: Block) -> Raw:
    """An object, as the server demands."""
    return block.input if bytes(block.input).lstrip().startswith(b"{") else Raw(b"{}")


def _user_turn(content: list[Block], names: dict[str, str]) -> list[dict[str, Any]]:
    """Tool results first, as they must follow their calls at once; then what the user said."""
    messages = [_result(block, names) for block in content if block.type == "tool_result"]
    said = [block for block in content if block.type != "tool_result"]
    text = "\n\n".join(filter(None, (as_text(block) for block in said if block.type != "image")))
    images = _images(said)
    if not text and not images:
        return messages
    return [*messages, {"role": "user", "content": text} | ({"images": images} if images else {})]


def _result(block: Block, names: dict[str, str]) -> dict[str, Any]:
    text = content_text(block)
    if block.is_error and not text.lower().startswith("error"):
        text = f"Error: {text}"
    message: dict[str, Any] = {"role": "tool", "content": text, "tool_call_id": safe_id(block.tool_use_id)}
    if name := names.get(block.tool_use_id):
        message["tool_name"] = name
    if isinstance(block.content, list) and (images := _images(block.content)):
        message["images"] = images
    return message


def _images(content: list[Block]) -> list[str]:
    return [_image(block.source) for block in content if block.type == "image" and block.source]


def _image(source: Source) -> str:
    """Base64, which is all that Ollama takes; images by URL were fetched before (`core.image_urls`)."""
    if source.type == "base64":
        return source.data
    if source.type == "url":
        raise BadRequest("source.type: 'url' cannot be passed on to this provider; send the image as base64")
    raise BadRequest(f"source.type: {source.type!r} is stored at another provider; send it as base64")
