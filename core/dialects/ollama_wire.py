"""What Ollama's `/api/chat` answers, whole and in lines.

Source: Ollama's API documentation, "Generate a chat completion", "Errors", "Tool calling", "Thinking". `done: true` is
the only terminal marker. An error is a member `error` of an answer or of a line, also under the status 200. Tool calls
are whole, with an object as arguments; older servers give them no id.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from core.dialects.openai_request import arguments
from core.dialects.provider_errors import decode_error
from core.dialects.stops import stop_reason
from core.dialects.tool_ids import safe_id
from core.dialects.usage import believed
from core.messages import StreamError, Usage

NewId = Callable[[], str]
CUT = StreamError("api_error", "the provider's stream ended before done: true")
UNREADABLE = StreamError("api_error", "the provider sent a line that is not readable")
NOTHING_SAID = StreamError("api_error", "the provider loaded or unloaded its model and answered nothing")
NOT_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

#: `done_reason` of an answer to a request without messages: it only moves the model in or out of memory.
_NO_ANSWER = frozenset({"load", "unload"})


class Function(Struct):
    """What is called, and with what."""

    name: str | None = None
    arguments: Raw = Raw()


class Call(Struct):
    """A whole tool call."""

    id: str | None = None
    function: Function | None = None


class Message(Struct):
    """The answer, or a piece of it."""

    content: str | None = None
    thinking: str | None = None
    tool_calls: list[Call] | None = None


class Answer(Struct):
    """A whole answer, a line of one, or an error."""

    model: str | None = None
    message: Message | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: Any = None
    eval_count: Any = None
    error: Raw = Raw()


_answer = msgspec.json.Decoder(Answer).decode


def read_answer(data: bytes) -> Answer:
    """One of `NOT_JSON` if these bytes are no answer."""
    data.decode()  # what is kept raw is not looked into by the reader
    return _answer(data)


def error_of(answer: Answer) -> StreamError | None:
    """The error that an answer or a line is."""
    if answer.error and bytes(answer.error) != b"null":
        return StreamError(*decode_error(500, b'{"error":%b}' % bytes(answer.error)))
    if answer.done and answer.done_reason in _NO_ANSWER:
        return NOTHING_SAID
    return None


def usage_of(answer: Answer, before: Usage) -> Usage:
    """The counts of an answer; Ollama leaves out those that are 0."""
    read, written = believed(answer.prompt_eval_count), believed(answer.eval_count)
    return Usage(input=before.input if read is None else read, output=before.output if written is None else written)


def reason_of(answer: Answer, *, tool_used: bool) -> str:
    """Anthropic's stop_reason. A stop string that matched is not reported: it is an end like any other."""
    return stop_reason(answer.done_reason or "stop", tool_used=tool_used)


class Ids:
    """Ids for the calls of one answer: the server's if it has one that no other call has, else made."""

    def __init__(self, new_id: NewId) -> None:
        self._new_id = new_id
        self._seen: set[str] = set()

    def of(self, call: Call) -> str:
        id = safe_id(call.id or "")
        if not id or id in self._seen:
            id = self._new_id()
        self._seen.add(id)
        return id


def arguments_of(function: Function) -> Raw:
    """Arguments as a JSON object; what is none is kept in one. Some relays of this API send OpenAI's form, a text."""
    sent = bytes(function.arguments)
    if sent.startswith(b"{"):
        return function.arguments
    value = msgspec.json.decode(sent or b"null")
    if value is None or isinstance(value, str):
        return arguments(value)
    return Raw(msgspec.json.encode({"arguments": value}))
