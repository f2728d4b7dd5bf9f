"""OpenRouter, DeepSeek and Groq behind the proxy, as scripted servers that refuse what the real ones refuse.

What they need comes with the presets of their names: the configuration lists no transformer.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import httpx
import pytest
from proxy import RunningProxy, running
from upstream import Upstream
from upstream import running as upstream_running
from upstream_script import Spent, Step, prompt

from strict.judging import judge

MODELS = {
    "openrouter": "anthropic/claude-sonnet-4.5",
    "deepseek": "deepseek-v4-pro",
    "groq": "llama-3.3-70b-versatile",
}
LONG = "mcp__a_server_with_a_long_name__and_a_tool_whose_name_is_longer_than_openai_takes"
SCHEMA = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {"a": {}}}
STEPS: tuple[dict[str, Any], ...] = (
    {"think": "Two things.", "text": "First.", "tools": [{"name": "f", "input": {"a": "é"}}, {"name": LONG}]},
    {"think": "Once more.", "tool": "f", "input": {"a": 1}},
    {"tool": "f", "input": {"a": 2}},
    {"think": "Enough.", "text": "Done."},
)
CALLED = [("f", {"a": "é"}), (LONG, {}), ("f", {"a": 1}), ("f", {"a": 2})]
MARK = {"cache_control": {"type": "ephemeral"}}


class Scene(NamedTuple):
    fake: Upstream
    proxy: RunningProxy


@pytest.fixture(scope="module")
def scene(session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with upstream_running() as fake:
        fake.judge = judge
        tables = [
            f'[providers.{name}]\ndialect = "openai"\nbase_url = "{fake.url}/{name}"\nallow_private = true\n'
            f'api_key = {{ env = "KEY" }}\n[providers.{name}.models."{model}"]\ntools = true\nthinking = true\n'
            for name, model in MODELS.items()
        ]
        config = tmp_path_factory.mktemp("quirks") / "config.toml"
        limits = "[resilience]\nattempts = 1\nbreaker = false\n[upstream]\nbetween_content_s = 1.5\n"
        config.write_text("".join(tables) + f'[routing]\ndefault = "{target("groq")}"\n{limits}')
        with running({**session_env, "KEY": "k"}, "--config", str(config)) as proxy:
            yield Scene(fake, proxy)


def target(name: str) -> str:
    return f"{name},{MODELS[name]}"


def events(text: str) -> list[Any]:
    lines = [line[6:] for line in text.splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


def anthropic_turn(proxy: RunningProxy, name: str, messages: list[Any], *, stream: bool) -> list[Any]:
    """The content of the answer to a request as Claude Code sends it."""
    tools = [{"name": tool, "input_schema": SCHEMA, **MARK} for tool in ("f", LONG)]
    body = {
        "model": target(name),
        "max_tokens": 9000,
        "system": [{"type": "text", "text": "Be brief.", **MARK}],
        "messages": messages,
        "tools": tools,
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "stream": stream,
    }
    answer = httpx.post(f"{proxy.url}/v1/messages", json=body, timeout=20)
    assert answer.status_code == 200, answer.text
    if not stream:
        content: list[Any] = answer.json()["content"]
        return content
    blocks: list[Any] = []
    for event in events(answer.text):
        assert event["type"] != "error", event
        if event["type"] == "content_block_start":
            blocks.append(event["content_block"] | {"json": ""})
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            field = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
            kept = field.get(delta["type"], "json")
            blocks[-1][kept] += delta[kept if kept != "json" else "partial_json"]
    for block in blocks:
        arguments = block.pop("json")
        if block["type"] == "tool_use":
            block["input"] = json.loads(arguments or "{}")
    return blocks


def anthropic_loop(proxy: RunningProxy, name: str, *, stream: bool) -> tuple[list[Any], list[str]]:
    """The calls that the client was asked for, and what it saw of thinking."""
    messages: list[Any] = [{"role": "user", "content": [{"type": "text", "text": prompt(*STEPS), **MARK}]}]
    called, thought = [], []
    for _ in STEPS:
        content = anthropic_turn(proxy, name, messages, stream=stream)
        calls = [block for block in content if block["type"] == "tool_use"]
        thought += [block["thinking"] for block in content if block["type"] == "thinking"]
        called += [(call["name"], call["input"]) for call in calls]
        results = [{"type": "tool_result", "tool_use_id": call["id"], "content": "ok"} for call in calls]
        messages += [{"role": "assistant", "content": content}, {"role": "user", "content": results}]
    assert content[-1]["text"] == "Done."
    return called, thought


def chat_turn(proxy: RunningProxy, name: str, messages: list[Any], *, stream: bool) -> Any:
    """The message of the answer, as a client puts it together that keeps all it is told."""
    tools = [{"type": "function", "function": {"name": tool, "parameters": SCHEMA}} for tool in ("f", "g")]
    body = {"model": target(name), "messages": messages, "tools": tools, "stream": stream, "reasoning_effort": "low"}
    answer = httpx.post(f"{proxy.url}/v1/chat/completions", json=body, timeout=20)
    assert answer.status_code == 200, answer.text
    if not stream:
        return answer.json()["choices"][0]["message"]
    message: dict[str, Any] = {"role": "assistant", "content": ""}
    calls: dict[int, Any] = {}
    for delta in (choice["delta"] for event in events(answer.text) for choice in event["choices"]):
        for field in ("content", "reasoning_content", "reasoning"):
            if delta.get(field):
                message[field] = message.get(field, "") + delta[field]
        for entry in delta.get("reasoning_details", ()):
            [kept] = message.setdefault("reasoning_details", [{"text": ""}])
            message["reasoning_details"] = [kept | entry | {"text": kept["text"] + entry.get("text", "")}]
        for call in delta.get("tool_calls", ()):
            whole = calls.setdefault(call["index"], {"type": "function", "function": {"arguments": ""}})
            whole.setdefault("id", call.get("id"))
            whole["function"].setdefault("name", call["function"].get("name"))
            whole["function"]["arguments"] += call["function"].get("arguments", "")
    return message | ({"tool_calls": list(calls.values())} if calls else {})


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("name", MODELS)
def test_a_tool_loop_of_claude_code(scene: Scene, name: str, stream: bool) -> None:
    scene.fake.refused.clear()
    before = len(scene.fake.requests)
    called, thought = anthropic_loop(scene.proxy, name, stream=stream)
    assert scene.fake.refused == []
    assert called == CALLED
    assert thought == ["Two things.", "Once more.", "Enough."]
    sent = [request.json for request in scene.fake.requests[before:]]
    assert len(sent) == 4
    turns = [message for message in sent[-1]["messages"] if message["role"] == "assistant"]
    given_back = {
        "deepseek": [turn.get("reasoning_content") for turn in turns],
        "openrouter": [turn.get("reasoning_details", [{}])[0].get("text") for turn in turns],
        "groq": [None, None, None],
    }[name]
    lost = {"deepseek": "", "openrouter": None, "groq": None}[name]
    assert given_back == (["Two things.", "Once more.", lost] if name != "groq" else [None] * 3)
    assert ("cache_control" in json.dumps(sent[-1])) == (name == "openrouter")


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("name", MODELS)
def test_a_tool_loop_of_a_chat_client(scene: Scene, name: str, stream: bool) -> None:
    """Passed through: the client's own words, with what the provider refuses taken out and what it needs put in."""
    scene.fake.refused.clear()
    steps = [dict(step) for step in STEPS]
    steps[0]["tools"] = [{"name": "f", "input": {"a": "é"}}, {"name": "g"}]
    messages: list[Any] = [{"role": "user", "content": prompt(*steps)}]
    called = []
    for _ in steps:
        message = chat_turn(scene.proxy, name, messages, stream=stream)
        calls = message.get("tool_calls") or []
        called += [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]
        messages += [message, *({"role": "tool", "tool_call_id": call["id"], "content": "ok"} for call in calls)]
    assert scene.fake.refused == []
    assert message["content"] == "Done."
    assert called == [CALLED[0], ("g", {}), *CALLED[2:]]


