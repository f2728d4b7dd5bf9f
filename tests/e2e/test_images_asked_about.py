"""The image agent through the real program: a model that reads no images asks about them within one answer."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic_checks
import httpx
import openai_checks
import pytest
from heard import read, read_whole
from proxy import PATIENCE_S, RunningProxy, running
from upstream import Upstream
from upstream_script import Call, Spent, Step

PNG = anthropic_checks.png(2, 2)
TARGETS = ("anthropic", "openai", "gemini", "ollama")
CONFIG = """\
[routing]
default = "ollama,blind"
image_agent = true
[routing.runtime]
image = "seer,eye"
[resilience]
attempts = 1
breaker = false
[providers.seer]
dialect = "openai"
base_url = "{url}"
allow_private = true
[providers.seer.models.eye]
images = true
"""
PROVIDER = """\
[providers.{name}]
dialect = "{name}"
base_url = "{url}"
allow_private = true
[providers.{name}.models.blind]
images = false
tools = true
"""


def asks(image: object = "1", task: str = "Which colour?", **more: Any) -> Step:
    return Step(tool="analyzeImage", input={"imageId": image, "task": task}, **more)


@pytest.fixture(scope="module")
def proxy(
    fake: Upstream, session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningProxy]:
    config = tmp_path_factory.mktemp("config") / "config.toml"
    tables = "".join(PROVIDER.format(name=name, url=fake.url) for name in TARGETS)
    config.write_text(CONFIG.format(url=fake.url) + tables)
    with running(session_env, "--config", str(config)) as started:
        yield started


@pytest.fixture(autouse=True)
def _nothing_left(fake: Upstream) -> Iterator[None]:
    fake.requests.clear()
    yield
    fake.unscript()


def body(client: str, target: str, *, stream: bool, **more: Any) -> dict[str, Any]:
    """A conversation with the same picture twice, once in a tool's result."""
    if client == "openai":
        part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
        said = [{"type": "text", "text": "What is it?"}, part]
        options = {"stream_options": {"include_usage": True}} if stream else {}
        chat = {"model": f"{target},blind", "stream": stream, "messages": [{"role": "user", "content": said}]}
        return chat | options | more
    if client == "openai-responses":
        seen = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}
        parts = [{"type": "input_text", "text": "What is it?"}, seen]
        return {"model": f"{target},blind", "stream": stream, "input": [{"role": "user", "content": parts}]} | more
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [image]}]},
    ]
    return {"model": f"{target},blind", "max_tokens": 500, "stream": stream, "messages": messages} | more


PATHS = {"anthropic": "/v1/messages", "openai": "/v1/chat/completions", "openai-responses": "/v1/responses"}


