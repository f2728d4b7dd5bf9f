"""What OpenAI Chat Completions answers, whole and in chunks, as its many servers really send it.

Every field may be null or missing. `reasoning` is OpenRouter's name for DeepSeek's `reasoning_content`.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from core.dialects.openai_reasoning import read_entries, text_of_entries
from core.dialects.usage import OpenAIUsage, read_usage
from core.errors import STATUS_OF_TYPE, type_of_status
from core.messages import StreamError, Usage

NewId = Callable[[], str]
DONE = b"[DONE]"
CUT = StreamError("api_error", "the provider's stream ended before a finish_reason")
UNREADABLE = StreamError("api_error", "the provider sent a chunk that is not readable")

NOT_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
#: Words in `finish_reason` for an answer that did not come to its end (OpenRouter, Mistral; vLLM, SGLang).
NO_END = frozenset({"error", "abort", "aborted", "cancelled", "canceled"})


class Part(Struct):
    """A piece of a content list; `type` text, or thinking (Mistral), whose text is nested once more."""

    type: str = ""
    text: str | None = None
    thinking: "list[Part] | str | None" = None


class Function(Struct):
    """The name once, the arguments in pieces or whole; some servers send them as an object."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class ToolCall(Struct):
    """A call or a piece of one. `index` may be missing, `id` may change from piece to piece."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Delta(Struct):
    """A message or a piece of one."""

    content: str | list[Part] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: Raw = Raw()
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None


class Choice(Struct):
    """`stop_reason` is the matched stop string of vLLM and its relatives (or a token number)."""

    index: int = 0
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    error: Raw = Raw()


class XGroq(Struct):
    """Where Groq puts usage that was not asked for."""

    usage: Raw = Raw()


class Answer(Struct):
    """A completion, a chunk of one, or an error inside a 200."""

    id: str | None = None
    model: str | None = None
    choices: list[Choice] | None = None
    usage: Raw = Raw()
    x_groq: XGroq | None = None
    error: Raw = Raw()
    object: str | None = None
    message: str | None = None
    code: str | int | None = None


read_answer = msgspec.json.Decoder(Answer).decode


def usage_of(answer: Answer) -> Usage | None:
    """The usage that an answer or a chunk carries."""
    said = read_usage(answer.usage, OpenAIUsage)
    if said is None and answer.x_groq:
        said = read_usage(answer.x_groq.usage, OpenAIUsage)
    return said.neutral() if said else None


def asked_for(answer: Answer) -> Choice | None:
    """The only choice that anybody here asks for: the one with index 0."""
    return next((each for each in answer.choices or () if each.index == 0), None)


def says(piece: Delta) -> bool:
    """Whether a message or a piece of one carries anything of the answer."""
    return bool(text_of(piece.content) or thinking_of(piece) or piece.refusal or piece.tool_calls)


_TYPE_OF_CODE = {"rate_limit_exceeded": "rate_limit_error", "context_length_exceeded": "invalid_request_error"}


class _Error(Struct):
    message: str | None = None
    type: str | None = None
    code: str | int | float | None = None


def error_of(answer: Answer) -> StreamError | None:
    """The error that an answer carries: at its top, in its choice (OpenRouter), or as itself (vLLM)."""
    if answer.error and bytes(answer.error) != b"null":
        return read_error(answer.error)
    if answer.object == "error":
        return StreamError(_type_of(None, answer.code), answer.message or "the provider reported an error")
    for choice in answer.choices or ():
        if choice.error and bytes(choice.error) != b"null":
            return read_error(choice.error)
        if choice.finish_reason in NO_END:
            return StreamError("api_error", f"the provider ended the answer with finish_reason {choice.finish_reason}")
    return None


def named_error(event: str, answer: Answer) -> StreamError | None:
    """The error that an SSE event is by its name alone."""
    if event != "error":
        return None
    return StreamError(_type_of(None, answer.code), answer.message or "the provider reported an error")


def read_error(raw: Raw) -> StreamError:
    """An `error` member: an object, or a bare string."""
    try:
        error = msgspec.json.decode(raw, type=_Error | str)
    except msgspec.ValidationError:
        return StreamError("api_error", "the provider reported an error")
    if isinstance(error, str):
        return StreamError("api_error", error)
    return StreamError(_type_of(error.type, error.code), error.message or "the provider reported an error")


def _type_of(type: str | None, code: object) -> str:
    """Anthropic's error type: by its own name, by an HTTP status in `code`, by OpenAI's names."""
    if type in STATUS_OF_TYPE:
        return type or ""
    status = str(code or "").partition(".")[0]
    if status.isdigit() and 400 <= int(status) < 600:
        return type_of_status(int(status))
    return _TYPE_OF_CODE.get(str(code), "api_error")


def text_of(content: str | list[Part] | None) -> str:
    """The text of a content string or list."""
    if isinstance(content, list):
        return "".join(part.text or "" for part in content if part.type in {"text", "output_text"})
    return content or ""


def thinking_of(delta: Delta) -> str:
    """The reasoning of a message or a piece of one; servers that send both names send it twice."""
    said = delta.reasoning_content or delta.reasoning
    if not said and delta.reasoning_details:
        said = text_of_entries(read_entries(delta.reasoning_details))
    if said or not isinstance(delta.content, list):
        return said or ""
    nested = (part.thinking for part in delta.content if part.type == "thinking")
    return "".join(each if isinstance(each, str) else text_of(each) for each in nested)


def arguments_text(arguments: str | dict[str, Any] | None) -> str:
    """Arguments as JSON text."""
    if isinstance(arguments, dict):
        return msgspec.json.encode(arguments).decode()
    return arguments or ""