def test_deepseek_is_not_told_to_call_while_it_thinks(scene: Scene) -> None:
    scene.fake.refused.clear()
    body = {
        "model": target("deepseek"),
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"name": "f", "input_schema": SCHEMA}],
        "tool_choice": {"type": "any"},
    }
    assert httpx.post(f"{scene.proxy.url}/v1/messages", json=body, timeout=20).status_code == 200
    assert (scene.fake.refused, scene.fake.requests[-1].json["thinking"]) == ([], {"type": "disabled"})


# OpenRouter


def ask(scene: Scene, path: str, step: Step, *, stream: bool) -> httpx.Response:
    scene.fake.unscript()
    scene.fake.script(step)
    messages = [{"role": "user", "content": "hi"}]
    body = {"model": target("openrouter"), "max_tokens": 99, "stream": stream, "messages": messages}
    return httpx.post(f"{scene.proxy.url}{path}", json=body, timeout=20)


def streamed(scene: Scene, path: str, step: Step) -> str:
    """What a client gets of a stream, even if it is cut."""
    scene.fake.unscript()
    scene.fake.script(step)
    messages = [{"role": "user", "content": "hi"}]
    body = {"model": target("openrouter"), "max_tokens": 99, "stream": True, "messages": messages}
    received = b""
    with (
        httpx.stream("POST", f"{scene.proxy.url}{path}", json=body, timeout=20) as answer,
        suppress(httpx.RemoteProtocolError),
    ):
        for piece in answer.iter_raw():
            received += piece
    assert answer.status_code == 200
    return received.decode()


