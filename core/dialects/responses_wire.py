"""What OpenAI Responses answers, whole and as events, as its servers really send it.

Source: OpenAI's API reference, "The response object" and "Streaming events". Every field may be null or missing.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from core import sse
from core.dialects.usage import ResponsesUsage, read_usage
from core.errors import STATUS_OF_TYPE, type_of_status
from core.messages import StreamError, Usage

CUT = StreamError("api_error", "the provider's stream ended before its response.completed")
UNREADABLE = StreamError("api_error", "the provider sent an event that is not readable")
NOT_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

STARTS = frozenset({"response.created", "response.in_progress", "response.queued"})
#: Events that fill an item.
TEXT = frozenset({"response.output_text.delta", "response.refusal.delta"})
THINKING = frozenset({"response.reasoning_summary_text.delta", "response.reasoning_text.delta"})
CALL = "response.function_call_arguments.delta"
FREE_TEXT = "response.custom_tool_call_input.delta"
FILLS = TEXT | THINKING | {CALL, FREE_TEXT}
#: Events that end an answer which is one.
TERMINAL = frozenset({"response.completed", "response.incomplete"})
#: Why an answer is not complete, in Anthropic's words.
_INCOMPLETE = {"max_output_tokens": "max_tokens", "content_filter": "refusal"}
_TYPE_OF_CODE = {
    "rate_limit_exceeded": "rate_limit_error",
    "server_is_overloaded": "overloaded_error",
    "slow_down": "overloaded_error",
    "insufficient_quota": "billing_error",
    "context_length_exceeded": "invalid_request_error",
    "invalid_prompt": "invalid_request_error",
}


class Part(Struct):
    """A piece of a message or of reasoning."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None


class Action(Struct):
    """What a web search did."""

    type: str = ""
    query: str | None = None
    url: str | None = None


class Item(Struct):
    """An item of the output; `type` says which fields mean something. Fields of other types are not read."""

    type: str = ""
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: Any = None
    input: Any = None
    content: Any = None
    summary: Any = None
    encrypted_content: str | None = None
    action: Any = None


class _Details(Struct):
    reason: str | None = None


class Answer(Struct):
    """A response."""

    object: str = ""
    id: str | None = None
    model: str | None = None
    status: str | None = None
    output: list[Item] | None = None
    usage: Raw = Raw()
    error: Raw = Raw()
    incomplete_details: _Details | None = None

    def used(self) -> Usage | None:
        """The usage that it carries."""
        said = read_usage(self.usage, ResponsesUsage)
        return said.neutral() if said else None


class Event(Struct):
    """The data of any event."""

    type: str = ""
    response: Raw = Raw()
    item: Raw = Raw()
    sequence_number: Any = None
    output_index: int = 0
    summary_index: int = 0
    delta: str | None = None
    text: str | None = None
    refusal: str | None = None
    arguments: str | None = None
    input: str | None = None
    error: Raw = Raw()
    code: str | int | None = None
    message: str | None = None


class _Error(Struct):
    message: str | None = None
    type: str | None = None
    code: str | int | None = None


_decode_event = msgspec.json.Decoder(Event).decode
read_answer = msgspec.json.Decoder(Answer).decode
read_item = msgspec.json.Decoder(Item).decode


def read_event(data: bytes) -> Event | None:
    """The event's data. None if it is not readable."""
    try:
        data.decode()  # what is kept raw is not looked into by the reader
        return _decode_event(data)
    except NOT_JSON:
        return None


def name_of(wire: sse.Event, event: Event) -> str:
    """Its own `type` counts, as SDKs go by it; an event without any is what its name says, or its `error`."""
    return event.type or wire.name or ("error" if says(event.error) else "")


def parts(value: Any) -> list[Part]:
    """A list of parts; what is none is left out."""
    try:
        return msgspec.convert(value or [], list[Part])
    except msgspec.ValidationError:
        return []


def says(error: Raw) -> bool:
    """Whether an `error` member holds one."""
    return bool(error) and bytes(error) != b"null"


def error_of(error: Raw, code: str | int | None = None, message: str | None = None) -> StreamError:
    """An `error` member, or what stands in its place at the top of an event."""
    said = _Error(message, None, code)
    if says(error):
        try:
            found = msgspec.json.decode(error, type=_Error | str)
        except msgspec.ValidationError:
            found = _Error()
        said = found if isinstance(found, _Error) else _Error(found)
    return StreamError(_type_of(said), said.message or "the provider reported an error")


def _type_of(error: _Error) -> str:
    """Anthropic's error type: by its own name, by an HTTP status in `code`, by OpenAI's codes."""
    if error.type in STATUS_OF_TYPE:
        return error.type or ""
    code = str(error.code or "")
    if code.isdigit() and 400 <= int(code) < 600:
        return type_of_status(int(code))
    return _TYPE_OF_CODE.get(code) or _TYPE_OF_CODE.get(error.type or "", "api_error")


def misplaced(event: Event, why: str) -> StreamError:
    """What the client hears of an event of an item that is not open."""
    return StreamError("api_error", f"the provider's stream is broken: item {event.output_index} is {why}")


def failure_of(answer: Answer) -> StreamError | None:
    """The error of a response that is no answer: failed, cancelled, or still under way."""
    if says(answer.error) or answer.status == "failed":
        return error_of(answer.error)
    if answer.status not in {None, "completed", "incomplete"}:
        return StreamError("api_error", f"the provider ended the answer with status {answer.status}")
    return None


def stop_reason(answer: Answer, *, incomplete: bool, tool_used: bool) -> str:
    """Anthropic's stop_reason."""
    if incomplete or answer.status == "incomplete":
        why = answer.incomplete_details.reason if answer.incomplete_details else None
        return _INCOMPLETE.get(why or "", "max_tokens")
    return "tool_use" if tool_used else "end_turn"
