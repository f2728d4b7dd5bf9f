"""The official SDKs in a process of their own: `python -m prove.sdks_client THREADS`.

Reads a JSON list of `Call` from its input; writes a line with a `Got` for each as soon as it has one.
"""

import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Literal

import anthropic
import httpx2
import msgspec
import openai

from prove.chain import Content
from prove.rig import BOUND_S

Json = dict[str, Any]
#: `whole`: not streamed. `stream`: `create(stream=True)`. `helper`: the SDK's own `.stream(…)`, and its final answer.
Way = Literal["whole", "stream", "helper"]
#: What the SDK made of it. `event`: its API error, raised from within a stream. `connection`: its API error for a
#: server that said nothing (its timeout included). `foreign`: any other exception.
How = Literal["answer", "status", "event", "connection", "foreign"]


class Call(msgspec.Struct, frozen=True):
    """One call of a method, with `fields` as its arguments. Without `retries` the SDK does as it usually does."""

    number: int
    sdk: str
    way: Way
    base_url: str
    fields: Json
    retries: int | None = 0


class Got(msgspec.Struct):
    """What became of it: `name` is the exception's class; `told` the error's message as the SDK decoded it; `shown`
    everything else that it shows of an error. `finished`: the answer says that it is whole. `sent` counts requests.
    """

    number: int
    how: How = "answer"
    name: str = ""
    status: int = 0
    told: str = ""
    shown: str = ""
    thinking: str = ""
    text: str = ""
    tool: str = ""
    finished: bool = False
    sent: int = 0
    seconds: float = 0.0

    @property
    def content(self) -> Content:
        """The words."""
        return Content(self.thinking, self.text, self.tool)


_THREAD: Final = threading.local()


def _count(_: object) -> None:
    _THREAD.sent += 1


class Anthropic:
    """Reads with `anthropic`; a client is shared by all threads, as in a program."""

    errors = anthropic

    def __init__(self, base_url: str) -> None:
        http = anthropic.DefaultHttpxClient(event_hooks={"request": [_count]})
        self._sdk = anthropic.Anthropic(api_key="sk-client", base_url=base_url, http_client=http, timeout=BOUND_S)

    def ask(self, call: Call, got: Got) -> None:
        sdk = self._sdk if call.retries is None else self._sdk.with_options(max_retries=call.retries)
        fields: Any = {name: value for name, value in call.fields.items() if name != "stream"}
        match call.way:
            case "whole":
                self._message(sdk.messages.create(**fields), got)
            case "stream":
                with sdk.messages.create(**fields, stream=True) as stream:
                    for event in stream:
                        self._event(event, got)
            case "helper":
                with sdk.messages.stream(**fields) as helper:
                    self._message(helper.get_final_message(), got)

    def _message(self, message: Any, got: Got) -> None:
        for block in message.content:
            match block.type:
                case "text":
                    got.text += block.text
                case "thinking":
                    got.thinking += block.thinking
                case "tool_use":
                    got.tool += msgspec.json.encode(block.input).decode()
        got.finished = message.type == "message" and bool(message.stop_reason)

    def _event(self, event: Any, got: Got) -> None:
        match event.type:
            case "content_block_delta":
                delta = event.delta
                got.text += delta.text if delta.type == "text_delta" else ""
                got.thinking += delta.thinking if delta.type == "thinking_delta" else ""
                got.tool += delta.partial_json if delta.type == "input_json_delta" else ""
            case "message_stop":
                got.finished = True

    def told(self, error: Any) -> object:
        """The message in the error's body."""
        return error.body["error"]["message"]


class OpenAI:
    """Reads with `openai`."""

    errors = openai

    def __init__(self, base_url: str) -> None:
        http = openai.DefaultHttpxClient(event_hooks={"request": [_count]})
        self._sdk = openai.OpenAI(api_key="sk-client", base_url=f"{base_url}/v1", http_client=http, timeout=BOUND_S)

    def ask(self, call: Call, got: Got) -> None:
        sdk = self._sdk if call.retries is None else self._sdk.with_options(max_retries=call.retries)
        fields: Any = {name: value for name, value in call.fields.items() if name != "stream"}
        match call.way:
            case "whole":
                self._completion(sdk.chat.completions.create(**fields), got)
            case "stream":
                with sdk.chat.completions.create(**fields, stream=True) as stream:
                    for chunk in stream:
                        for choice in chunk.choices:
                            self._add(choice.delta, got)
                            got.finished |= bool(choice.finish_reason)
            case "helper":
                with sdk.chat.completions.stream(**fields) as helper:
                    self._completion(helper.get_final_completion(), got)

    def _completion(self, completion: Any, got: Got) -> None:
        [choice] = completion.choices
        self._add(choice.message, got)
        got.finished = bool(choice.finish_reason)

    def _add(self, said: Any, got: Got) -> None:
        got.text += said.content or ""
        got.thinking += getattr(said, "reasoning_content", None) or ""  # not the API's own: the SDK keeps it as it is
        for call in said.tool_calls or ():
            got.tool += call.function.arguments or ""

    def told(self, error: Any) -> object:
        """The message in the error's body, which the SDK has unpacked."""
        return error.body["message"]


