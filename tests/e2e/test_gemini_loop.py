"""Tool loops of four turns with Gemini behind the proxy, which refuses what the real one does: lost signatures, too."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from proxy import RunningProxy, running
from upstream import Upstream
from upstream_script import prompt
from upstream_wire import signature

from core.dialects.gemini_carried import STAND_IN
from strict.gemini import problems

CONFIG = """\
[providers.g]
dialect = "gemini"
base_url = "{url}/v1beta"
allow_private = true
any_model = true
api_key = {{ env = "G_KEY" }}
[routing]
default = "g,gemini-3-pro-preview"
[plugins]
dir = "plugins"
[taxonomy]
dir = "taxonomy"
"""
TOOLS: dict[str, Any] = {
    "look": {"type": "object", "properties": {"at": {"type": ["string", "null"]}}, "additionalProperties": False},
    "count": {"$schema": "x", "type": "object", "properties": {"n": {"type": "integer", "exclusiveMinimum": 0}}},
    "rest": {"type": "object", "properties": {}},
}
STEPS: list[dict[str, Any]] = [
    {"think": "where?", "tool": "look", "input": {"at": "a ☃"}},
    {"text": "both", "tools": [{"name": "count", "input": {"n": 2}}, {"name": "rest"}]},
    {"tool": "rest"},
    {"think": "so", "text": "it is done"},
]
PICTURE = base64.b64encode(b"\x89PNG").decode()


@pytest.fixture(scope="module")
def proxy(
    fake: Upstream, session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningProxy]:
    folder: Path = tmp_path_factory.mktemp("config")
    for name in ("plugins", "taxonomy"):
        (folder / name).mkdir()
    (folder / "config.toml").write_text(CONFIG.format(url=fake.url))
    fake.judge = problems
    with running({**session_env, "G_KEY": "sk-gemini"}, "--config", str(folder / "config.toml")) as started:
        yield started


@pytest.fixture
def sent(fake: Upstream, proxy: RunningProxy) -> list[Any]:
    """What the provider was sent since the test began."""
    fake.requests.clear()
    return fake.requests


def signed(sent: list[Any]) -> list[tuple[str, str | None]]:
    """Names and signatures of the calls in the last request, in their order."""
    parts = [part for turn in sent[-1].json["contents"] for part in turn["parts"]]
    return [(part["functionCall"]["name"], part.get("thoughtSignature")) for part in parts if "functionCall" in part]


CALLED = ["look", "count", "rest", "rest"]
KEPT = [("look", signature("look")), ("count", signature("count")), ("rest", None), ("rest", signature("rest"))]
LOST = [("look", STAND_IN), ("count", STAND_IN), ("rest", None), ("rest", STAND_IN)]


@pytest.mark.parametrize("model", ["g,gemini-3-pro-preview", "g,gemini-2.5-flash"])
@pytest.mark.parametrize("streamed", [False, True])
def test_an_anthropic_client_gets_through_and_gives_everything_back(
    proxy: RunningProxy, sent: list[Any], model: str, *, streamed: bool
) -> None:
    messages: list[Any] = [{"role": "user", "content": prompt(*STEPS)}]
    tools: Any = [{"name": name, "input_schema": schema} for name, schema in TOOLS.items()]
    fields: Any = {"model": model, "max_tokens": 4000, "tools": tools, "thinking": {"type": "adaptive"}}
    called: list[str] = []
    answer: Any = None
    with anthropic.Anthropic(base_url=proxy.url, api_key="k", max_retries=0) as client:
        while answer is None or answer.stop_reason == "tool_use":
            if streamed:
                with client.messages.stream(messages=messages, **fields) as stream:
                    answer = stream.get_final_message()
            else:
                answer = client.messages.create(messages=messages, **fields)
            calls = [block for block in answer.content if block.type == "tool_use"]
            called += [call.name for call in calls]
            picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}}
            content: Any = [{"type": "text", "text": "ok"}, picture]
            results = [{"type": "tool_result", "tool_use_id": call.id, "content": content} for call in calls]
            messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results[::-1]}]

    assert (called, len(sent)) == (CALLED, 4)
    assert [block.text for block in answer.content if block.type == "text"] == ["it is done"]
    assert signed(sent) == KEPT


@pytest.mark.parametrize("streamed", [False, True])
def test_a_chat_client_that_keeps_only_its_calls_gets_through(
    proxy: RunningProxy, sent: list[Any], *, streamed: bool
) -> None:
    """As most are: reasoning is not sent back, so that Google's stand-in takes the place of the signatures."""
    messages: list[Any] = [{"role": "user", "content": prompt(*STEPS)}]
    called: list[str] = []
    text = ""
    with openai.OpenAI(base_url=f"{proxy.url}/v1", api_key="k", max_retries=0) as client:
        while not text.endswith("done"):
            calls, text = chat(client, messages, streamed=streamed)
            called += [call["function"]["name"] for call in calls]
            messages.append({"role": "assistant", "content": text or None, **({"tool_calls": calls} if calls else {})})
            messages += [{"role": "tool", "tool_call_id": call["id"], "content": "ok"} for call in calls]

    assert (called, len(sent), text) == (CALLED, 4, "it is done")
    assert signed(sent) == LOST


def chat(client: Any, messages: list[Any], *, streamed: bool) -> tuple[list[Any], str]:
    """The calls and the text of an answer."""
    tools: Any = [{"type": "function", "function": {"name": n, "parameters": schema}} for n, schema in TOOLS.items()]
    fields: Any = {"model": "g,gemini-3-pro-preview", "messages": messages, "tools": tools, "reasoning_effort": "low"}
    if not streamed:
        message = client.chat.completions.create(**fields).choices[0].message
        return [call.model_dump(exclude_none=True) for call in message.tool_calls or ()], message.content or ""
    calls: list[Any] = []
    text = ""
    for chunk in client.chat.completions.create(**fields, stream=True):
        delta = chunk.choices[0].delta if chunk.choices else None
        text += (delta and delta.content) or ""
        for piece in (delta and delta.tool_calls) or ():
            if piece.id:
                calls.append(
                    {"id": piece.id, "type": "function", "function": {"name": piece.function.name, "arguments": ""}}
                )
            calls[-1]["function"]["arguments"] += piece.function.arguments or ""
    return calls, text


def test_the_provider_would_have_refused(proxy: RunningProxy, sent: list[Any]) -> None:
    """The judge is there: a client's own mistake comes back as its 400."""
    fields: Any = {"model": "g,m", "top_p": 1.5, "messages": [{"role": "user", "content": "x"}]}
    client = openai.OpenAI(base_url=f"{proxy.url}/v1", api_key="k", max_retries=0)
    with client, pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(**fields)

    assert "top_p in [0.0, 1.0]" in refused.value.message
    assert len(sent) == 1
