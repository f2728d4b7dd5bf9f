"""What the official `anthropic` SDK must be able to do with a server: `check(base_url, model)` for each in `CHECKS`.

Behind the server must be the fake provider: the prompts carry its directives.
"""

import asyncio
import base64
import struct
import zlib
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import pydantic
import pytest
from upstream_script import prompt

TOOL: Any = {"name": "f", "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
HARD_INPUT = {"a": 'x"y\\z ☃\n', "n": 1.5, "deep": [1, None, {"k": []}]}
LONG = "one two three four five six seven eight nine ten"
#: How often a failure must come to outlast every retry and fallback on the way.
ALWAYS = 99


class Person(pydantic.BaseModel):
    name: str
    age: int


def client(base_url: str, max_retries: int = 0) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=base_url, api_key="sk-client", max_retries=max_retries)


def ask(base_url: str, model: str, *steps: dict[str, Any], **fields: Any) -> anthropic.types.Message:
    with client(base_url) as sdk:
        message: anthropic.types.Message = sdk.messages.create(**body(model, *steps, **fields))
        return message


def body(model: str, *steps: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 1000, "messages": [{"role": "user", "content": prompt(*steps)}]} | fields


def texts(message: Any) -> list[str]:
    return [block.text for block in message.content if block.type == "text"]


