"""What `responses` of the official `openai` SDK must be able to do: `check(base_url, model)` for each in `CHECKS`.

Behind the server must be the fake provider: the prompts carry its directives. `base_url` is without `/v1`.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest
from anthropic_checks import ALWAYS, HARD_INPUT, LONG, png
from openai_checks import Person, client
from upstream_script import prompt

PARAMETERS = {"type": "object", "properties": {"a": {"type": "string"}}}
TOOL: Any = {"type": "function", "name": "f", "parameters": PARAMETERS, "strict": False}
PATCH: Any = {"type": "custom", "name": "apply_patch", "description": "Edit files."}
AGENTS: Any = {"type": "namespace", "name": "agents", "description": "Others.", "tools": [TOOL | {"name": "spawn"}]}


def body(model: str, *steps: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": model, "input": [{"role": "user", "content": prompt(*steps)}], "store": False} | fields


def ask(base_url: str, model: str, *steps: dict[str, Any], **fields: Any) -> Any:
    with client(base_url) as sdk:
        return sdk.responses.create(**body(model, *steps, **fields))


def ask_stream(base_url: str, model: str, *steps: dict[str, Any], **fields: Any) -> list[Any]:
    with client(base_url) as sdk:
        return list(sdk.responses.create(**body(model, *steps, **fields), stream=True))


def next_input(asked: dict[str, Any], answer: Any, *outputs: Any) -> list[Any]:
    """The conversation so far: what was asked, everything that the model said, and the outputs of its calls."""
    output = [item.model_dump(exclude_none=True, mode="json") for item in answer.output]
    calls = [item for item in answer.output if item.type in ("function_call", "custom_tool_call")]
    results = [
        {"type": f"{call.type}_output", "call_id": call.call_id, "output": output}
        for call, output in zip(calls, outputs, strict=True)
    ]
    return [*asked["input"], *output, *results]


def said(answer: Any) -> list[Any]:
    """The output without its reasoning, of which some providers give more, and none to read."""
    return [item for item in answer.output if item.type != "reasoning"]


def check_create(base_url: str, model: str) -> None:
    answer = ask(base_url, model, {"text": "héllo ☃", "usage": {"input": 11, "output": 5, "cache_read": 7}})

    assert (answer.output_text, answer.status, answer.object) == ("héllo ☃", "completed", "response")
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (18, 5, 23)
    assert answer.usage.input_tokens_details.cached_tokens in (7, 0)  # Ollama has no word for cached tokens


def check_text_alone_as_input(base_url: str, model: str) -> None:
    answer = ask(base_url, model, input=prompt({"text": "yes"}), instructions="be terse")

    assert answer.output_text == "yes"


def check_stream(base_url: str, model: str) -> None:
    step = {"think": "hm", "text": LONG, "usage": {"input": 11, "output": 5}}
    events = ask_stream(base_url, model, step, reasoning={"effort": "low", "summary": "auto"})

    types = [event.type for event in events]
    assert (types[0], types[-1]) == ("response.created", "response.completed")
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == LONG
    assert "".join(event.delta for event in events if event.type == "response.reasoning_summary_text.delta") == "hm"
    assert events[-1].response.output_text == LONG
    assert events[-1].response.usage.total_tokens == 16


def check_stream_helper(base_url: str, model: str) -> None:
    step = {"text": "calling", "tools": [{"name": "f", "input": HARD_INPUT}, {"name": "f"}], "chunk": 3}
    with client(base_url) as sdk, sdk.responses.stream(**body(model, step, tools=[TOOL])) as stream:
        for _ in stream:
            pass
        check_calls(stream.get_final_response())


def check_parallel_tools(base_url: str, model: str) -> None:
    step = {"text": "calling", "tools": [{"name": "f", "input": HARD_INPUT}, {"name": "f"}]}

    check_calls(ask(base_url, model, step, tools=[TOOL]))


def check_calls(answer: Any) -> None:
    """Two calls of `f` beside a text."""
    calls = [item for item in answer.output if item.type == "function_call"]
    assert [json.loads(call.arguments) for call in calls] == [HARD_INPUT, {}]
    assert [call.name for call in calls] == ["f", "f"]
    assert calls[0].call_id != calls[1].call_id
    assert (answer.output_text, answer.status) == ("calling", "completed")


def check_tool_round_trip(base_url: str, model: str) -> None:
    """Three turns with reasoning: one call, two at once with a picture and an error among their outputs, the end."""
    steps: list[dict[str, Any]] = [
        {"think": "first", "tool": "f", "input": {"a": "b"}},
        {"think": "second", "text": "so", "tools": [{"name": "f", "input": HARD_INPUT}, {"name": "f"}]},
        {"text": "done"},
    ]
    asked = body(model, *steps, tools=[TOOL], reasoning={"effort": "low"}, include=["reasoning.encrypted_content"])
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{png(4, 4)}", "detail": "auto"}
    with client(base_url) as sdk:
        first = sdk.responses.create(**asked)
        asked["input"] = next_input(asked, first, "result")
        second = sdk.responses.create(**asked)
        seen = [{"type": "input_text", "text": "here"}, picture]
        asked["input"] = next_input(asked, second, seen, "Error: no such file")
        third = sdk.responses.create(**asked)

    assert second.output[0].summary[0].text == "second"
    assert [item.type for item in said(second)] == ["message", "function_call", "function_call"]
    assert third.output_text == "done"


def check_tools_of_codex(base_url: str, model: str) -> None:
    """A free text and a function of a namespace are called as such, and their outputs are taken."""
    patch = '*** Begin Patch\n☃ "x"\n'
    steps = ({"tool": "apply_patch", "input": {"input": patch}}, {"text": "done"})
    for ask_one in (ask, lambda *args, **fields: ask_stream(*args, **fields)[-1].response):
        asked = body(model, *steps, tools=[PATCH, AGENTS])
        answer = ask_one(base_url, model, *steps, tools=[PATCH, AGENTS])
        [call] = said(answer)
        assert (call.type, call.name, call.input) == ("custom_tool_call", "apply_patch", patch)
        assert ask(base_url, model, input=next_input(asked, answer, "ok"), tools=[PATCH, AGENTS]).output_text == "done"


def check_structured_output(base_url: str, model: str) -> None:
    with client(base_url) as sdk:
        asked = body(model, {"json": {"name": "Ada", "age": 36}})
        answer = sdk.responses.parse(**asked, text_format=Person)

    assert answer.output_parsed == Person(name="Ada", age=36)


def check_image(base_url: str, model: str) -> None:
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{png(20, 10)}", "detail": "low"}
    content = [image, {"type": "input_text", "text": prompt({"text": "white"})}]

    assert ask(base_url, model, input=[{"role": "user", "content": content}]).output_text == "white"


def check_thinking(base_url: str, model: str) -> None:
    fields = {"reasoning": {"effort": "low", "summary": "auto"}, "max_output_tokens": 5000}
    answer = ask(base_url, model, {"think": "deep thoughts", "text": "so"}, **fields)

    assert (answer.output[0].type, answer.output[0].summary[0].text) == ("reasoning", "deep thoughts")
    assert answer.output[0].encrypted_content
    assert [item.content[0].text for item in said(answer)] == ["so"]


def check_developer_role(base_url: str, model: str) -> None:
    sent = [{"role": "developer", "content": "be terse"}, {"role": "user", "content": prompt({"text": "yes"})}]

    assert ask(base_url, model, input=sent).output_text == "yes"


def check_length(base_url: str, model: str) -> None:
    answer = ask(base_url, model, {"text": "cut", "stop": "length"})
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    events = ask_stream(base_url, model, {"text": "cut", "stop": "length"})
    assert events[-1].type == "response.incomplete"


def check_retry(base_url: str, model: str) -> None:
    """Whoever it is that tries again: the client gets its answer."""
    step = {"status": 429, "retry_after": 0.01, "text": "after the 429"}
    with client(base_url, max_retries=2) as sdk:
        assert sdk.responses.create(**body(model, step)).output_text == "after the 429"


def check_error_400(base_url: str, model: str) -> None:
    why = "this model's maximum context length is 128000 tokens"
    with pytest.raises(openai.BadRequestError) as caught:
        ask(base_url, model, {"status": 400, "times": ALWAYS, "message": why})

    error: Any = caught.value.body
    assert why in error["message"]


def check_error_429(base_url: str, model: str) -> None:
    with pytest.raises(openai.RateLimitError):
        ask(base_url, model, {"status": 429, "times": ALWAYS, "text": "429"})


def check_midstream_error(base_url: str, model: str) -> None:
    with pytest.raises(openai.APIError) as caught:
        ask_stream(base_url, model, {"text": LONG * 9, "fault": "midstream_error", "times": ALWAYS})

    assert not isinstance(caught.value, openai.APIConnectionError)


def check_truncation_is_seen(base_url: str, model: str) -> None:
    """A stream that breaks off after content is an error, or ends without its end: never a success."""
    for fault in ("disconnect", "truncate"):
        try:
            events = ask_stream(base_url, model, {"text": LONG * 9, "fault": fault, "times": ALWAYS})
        except (openai.APIError, httpx2.TransportError):
            continue
        assert not any(event.type == "response.completed" for event in events), f"{fault}: ended as if complete"


def check_twenty_streams_at_once(base_url: str, model: str) -> None:
    async def one(sdk: openai.AsyncOpenAI, text: str) -> str:
        stream: Any = await sdk.responses.create(**body(model, {"text": text, "chunk_delay": 0.01}), stream=True)
        return "".join([event.delta async for event in stream if event.type == "response.output_text.delta"])

    async def all_of(wanted: list[str]) -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{base_url}/v1", api_key="k") as sdk:
            return await asyncio.gather(*(one(sdk, text) for text in wanted))

    wanted = [f"reply number {number} of many words" for number in range(20)]
    assert asyncio.run(all_of(wanted)) == wanted


CHECKS: list[Callable[[str, str], None]] = [
    check_create,
    check_text_alone_as_input,
    check_stream,
    check_stream_helper,
    check_parallel_tools,
    check_tool_round_trip,
    check_tools_of_codex,
    check_structured_output,
    check_image,
    check_thinking,
    check_developer_role,
    check_length,
    check_retry,
    check_error_400,
    check_error_429,
    check_midstream_error,
    check_truncation_is_seen,
    check_twenty_streams_at_once,
]