def ask(proxy: RunningProxy, client: str, target: str = "ollama", *, stream: bool = True, **more: Any) -> Any:
    answer = httpx.post(proxy.url + PATHS[client], json=body(client, target, stream=stream, **more), timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    assert "analyzeImage" not in answer.text
    return read(client, answer.content) if stream else read_whole(client, answer.content)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("client", PATHS)
def test_a_question_is_answered_within_the_answer(
    proxy: RunningProxy, fake: Upstream, client: str, target: str, stream: bool
) -> None:
    fake.script(
        asks(text="Let me see. ", usage=Spent(input=10, output=3)),
        Step(text="It is red.", usage=Spent(input=100, output=5)),
        Step(text="Red!", usage=Spent(input=20, output=2)),
    )
    heard = ask(proxy, client, target, stream=stream)
    assert heard.text.replace("\n", "") == "Let me see. Red!"
    assert (heard.calls, heard.stop, heard.tokens) == ([], "end", (130, 10))
    first, look, second = [request.body.decode() for request in fake.requests]
    assert "[Image #1]" in first
    assert "[Image #2]" not in first  # it is the same picture
    assert PNG not in first + second
    assert PNG in look
    assert "Which colour?" in look
    assert "It is red." in second


def test_the_client_s_own_call_ends_the_answer_and_is_the_only_one_that_it_sees(
    proxy: RunningProxy, fake: Upstream
) -> None:
    image = Call("analyzeImage", {"imageId": "1", "task": "x"})
    for stream in (True, False):
        fake.script(Step(text="Both.", tools=(image, Call("Read", {"path": "a"}), image)))
        tools = [{"name": "Read", "input_schema": {"type": "object", "properties": {}}}]
        heard = ask(proxy, "anthropic", stream=stream, tools=tools)
        assert (heard.stop, [call.name for call in heard.calls]) == ("tools", ["Read"])
    assert len(fake.requests) == 2


@pytest.mark.parametrize("stream", [True, False])
def test_an_image_target_that_fails_is_told_to_the_model(proxy: RunningProxy, fake: Upstream, stream: bool) -> None:
    fake.script(asks(), Step(status=500, message="no eyes today"), Step(text="I cannot see it."))
    assert ask(proxy, "anthropic", stream=stream).text == "I cannot see it."
    assert "The image could not be looked at: no eyes today" in fake.requests[2].body.decode()


@pytest.mark.parametrize(
    "image",
    ["0", "2", "-1", "999999999999", "../../etc/passwd", "http://[::1]/", 7, None, ["1"], {"a": 1}, ""],
)
def test_a_hostile_image_id_leads_nowhere(proxy: RunningProxy, fake: Upstream, image: object) -> None:
    fake.script(asks(image), Step(text="Well."))
    assert ask(proxy, "anthropic").text == "Well."
    assert [json.loads(request.body)["model"] for request in fake.requests] == ["blind", "blind"]


def test_questions_without_an_end_have_one(proxy: RunningProxy, fake: Upstream) -> None:
    fake.script(*[step for _ in range(9) for step in (asks(), Step(text="seen"))])
    heard = ask(proxy, "anthropic")
    assert (heard.stop, heard.calls, heard.error) == ("end", [], "")
    models = [json.loads(request.body)["model"] for request in fake.requests]
    assert models.count("blind") == 6
    assert models.count("eye") == 4


@pytest.mark.parametrize("fault", ["midstream_error", "truncate", "disconnect"])
def test_a_second_turn_that_breaks_off_is_an_error_and_no_end(proxy: RunningProxy, fake: Upstream, fault: str) -> None:
    broken = Step(text="It is all very red.", fault=fault, chunk=4, after=2)  # type: ignore[arg-type]
    fake.script(asks(text="Let me see. "), Step(text="red"), broken)
    request = body("anthropic", "ollama", stream=True)
    came: list[bytes] = []
    with (
        httpx.stream("POST", f"{proxy.url}/v1/messages", json=request, timeout=PATIENCE_S) as answer,
        pytest.raises(httpx.RemoteProtocolError),  # after the error event it is cut
    ):
        came.extend(answer.iter_raw())
    heard = read("anthropic", b"".join(came))
    assert heard.error
    assert not heard.terminal
    assert heard.text.startswith("Let me see. ")


def test_who_leaves_in_the_second_turn_ends_it(proxy: RunningProxy, fake: Upstream) -> None:
    fake.script(asks(text="Let me see. "), Step(text="red"), Step(text="It is all very red.", fault="stall", chunk=4))
    request = body("anthropic", "ollama", stream=True)
    with httpx.stream("POST", f"{proxy.url}/v1/messages", json=request, timeout=PATIENCE_S) as answer:
        for line in answer.iter_lines():
            if "It i" in line:
                break
    fake.wait_for(lambda requests: len(requests) == 3 and requests[2].left_early)


def test_a_model_that_reads_images_is_asked_as_always(proxy: RunningProxy, fake: Upstream) -> None:
    fake.script(Step(text="Red."))
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    with openai_checks.client(proxy.url) as sdk:
        messages: Any = [{"role": "user", "content": [part]}]
        assert sdk.chat.completions.create(model="seer,eye", messages=messages).choices[0].message.content == "Red."
    assert b"analyzeImage" not in fake.requests[0].body
