"""What the official `openai` SDK must be able to do with a server: `check(base_url, model)` for each in `CHECKS`.

Behind the server must be the fake provider: the prompts carry its directives. `base_url` is without `/v1`.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pydantic
import pytest
from anthropic_checks import ALWAYS, HARD_INPUT, LONG, png
from upstream_script import prompt

TOOL: Any = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}},
}


class Person(pydantic.BaseModel):
    name: str
    age: int


def client(base_url: str, max_retries: int = 0) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{base_url}/v1", api_key="sk-client", max_retries=max_retries)


def body(model: str, *steps: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": prompt(*steps)}]} | fields


def ask(base_url: str, model: str, *steps: dict[str, Any], **fields: Any) -> Any:
    with client(base_url) as sdk:
        return sdk.chat.completions.create(**body(model, *steps, **fields))


def check_create(base_url: str, model: str) -> None:
    answer = ask(base_url, model, {"text": "héllo ☃", "usage": {"input": 11, "output": 5, "cache_read": 7}})

    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("héllo ☃", "stop")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (18, 5, 23)
    assert answer.usage.prompt_tokens_details.cached_tokens in (7, 0)  # Ollama has no word for cached tokens


def check_stream(base_url: str, model: str) -> None:
    step = {"think": "hm", "text": LONG, "usage": {"input": 11, "output": 5}}
    with client(base_url) as sdk:
        options = {"include_usage": True}
        chunks: list[Any] = list(sdk.chat.completions.create(**body(model, step), stream=True, stream_options=options))  # type: ignore[call-overload]

    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == LONG
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == [16]
    assert len({chunk.id for chunk in chunks}) == 1


def check_stream_without_usage(base_url: str, model: str) -> None:
    """Who did not ask for usage gets no chunk without a choice: some clients index into it."""
    chunks: list[Any] = ask_stream(base_url, model, {"text": "plain"})

    assert all(chunk.choices for chunk in chunks)


def ask_stream(base_url: str, model: str, *steps: dict[str, Any], **fields: Any) -> list[Any]:
    with client(base_url) as sdk:
        return list(sdk.chat.completions.create(**body(model, *steps, **fields), stream=True))


def check_parallel_tools(base_url: str, model: str) -> None:
    step = {"text": "calling", "tools": [{"name": "f", "input": HARD_INPUT}, {"name": "f"}]}

    check_calls(ask(base_url, model, step, tools=[TOOL]).choices[0])


def check_parallel_tools_streamed(base_url: str, model: str) -> None:
    step = {"text": "calling", "tools": [{"name": "f", "input": HARD_INPUT}, {"name": "f"}], "chunk": 3}
    with client(base_url) as sdk, sdk.chat.completions.stream(**body(model, step, tools=[TOOL])) as stream:
        for _ in stream:
            pass
        check_calls(stream.get_final_completion().choices[0])


def check_calls(choice: Any) -> None:
    """Two calls of `f` beside a text, and why it stopped."""
    calls = choice.message.tool_calls
    assert [json.loads(call.function.arguments) for call in calls] == [HARD_INPUT, {}]
    assert [call.function.name for call in calls] == ["f", "f"]
    assert calls[0].id != calls[1].id
    assert (choice.message.content, choice.finish_reason) == ("calling", "tool_calls")


def check_tool_round_trip(base_url: str, model: str) -> None:
    first = body(model, {"tool": "f", "input": {"a": "b"}}, {"text": "done"}, tools=[TOOL])
    with client(base_url) as sdk:
        message: Any = sdk.chat.completions.create(**first).choices[0].message
        result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "result"}
        history = [*first["messages"], message.model_dump(exclude_none=True), result]
        second = sdk.chat.completions.create(**(first | {"messages": history}))

    assert second.choices[0].message.content == "done"


def check_structured_output(base_url: str, model: str) -> None:
    with client(base_url) as sdk:
        answer = sdk.chat.completions.parse(**body(model, {"json": {"name": "Ada", "age": 36}}), response_format=Person)

    assert answer.choices[0].message.parsed == Person(name="Ada", age=36)


def check_image(base_url: str, model: str) -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png(20, 10)}"}}
    content = [image, {"type": "text", "text": prompt({"text": "white"})}]

    answer = ask(base_url, model, messages=[{"role": "user", "content": content}])
    assert answer.choices[0].message.content == "white"


def check_thinking(base_url: str, model: str) -> None:
    fields = {"reasoning_effort": "low", "max_completion_tokens": 500}
    answer = ask(base_url, model, {"think": "deep thoughts", "text": "so"}, **fields)

    assert answer.choices[0].message.content == "so"
    assert answer.choices[0].message.reasoning_content == "deep thoughts"


def check_developer_role(base_url: str, model: str) -> None:
    messages = [{"role": "developer", "content": "be terse"}, {"role": "user", "content": prompt({"text": "yes"})}]

    assert ask(base_url, model, messages=messages).choices[0].message.content == "yes"


def check_length(base_url: str, model: str) -> None:
    assert ask(base_url, model, {"text": "cut", "stop": "length"}).choices[0].finish_reason == "length"


def check_retry(base_url: str, model: str) -> None:
    """Whoever it is that tries again: the client gets its answer."""
    step = {"status": 429, "retry_after": 0.01, "text": "after the 429"}
    with client(base_url, max_retries=2) as sdk:
        answer = sdk.chat.completions.create(**body(model, step))

    assert answer.choices[0].message.content == "after the 429"


def check_error_400(base_url: str, model: str) -> None:
    said = "this model's maximum context length is 128000 tokens"
    with pytest.raises(openai.BadRequestError) as caught:
        ask(base_url, model, {"status": 400, "times": ALWAYS, "message": said})

    error: Any = caught.value.body
    assert said in error["message"]
    assert error["type"] == "invalid_request_error"


def check_error_429(base_url: str, model: str) -> None:
    with pytest.raises(openai.RateLimitError):
        ask(base_url, model, {"status": 429, "times": ALWAYS, "text": "429"})


def check_error_529(base_url: str, model: str) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        ask(base_url, model, {"status": 529, "times": ALWAYS, "text": "529"})

    assert caught.value.status_code >= 500


def check_midstream_error(base_url: str, model: str) -> None:
    with pytest.raises(openai.APIError) as caught:
        ask_stream(base_url, model, {"text": LONG * 9, "fault": "midstream_error", "times": ALWAYS})

    assert not isinstance(caught.value, openai.APIConnectionError)


def check_truncation_is_seen(base_url: str, model: str) -> None:
    """A stream that breaks off after content is an error, or ends without a finish reason: never a success."""
    for fault in ("disconnect", "truncate"):
        try:
            chunks = ask_stream(base_url, model, {"text": LONG * 9, "fault": fault, "times": ALWAYS})
        except (openai.APIError, httpx2.TransportError):
            continue
        finishes = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
        assert not any(finishes), f"{fault}: ended as if complete"


def check_twenty_streams_at_once(base_url: str, model: str) -> None:
    async def one(sdk: openai.AsyncOpenAI, text: str) -> str:
        stream: Any = await sdk.chat.completions.create(**body(model, {"text": text, "chunk_delay": 0.01}), stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

    async def all_of(wanted: list[str]) -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{base_url}/v1", api_key="k") as sdk:
            return await asyncio.gather(*(one(sdk, text) for text in wanted))

    wanted = [f"reply number {number} of many words" for number in range(20)]
    assert asyncio.run(all_of(wanted)) == wanted


def check_models(base_url: str, model: str) -> None:
    with client(base_url) as sdk:
        models = list(sdk.models.list())

    assert {each.object for each in models} == {"model"}
    assert all(each.id for each in models)


CHECKS: list[Callable[[str, str], None]] = [
    check_create,
    check_stream,
    check_stream_without_usage,
    check_parallel_tools,
    check_parallel_tools_streamed,
    check_tool_round_trip,
    check_structured_output,
    check_image,
    check_thinking,
    check_developer_role,
    check_length,
    check_retry,
    check_error_400,
    check_error_429,
    check_error_529,
    check_midstream_error,
    check_truncation_is_seen,
    check_twenty_streams_at_once,
    check_models,
]