def png(width: int, height: int) -> str:
    """A sound white picture in base64."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))]
    parts += [(b"IDAT", zlib.compress((b"\0" + b"\xff" * width) * height)), (b"IEND", b"")]
    framed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(framed)).decode()


def check_create(base_url: str, model: str) -> None:
    message = ask(base_url, model, {"text": "héllo ☃", "usage": {"input": 11, "output": 5, "cache_read": 7}})

    assert (texts(message), message.stop_reason, message.role) == (["héllo ☃"], "end_turn", "assistant")
    usage = (message.usage.input_tokens, message.usage.output_tokens, message.usage.cache_read_input_tokens)
    assert usage in ((11, 5, 7), (18, 5, 0))  # Ollama has no word for cached tokens


def check_raw_stream(base_url: str, model: str) -> None:
    with client(base_url) as sdk:
        events = list(sdk.messages.create(**body(model, {"think": "hm", "text": LONG}), stream=True))

    kinds = [event.type for event in events if event.type != "ping"]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert (
        "".join(e.delta.text for e in events if e.type == "content_block_delta" and e.delta.type == "text_delta")
        == LONG
    )


def check_stream_helper(base_url: str, model: str) -> None:
    with client(base_url) as sdk, sdk.messages.stream(**body(model, {"text": LONG, "usage": {"output": 5}})) as stream:
        heard = "".join(stream.text_stream)
        message = stream.get_final_message()

    assert ([heard], message.usage.output_tokens) == (texts(message), 5)
    assert heard == LONG


def check_parallel_tools(base_url: str, model: str) -> None:
    step = {"text": "calling", "tools": [{"name": "f", "input": HARD_INPUT}, {"name": "f"}], "chunk": 3}

    message = ask(base_url, model, step, tools=[TOOL])

    check_calls(message)


def check_parallel_tools_streamed(base_url: str, model: str) -> None:
    step = {"think": "why", "text": "calling", "tools": [{"name": "f", "input": HARD_INPUT}, {"name": "f"}], "chunk": 3}
    with client(base_url) as sdk, sdk.messages.stream(**body(model, step, tools=[TOOL])) as stream:
        message = stream.get_final_message()

    check_calls(message)


def check_calls(message: Any) -> None:
    """Two calls of `f` after a text, and why it stopped."""
    calls = [block for block in message.content if block.type == "tool_use"]
    assert [call.input for call in calls] == [HARD_INPUT, {}]
    assert [call.name for call in calls] == ["f", "f"]
    assert calls[0].id != calls[1].id
    assert (texts(message), message.stop_reason) == (["calling"], "tool_use")


def check_tool_runner(base_url: str, model: str) -> None:
    asked: list[str] = []

    @anthropic.beta_tool
    def weather(city: str) -> str:
        """Say the weather.

        Args:
            city: where
        """
        asked.append(city)
        return f"sunny in {city}"

    steps = (
        {"tool": "weather", "input": {"city": "Paris"}},
        {"tool": "weather", "input": {"city": "Rome"}},
        {"text": "Sun"},
    )
    with client(base_url) as sdk:
        final = sdk.beta.messages.tool_runner(**body(model, *steps), tools=[weather]).until_done()

    assert (asked, texts(final)) == (["Paris", "Rome"], ["Sun"])


def check_tool_runner_streamed(base_url: str, model: str) -> None:
    @anthropic.beta_tool
    def add(a: int, b: int) -> str:
        """Add."""
        return str(a + b)

    steps = {"tool": "add", "input": {"a": 1, "b": 2}}, {"text": "three"}
    messages = []
    with client(base_url) as sdk:
        for stream in sdk.beta.messages.tool_runner(**body(model, *steps), tools=[add], stream=True):
            for _ in stream:
                pass
            messages.append(stream.get_final_message())

    assert [message.stop_reason for message in messages] == ["tool_use", "end_turn"]
    assert texts(messages[-1]) == ["three"]


def check_structured_output(base_url: str, model: str) -> None:
    with client(base_url) as sdk:
        message = sdk.messages.parse(**body(model, {"json": {"name": "Ada", "age": 36}}), output_format=Person)

    assert message.parsed_output == Person(name="Ada", age=36)


def check_image(base_url: str, model: str) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": png(20, 10)}
    content = [{"type": "image", "source": source}, {"type": "text", "text": prompt({"text": "white"})}]

    assert texts(ask(base_url, model, messages=[{"role": "user", "content": content}])) == ["white"]


def check_thinking(base_url: str, model: str) -> None:
    """Thinking comes as a block of its own, and may be sent back."""
    thinking = {"type": "enabled", "budget_tokens": 1024}
    first = body(
        model, {"think": "deep thoughts", "text": "so"}, {"text": "and on"}, thinking=thinking, max_tokens=4000
    )
    with client(base_url) as sdk:
        message: Any = sdk.messages.create(**first)
        more = [{"role": "assistant", "content": message.content}, {"role": "user", "content": "and?"}]
        second = sdk.messages.create(**(first | {"messages": first["messages"] + more}))

    # A provider may sign its text, too; that is redacted thinking behind it.
    shown = [block.type for block in message.content if block.type != "redacted_thinking"]
    assert shown == ["thinking", "text"]
    assert message.content[0].thinking == "deep thoughts"
    assert texts(second) == ["and on"]


def check_max_tokens(base_url: str, model: str) -> None:
    assert ask(base_url, model, {"text": "cut", "stop": "max_tokens"}).stop_reason == "max_tokens"


def check_retry(base_url: str, model: str) -> None:
    """Whoever it is that tries again: the client gets its answer."""
    step = {"status": 429, "retry_after": 0.01, "text": "after the 429"}
    with client(base_url, max_retries=2) as sdk:
        message = sdk.messages.create(**body(model, step))

    assert texts(message) == ["after the 429"]


def check_error_400(base_url: str, model: str) -> None:
    said = "prompt is too long: 200001 tokens > 200000 maximum"
    with pytest.raises(anthropic.BadRequestError) as caught:
        ask(base_url, model, {"status": 400, "times": ALWAYS, "message": said})

    error: Any = caught.value.body
    assert (error["type"], error["error"]["type"]) == ("error", "invalid_request_error")
    assert said in error["error"]["message"]


def check_error_429(base_url: str, model: str) -> None:
    with pytest.raises(anthropic.RateLimitError) as caught:
        ask(base_url, model, {"status": 429, "times": ALWAYS, "text": "429"})

    error: Any = caught.value.body
    assert error["error"]["type"] == "rate_limit_error"


def check_error_529(base_url: str, model: str) -> None:
    with pytest.raises(anthropic.APIStatusError) as caught:
        ask(base_url, model, {"status": 529, "times": ALWAYS, "text": "529"})

    error: Any = caught.value.body
    assert (caught.value.status_code, error["error"]["type"]) == (529, "overloaded_error")


def check_midstream_error(base_url: str, model: str) -> None:
    with pytest.raises(anthropic.APIError) as caught:
        consume(base_url, model, {"text": LONG * 9, "fault": "midstream_error", "times": ALWAYS})

    assert "connection" not in str(caught.value).lower()


def check_truncation_is_seen(base_url: str, model: str) -> None:
    """A stream that breaks off after content is an error, or ends without a stop reason: never a success."""
    for fault in ("disconnect", "truncate"):
        try:
            message = consume(base_url, model, {"text": LONG * 9, "fault": fault, "times": ALWAYS})
        except (anthropic.APIError, httpx2.TransportError):
            continue
        assert message.stop_reason is None, f"{fault}: ended as if complete"


def consume(base_url: str, model: str, step: dict[str, Any]) -> Any:
    with client(base_url) as sdk, sdk.messages.stream(**body(model, step)) as stream:
        return stream.get_final_message()


def check_twenty_streams_at_once(base_url: str, model: str) -> None:
    async def one(sdk: anthropic.AsyncAnthropic, text: str) -> str:
        async with sdk.messages.stream(**body(model, {"text": text, "chunk_delay": 0.01})) as stream:
            return await stream.get_final_text()

    async def all_of(wanted: list[str]) -> list[str]:
        async with anthropic.AsyncAnthropic(base_url=base_url, auth_token="t", api_key=None) as sdk:  # noqa: S106
            return await asyncio.gather(*(one(sdk, text) for text in wanted))

    wanted = [f"reply number {number} of many words" for number in range(20)]
    assert asyncio.run(all_of(wanted)) == wanted


def check_count_tokens(base_url: str, model: str) -> None:
    def count(words: int) -> int:
        messages: Any = [{"role": "user", "content": "hello " * words}]
        return sdk.messages.count_tokens(model=model, messages=messages, system="x", tools=[TOOL]).input_tokens

    with client(base_url) as sdk:
        assert 0 < count(10) < count(1000)


def check_models(base_url: str, model: str) -> None:
    with client(base_url) as sdk:
        models = list(sdk.models.list())

    assert {each.type for each in models} == {"model"}
    assert all(each.id for each in models)


CHECKS: list[Callable[[str, str], None]] = [
    check_create,
    check_raw_stream,
    check_stream_helper,
    check_parallel_tools,
    check_parallel_tools_streamed,
    check_tool_runner,
    check_tool_runner_streamed,
    check_structured_output,
    check_image,
    check_thinking,
    check_max_tokens,
    check_retry,
    check_error_400,
    check_error_429,
    check_error_529,
    check_midstream_error,
    check_truncation_is_seen,
    check_twenty_streams_at_once,
    check_count_tokens,
    check_models,
]
