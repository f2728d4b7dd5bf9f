"""What Gemini answers, whole and in events of a stream: both have the same shape. Any field may be missing or null.

Source: Gemini API reference, "GenerateContentResponse"; what servers really send, from routers' issue trackers.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from core.dialects.openai_wire import NewId, read_error
from core.dialects.usage import believed, read_usage
from core.messages import StreamError, Usage

__all__ = ["CUT", "NOT_JSON", "UNREADABLE", "Answer", "Candidate", "NewId", "Part", "asked_for", "read_answers"]

CUT = StreamError("api_error", "the provider's stream ended before a finishReason")
UNREADABLE = StreamError("api_error", "the provider sent an event that is not readable")
NOT_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_STOP_REASONS = {
    "STOP": "end_turn",
    "MAX_TOKENS": "max_tokens",
    "CONTINUATION": "max_tokens",
}
#: The answer was withheld, or part of it.
_REFUSALS = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "MODEL_ARMOR",
        "ESCALATION",
        "PUP_LIMITED_DISABLED",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
    }
)


class Blob(Struct, rename="camel"):
    """Bytes in base64: a picture that the model made."""

    mime_type: str | None = None


class FunctionCall(Struct):
    """A call, whole. `id` is missing in older answers."""

    id: str | None = None
    name: str | None = None
    args: Raw = Raw()


class Code(Struct):
    """Code that the provider ran, or what came of it."""

    language: str | None = None
    code: str | None = None
    outcome: str | None = None
    output: str | None = None


class Part(Struct, rename="camel"):
    """A piece of an answer: text (a thought's if `thought`), a call, or what the provider's own tools did."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: FunctionCall | None = None
    executable_code: Code | None = None
    code_execution_result: Code | None = None
    inline_data: Blob | None = None
    tool_call: Raw = Raw()
    tool_response: Raw = Raw()


class Content(Struct):
    """The model's turn, or a piece of it."""

    parts: list[Part] | None = None


class Candidate(Struct, rename="camel"):
    """One answer of those asked for."""

    content: Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    index: int | None = None


class Feedback(Struct, rename="camel"):
    """What was thought of the prompt: with a `block_reason` there is no answer."""

    block_reason: str | None = None


class _Counts(Struct, rename="camel"):
    prompt_token_count: Any = None
    cached_content_token_count: Any = None
    candidates_token_count: Any = None
    thoughts_token_count: Any = None
    tool_use_prompt_token_count: Any = None


class Answer(Struct, rename="camel"):
    """A whole answer, an event of a stream, or an error in the place of one."""

    candidates: list[Candidate] | None = None
    prompt_feedback: Feedback | None = None
    usage_metadata: Raw = Raw()
    model_version: str | None = None
    response_id: str | None = None
    error: Raw = Raw()


#: An empty list would be read as an event without words, and those that were due in its place as never said.
_Pieces = Annotated[list[Answer], Meta(min_length=1)]
_read = msgspec.json.Decoder(Answer | _Pieces).decode


def read_answers(data: bytes) -> list[Answer]:
    """A body or an event's data: one answer, or a list of pieces as the endpoint gives without `alt=sse`."""
    read = _read(data)
    return read if isinstance(read, list) else [read]


def asked_for(answer: Answer) -> Candidate | None:
    """The only candidate that anybody here asks for."""
    for each in answer.candidates or ():
        if not each.index:
            return each
    return None


def error_of(answer: Answer) -> StreamError | None:
    """The error that stands in an answer's place."""
    return read_error(answer.error) if answer.error and bytes(answer.error) != b"null" else None


def usage_over(answer: Answer, before: Usage) -> Usage:
    """`before` with what this answer says. Thoughts are output; what tools of the provider's read is input."""
    said = read_usage(answer.usage_metadata, _Counts)
    if said is None:
        return before
    read = _first(said.cached_content_token_count, before.cache_read)
    prompt = believed(said.prompt_token_count)
    tools = _first(said.tool_use_prompt_token_count, 0)
    thoughts = _first(said.thoughts_token_count, before.reasoning)
    spoken = _first(said.candidates_token_count, before.output - before.reasoning)
    return Usage(
        input=before.input if prompt is None else max(0, prompt - read) + tools,
        output=spoken + thoughts,
        cache_read=read,
        reasoning=thoughts,
    )


def _first(said: object, before: int) -> int:
    count = believed(said)
    return before if count is None else count


def ending(candidate: Candidate) -> str | StreamError:
    """Anthropic's stop_reason for a `finishReason`, or the error that it is: a call that nobody can read, a signature
    that was missing. A word that is not known is one, too: it may mean anything but success.
    """
    said = candidate.finish_reason or ""
    if said in _REFUSALS:
        return "refusal"
    reason = _STOP_REASONS.get(said)
    if reason is None:
        why = f": {candidate.finish_message}" if candidate.finish_message else ""
        return StreamError("api_error", f"the provider ended the answer with finishReason {said}{why}")
    return reason


def finished(candidate: Candidate | None) -> bool:
    """Whether this says that the answer is over."""
    return bool(candidate and candidate.finish_reason not in {None, "", "FINISH_REASON_UNSPECIFIED"})