class Responses(OpenAI):
    """Reads `responses` with `openai`."""

    def ask(self, call: Call, got: Got) -> None:
        sdk = self._sdk if call.retries is None else self._sdk.with_options(max_retries=call.retries)
        fields: Any = {name: value for name, value in call.fields.items() if name != "stream"}
        match call.way:
            case "whole":
                self._response(sdk.responses.create(**fields), got)
            case "stream":
                with sdk.responses.create(**fields, stream=True) as stream:
                    for event in stream:
                        self._event(event, got)
            case "helper":
                with sdk.responses.stream(**fields) as helper:
                    for event in helper:
                        self._failure(event)
                    self._response(helper.get_final_response(), got)

    def _response(self, response: Any, got: Got) -> None:
        for item in response.output:
            match item.type:
                case "message":
                    got.text += "".join(part.text for part in item.content)
                case "reasoning":
                    got.thinking += "".join(part.text for part in item.summary)
                case "function_call":
                    got.tool += item.arguments
        got.finished = response.status == "completed"

    def _event(self, event: Any, got: Got) -> None:
        self._failure(event)
        match event.type:
            case "response.output_text.delta":
                got.text += event.delta
            case "response.reasoning_summary_text.delta":
                got.thinking += event.delta
            case "response.function_call_arguments.delta":
                got.tool += event.delta
            case "response.completed":
                got.finished = event.response.status == "completed"

    def _failure(self, event: Any) -> None:
        """A failed response is an event like any other to the SDK: whoever reads it must look."""
        if event.type == "response.failed":
            request = httpx2.Request("POST", "http://provider.invalid")
            raise openai.APIError(event.response.error.message, request, body=event.response.error.to_dict())


SDKS: Final[dict[str, type[Anthropic | OpenAI]]] = {
    "anthropic": Anthropic,
    "openai": OpenAI,
    "openai-responses": Responses,
}


def ask(sdk: Anthropic | OpenAI, call: Call) -> Got:
    """One call, whatever it ends with."""
    got, _THREAD.sent, begun = Got(call.number), 0, time.monotonic()
    try:
        sdk.ask(call, got)
    except Exception as exc:  # noqa: BLE001 - which exceptions there are is the question
        _failed(sdk, exc, got)
    got.sent, got.seconds = _THREAD.sent, time.monotonic() - begun
    return got


def _failed(sdk: Anthropic | OpenAI, exc: Exception, got: Got) -> None:
    errors: Any = sdk.errors
    got.name = f"{type(exc).__module__.partition('.')[0]}.{type(exc).__name__}"
    got.shown = f"{exc!r} {getattr(exc, 'body', '')!r}"
    if isinstance(exc, errors.APIConnectionError):
        got.how = "connection"
    elif isinstance(exc, errors.APIResponseValidationError) or not isinstance(exc, errors.APIError):
        got.how = "foreign"  # the SDK could not read the answer
    else:
        got.status = getattr(exc, "status_code", 200)
        got.how = "status" if got.status != 200 else "event"
        try:
            got.told = str(sdk.told(exc) or "")
        except (KeyError, TypeError):
            got.told = ""


def main() -> None:
    """The command line."""
    # `usage_huge`: 1e30 tokens are no integer, which pydantic mentions while the SDK copies them.
    warnings.filterwarnings("ignore", "Pydantic serializer warnings")
    calls = msgspec.json.decode(sys.stdin.buffer.read(), type=list[Call])
    readers = {(call.sdk, call.base_url): SDKS[call.sdk](call.base_url) for call in calls}
    lock = threading.Lock()

    def work(call: Call) -> None:
        line = msgspec.json.encode(ask(readers[call.sdk, call.base_url], call)) + b"\n"
        with lock:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()

    with ThreadPoolExecutor(int(sys.argv[1])) as threads:
        list(threads.map(work, calls))


if __name__ == "__main__":
    main()