def said(text: str) -> str:
    """The text of a stream of either dialect."""
    found = ""
    for event in events(text):
        found += event.get("delta", {}).get("text", "")
        found += "".join(choice["delta"].get("content") or "" for choice in event.get("choices", ()))
    return found


PATHS = ["/v1/messages", "/v1/chat/completions"]


@pytest.mark.parametrize("path", PATHS)
def test_openrouters_comments_do_not_break_a_stream(scene: Scene, path: str) -> None:
    assert said(streamed(scene, path, Step(text="one two three", chunk=4, chunk_delay=0.01))) == "one two three"


@pytest.mark.parametrize("path", PATHS)
def test_comments_are_liveness_and_no_progress(scene: Scene, path: str) -> None:
    """A provider that sends nothing but comments keeps the connection, and is given up when its content is late."""
    text = streamed(scene, path, Step(text="ab~cd", chunk=1, chunk_delay=0.05))
    assert said(text) == "ab"
    assert "error" in events(text)[-1]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("word", ["error", "abort"])
def test_an_answer_that_ended_in_an_error_is_no_success(scene: Scene, path: str, word: str) -> None:
    text = streamed(scene, path, Step(text="half an answer", chunk=4, chunk_delay=0.05, stop=word))
    assert said(text) == "half an answer"
    assert f"finish_reason {word}" in events(text)[-1]["error"]["message"]
    assert '"message_stop"' not in text
    assert "[DONE]" not in text
    whole = ask(scene, path, Step(text="half an answer", stop=word), stream=False)
    assert whole.status_code >= 500
    assert f"finish_reason {word}" in whole.json()["error"]["message"]


@pytest.mark.parametrize("path", PATHS)
def test_an_error_in_the_middle_of_a_200_is_told(scene: Scene, path: str) -> None:
    step = Step(text="a long answer", chunk=4, chunk_delay=0.05, fault="midstream_error", message="upstream fell")
    text = streamed(scene, path, step)
    assert said(text) == "a long a"
    assert events(text)[-1]["error"]["message"] == "upstream fell"
    assert '"message_stop"' not in text
    assert "[DONE]" not in text


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("path", PATHS)
def test_usage_at_the_end_is_told_and_settled(scene: Scene, path: str, stream: bool) -> None:
    answer = ask(scene, path, Step(text="hi", usage=Spent(input=70, output=5, cache_read=30)), stream=stream)
    line = scene.proxy.wait_for(request_id=answer.headers["x-terraphim-request-id"])
    assert line["usage"] == {"input": 70, "output": 5, "cache_read": 30}
    if path == "/v1/messages":
        usage = events(answer.text)[-2]["usage"] if stream else answer.json()["usage"]
        assert (usage["input_tokens"], usage["output_tokens"], usage["cache_read_input_tokens"]) == (70, 5, 30)
