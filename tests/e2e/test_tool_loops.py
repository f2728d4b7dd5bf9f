"""Tool loops of four turns through the proxy, with providers behind that refuse what real ones refuse (`strict`).

Thinking is on, calls are parallel, one result is an image and one an error. Also with each turn answered by another
provider: what cannot be carried over is dropped, and nobody is sent what it would refuse.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Any, NamedTuple

import anthropic
import anthropic_checks
import openai
import openai_checks
import pytest
from proxy import RunningProxy, running
from upstream import Upstream
from upstream import running as upstream_running
from upstream_script import prompt

from core.dialects import PROVIDERS
from strict.judging import judge

PNG = anthropic_checks.png(2, 2)
#: A model of each dialect whose rules are the strictest.
MODELS = {
    "anthropic": "claude-sonnet-4-5",
    "openai": "gpt-5.1",
    "openai-responses": "gpt-5.1-codex",
    "gemini": "gemini-3-pro-preview",
    "ollama": "qwen3:8b",
}
HARD = anthropic_checks.HARD_INPUT
STEPS: tuple[dict[str, Any], ...] = (
    {"think": "Two things.", "text": "First.", "tools": [{"name": "f", "input": HARD}, {"name": "g"}]},
    {"think": "Once more.", "tools": [{"name": "g", "input": {"a": "b"}}]},
    {"tools": [{"name": "f", "input": {"a": ""}}, {"name": "f", "input": HARD}]},
    {"think": "Enough.", "text": "Done: 4 turns."},
)
CALLED = [("f", HARD), ("g", {}), ("g", {"a": "b"}), ("f", {"a": ""}), ("f", HARD)]
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": []}


class Scene(NamedTuple):
    fake: Upstream
    proxy: RunningProxy


@pytest.fixture(scope="module")
def scene(session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A proxy with a provider of each dialect."""
    folder = tmp_path_factory.mktemp("loops")
    with upstream_running() as fake:
        fake.judge = judge
        tables = [
            f'[providers.{name}]\ndialect = "{name}"\nbase_url = "{fake.url}"\nallow_private = true\n'
            f'api_key = {{ env = "KEY" }}\n[providers.{name}.models]\n'
            f'"{MODELS[name]}" = {{ images = true, tools = true, thinking = true, max_output = 32000 }}\n'
            for name in PROVIDERS
        ]
        config = folder / "config.toml"
        config.write_text("".join(tables) + f'[routing]\ndefault = "{target("anthropic")}"\n')
        with running({**session_env, "KEY": "k"}, "--config", str(config)) as proxy:
            yield Scene(fake, proxy)


def target(name: str) -> str:
    return f"{name},{MODELS[name]}"


def anthropic_loop(url: str, providers: Sequence[str], *, stream: bool) -> tuple[list[Any], str]:
    """The calls that a client of Anthropic's SDK was asked for, and its last answer; turn by turn from these."""
    tools: Any = [{"name": name, "input_schema": SCHEMA} for name in ("f", "g")]
    messages: list[Any] = [{"role": "user", "content": prompt(*STEPS)}]
    called: list[Any] = []
    with anthropic_checks.client(url) as sdk:
        for name in providers:
            body: Any = {
                "model": target(name),
                "max_tokens": 9000,
                "thinking": {"type": "enabled", "budget_tokens": 2000},
                "messages": messages,
                "tools": tools,
            }
            message: anthropic.types.Message
            if stream:
                with sdk.messages.stream(**body) as events:
                    message = events.get_final_message()
            else:
                message = sdk.messages.create(**body)
            calls = [block for block in message.content if block.type == "tool_use"]
            if not calls:
                return called, "".join(anthropic_checks.texts(message))
            called += [(call.name, call.input) for call in calls]
            messages.append({"role": "assistant", "content": message.content})
            messages.append({"role": "user", "content": [anthropic_result(call) for call in calls]})
    raise AssertionError(f"no end after {called}")


def anthropic_result(call: Any) -> dict[str, Any]:
    """An image for `f`, a failure for `g`."""
    if call.name == "g":
        return {"type": "tool_result", "tool_use_id": call.id, "content": "no such thing", "is_error": True}
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    return {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "see"}, image]}


def openai_loop(url: str, providers: Sequence[str], *, stream: bool) -> tuple[list[Any], str]:
    """The same for a chat client; the image comes after the results, as the API has it."""
    tools: Any = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("f", "g")]
    messages: list[Any] = [{"role": "user", "content": prompt(*STEPS)}]
    called: list[Any] = []
    with openai_checks.client(url) as sdk:
        for name in providers:
            body: Any = {"model": target(name), "reasoning_effort": "low", "messages": messages, "tools": tools}
            completion: openai.types.chat.ChatCompletion
            if stream:
                with sdk.chat.completions.stream(**body) as events:
                    completion = events.get_final_completion()
            else:
                completion = sdk.chat.completions.create(**body)
            message: Any = completion.choices[0].message
            if not message.tool_calls:
                return called, message.content
            called += [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls]
            messages += [sent_back(message), *map(openai_result, message.tool_calls)]
            if any(call.function.name == "f" for call in message.tool_calls):
                image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
                messages.append({"role": "user", "content": [{"type": "text", "text": "what f saw:"}, image]})
    raise AssertionError(f"no end after {called}")


def sent_back(message: Any) -> dict[str, Any]:
    """The assistant's turn as a client keeps it: with the fields that its SDK does not know, without its own."""
    kept: dict[str, Any] = message.model_dump(exclude_none=True, exclude={"parsed", "annotations"})
    for call in kept["tool_calls"]:
        call.pop("index", None)
        call["function"].pop("parsed_arguments", None)
    return kept


def openai_result(call: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call.id, "content": "seen" if call.function.name == "f" else "Error: none"}


def responses_loop(url: str, providers: Sequence[str], *, stream: bool) -> tuple[list[Any], str]:
    """The same for a client of Responses that stores nothing and sends every item back."""
    tools: Any = [{"type": "function", "name": name, "parameters": SCHEMA, "strict": False} for name in ("f", "g")]
    items: list[Any] = [{"role": "user", "content": prompt(*STEPS)}]
    called: list[Any] = []
    with openai_checks.client(url) as sdk:
        for name in providers:
            body: Any = {
                "model": target(name),
                "reasoning": {"effort": "low", "summary": "auto"},
                "include": ["reasoning.encrypted_content"],
                "store": False,
                "input": items,
                "tools": tools,
            }
            response: Any
            if stream:
                with sdk.responses.stream(**body) as events:
                    response = events.get_final_response()
            else:
                response = sdk.responses.create(**body)
            calls = [item for item in response.output if item.type == "function_call"]
            if not calls:
                return called, response.output_text
            called += [(call.name, json.loads(call.arguments)) for call in calls]
            items += [
                item.model_dump(
                    exclude_none=True, exclude={"parsed_arguments": True, "content": {"__all__": {"parsed"}}}
                )
                for item in response.output
            ]
            items += map(responses_result, calls)
    raise AssertionError(f"no end after {called}")


def responses_result(call: Any) -> dict[str, Any]:
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"}
    output = [{"type": "input_text", "text": "see"}, image] if call.name == "f" else "Error: no such thing"
    return {"type": "function_call_output", "call_id": call.call_id, "output": output}


LOOPS = {"anthropic": anthropic_loop, "openai": openai_loop, "openai-responses": responses_loop}


def check(scene: Scene, client: str, providers: Sequence[str], *, stream: bool) -> list[Any]:
    """The bodies that the providers were sent, each of which they took."""
    scene.fake.refused.clear()
    before = len(scene.fake.requests)
    called, last = LOOPS[client](scene.proxy.url, providers, stream=stream)
    assert scene.fake.refused == []
    assert (called, last) == (CALLED, "Done: 4 turns.")
    sent = [request.json for request in scene.fake.requests[before:]]
    assert len(sent) == len(STEPS)
    return sent


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("client", LOOPS)
def test_a_loop_with_one_provider(scene: Scene, client: str, provider: str, stream: bool) -> None:
    sent = check(scene, client, [provider] * len(STEPS), stream=stream)
    assert base64.b64decode(PNG)[:4] == b"\x89PNG"
    assert PNG in json.dumps(sent[-1])


@pytest.mark.parametrize(("one", "other"), list(permutations(PROVIDERS, 2)))
@pytest.mark.parametrize("client", LOOPS)
def test_a_session_moves_and_comes_back(scene: Scene, client: str, one: str, other: str) -> None:
    sent = check(scene, client, [one, other, one, other], stream=one < other)
    by_provider = zip(sent, (one, other) * 2, strict=True)
    assert "tp1." not in json.dumps([body for body, name in by_provider if name == "anthropic"])


@pytest.mark.parametrize("client", LOOPS)
def test_a_session_comes_to_anthropic_from_two_others(scene: Scene, client: str) -> None:
    others = [name for name in PROVIDERS if name != "anthropic"]
    for at in range(len(others)):
        check(scene, client, [*(others[at:] + others[:at])[:2], "anthropic", "anthropic"], stream=at % 2 == 0)


def test_thinking_goes_back_to_who_thought_it(scene: Scene) -> None:
    """Anthropic's own thinking and signature come back to it."""
    sent = check(scene, "anthropic", ["anthropic"] * 4, stream=True)
    turns = [turn for turn in sent[-1]["messages"] if turn["role"] == "assistant"]
    first = turns[0]["content"][0]
    assert (first["type"], first["thinking"]) == ("thinking", "Two things.")
    assert all(body["thinking"]["type"] == "enabled" for body in sent)


def test_what_a_strict_provider_refuses_is_seen(scene: Scene) -> None:
    """The judge is there: a body that a real one refuses is refused."""
    with pytest.raises(anthropic.BadRequestError, match="greater than or equal to 1024"):
        anthropic_checks.ask(
            scene.proxy.url, target("anthropic"), {"text": "x"}, thinking={"type": "enabled", "budget_tokens": 5}
        )
    assert scene.fake.refused
