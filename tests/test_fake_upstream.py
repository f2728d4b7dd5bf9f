import os
import re
import socket
from typing import Any

import anthropic
import httpx
import msgspec
import openai
import pytest
from upstream import Upstream
from upstream_script import Call, Spent, Step, directive, prompt

MESSAGES = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
TEXT = "a text of several deltas, of twelve characters each"


def post(upstream: Upstream, path: str = "/v1/messages", **fields: object) -> httpx.Response:
    base = MESSAGES if path.endswith("/messages") else CHAT
    return httpx.post(upstream.url + path, json=base | fields, trust_env=False, timeout=10)


def asking(*steps: dict[str, object]) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt(*steps)}]


def test_every_request_is_recorded_as_it_came(upstream: Upstream) -> None:
    httpx.post(f"{upstream.url}/p/v1/messages?beta=true", json=MESSAGES, headers={"X-Api-Key": "k"}, trust_env=False)
    httpx.get(f"{upstream.url}/nowhere", trust_env=False)

    first, second = upstream.requests
    assert (first.method, first.path, first.headers["x-api-key"]) == ("POST", "/p/v1/messages?beta=true", "k")
    assert first.json == MESSAGES
    assert (second.method, second.path, second.body) == ("GET", "/nowhere", b"")
    assert (first.answered, first.left_early) == (True, False)


def test_a_chunked_body_and_a_kept_connection_are_understood(upstream: Upstream) -> None:
    body = msgspec.json.encode(MESSAGES)
    with httpx.Client(trust_env=False) as client:
        for _ in range(3):
            parts = iter([body[:5], body[5:]])
            assert client.post(f"{upstream.url}/v1/messages", content=parts).status_code == 200

    assert [recorded.body for recorded in upstream.requests] == [body] * 3


def test_without_a_script_it_says_ok(upstream: Upstream) -> None:
    assert post(upstream).json()["content"] == [{"type": "text", "text": "OK"}]
    assert post(upstream, "/api/v1/chat/completions").json()["choices"][0]["message"]["content"] == "OK"


def test_the_queue_comes_before_the_directive(upstream: Upstream) -> None:
    upstream.script(Step(text="first"), Step(status=529, times=2))

    answers = [post(upstream, messages=asking({"text": "directed"})) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 529, 529, 200]
    assert [answers[at].json()["content"][0]["text"] for at in (0, 3)] == ["first", "directed"]


def test_each_turn_has_its_step(upstream: Upstream) -> None:
    messages: list[Any] = [
        {"role": "user", "content": "[[mock bad]] but older"},
        *asking({"tool": "f"}, {"text": "x]]y"}),
    ]
    kinds = []
    for _ in range(3):
        block = post(upstream, messages=messages).json()["content"][0]
        kinds.append(block.get("name") or block["text"])
        messages = [*messages, {"role": "assistant", "content": [block]}, {"role": "user", "content": "go on"}]

    assert kinds == ["f", "x]]y", "DONE"]


def test_a_directed_failure_heals_after_its_times(upstream: Upstream) -> None:
    messages = asking({"status": 429, "times": 2, "retry_after": 3, "message": "slow down", "text": "after"})

    answers = [post(upstream, messages=messages) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "3"
    assert answers[0].json()["error"] == {"type": "rate_limit_error", "message": "slow down"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('[[mock [{"txt":"a"}]]]', "unknown field"),
        ('[[mock [{"fault":"fire"}]]]', "Invalid enum value"),
        ("[[mock nothing", "this is none"),
        ("[[mock x]] y ]]", "this is none"),
    ],
)
def test_a_directive_that_is_none_is_a_400_that_says_why(upstream: Upstream, content: str, complaint: str) -> None:
    answer = post(upstream, messages=[{"role": "user", "content": content}])

    assert answer.status_code == 400
    assert complaint in answer.json()["error"]["message"]


def test_a_directive_is_found_in_blocks_too() -> None:
    content = [{"type": "image"}, {"type": "text", "text": prompt({"text": "é"})}]

    assert directive([{"role": "user", "content": content}]) == (0, [Step(text="é")])
    assert directive([{"role": "assistant", "content": content}]) == (-1, [])


@pytest.mark.parametrize(
    ("path", "body", "complaint"),
    [
        ("/v1/messages", {}, "model: Field required"),
        ("/v1/messages", {"model": "m", "messages": []}, "messages: at least one"),
        ("/v1/messages", CHAT, "max_tokens: Field required"),
        ("/v1/chat/completions", {"model": "m"}, "messages: at least one"),
        ("/v1/messages", [], "Expected `object`"),
    ],
)
def test_what_a_provider_would_refuse_is_refused(upstream: Upstream, path: str, body: object, complaint: str) -> None:
    answer = httpx.post(upstream.url + path, json=body, trust_env=False)

    assert answer.status_code == 400
    assert complaint in answer.json()["error"]["message"]


def test_threads_are_refused_the_way_that_the_sdk_understands(upstream: Upstream) -> None:
    error = post(upstream, thread={"id": "t"}).json()["error"]

    assert error["details"] == {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}


BLOCKS = ("thinking", 2), ("text", 1), ("tool", 2)
ANTHROPIC_EVENTS = [
    "message_start",
    "ping",
    *(f"content_block_{part}" for _, n in BLOCKS for part in ("start", *["delta"] * n, "stop")),
    "message_delta",
    "message_stop",
]
SPENT = Spent(input=7, output=5, cache_read=3)


def test_anthropic_frames_are_the_protocols(upstream: Upstream) -> None:
    upstream.script(Step(think="hm", text="hello", tool="f", input={"a": 1}, usage=SPENT))

    answer = post(upstream, stream=True)

    events = re.findall(r"^event: (\w+)\ndata: (.+)\n$", answer.text, re.MULTILINE)
    data = [msgspec.json.decode(text) for _, text in events]
    assert [name for name, _ in events] == ANTHROPIC_EVENTS == [value["type"] for value in data]
    assert [value["index"] for value in data if "index" in value] == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2]
    assert data[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert (data[-2]["usage"]["input_tokens"], data[-2]["usage"]["cache_read_input_tokens"]) == (7, 3)


def test_chat_frames_are_the_protocols(upstream: Upstream) -> None:
    upstream.script(
        Step(
            think="hm",
            text="hello",
            tools=(Call("f", {"a": 1}), Call("g")),
            usage=SPENT,
        )
    )

    answer = post(upstream, "/v1/chat/completions", stream=True, stream_options={"include_usage": True})

    *lines, done = answer.text.removesuffix("\n\n").split("\n\n")
    chunks = [msgspec.json.decode(line.removeprefix("data: ")) for line in lines]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert done == "data: [DONE]"
    assert [next(iter(delta), "") for delta in deltas] == (
        ["role", "reasoning_content", "content"] + ["tool_calls"] * 4 + [""]
    )
    assert chunks[-2]["choices"][0]["finish_reason"] == "tool_calls"
    usage = chunks[-1]["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (10, 5, 15)
    assert usage["prompt_tokens_details"] == {"cached_tokens": 3}


@pytest.mark.parametrize(
    ("stop", "anthropic_word", "openai_word"),
    [
        ("max_tokens", "max_tokens", "length"),
        ("length", "max_tokens", "length"),
        ("refusal", "refusal", "content_filter"),
        ("", "end_turn", "stop"),
    ],
)
def test_a_stop_reason_is_said_in_the_dialects_word(
    upstream: Upstream, stop: str, anthropic_word: str, openai_word: str
) -> None:
    upstream.script(Step(text="a", stop=stop, times=2))

    assert post(upstream).json()["stop_reason"] == anthropic_word
    assert post(upstream, "/v1/chat/completions").json()["choices"][0]["finish_reason"] == openai_word


PATHS = ["/v1/messages", "/v1/chat/completions"]
DELTA = re.compile('text_delta|"content":"[^"]')
ENDINGS = re.compile('message_stop|message_delta|DONE|finish_reason":"')


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("text", [TEXT, "short"])
def test_a_truncated_stream_ends_cleanly_but_without_an_ending(upstream: Upstream, path: str, text: str) -> None:
    upstream.script(Step(text=text, fault="truncate"))

    answer = post(upstream, path, stream=True)

    assert answer.status_code == 200
    assert ("of s" in answer.text) is (text == TEXT)
    assert text not in answer.text or text == "short"
    assert not ENDINGS.search(answer.text)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("stream", [True, False])
def test_a_disconnect_is_a_broken_transport(upstream: Upstream, path: str, stream: bool) -> None:
    upstream.script(Step(text=TEXT, fault="disconnect"))

    with pytest.raises(httpx.TransportError):
        post(upstream, path, stream=stream)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("fault", "deltas"), [("midstream_error", 2), ("overloaded_sse", 0)])
def test_an_error_in_the_stream_is_its_last_frame(upstream: Upstream, path: str, fault: str, deltas: int) -> None:
    step = {"text": TEXT, "chunk": 3, "fault": fault, "error_type": "overloaded_error"}

    frames = post(upstream, path, stream=True, messages=asking(step)).text.strip().split("\n\n")

    assert "overloaded_error" in frames[-1]
    assert not any(ENDINGS.search(frame) for frame in frames)
    assert (
        sum("text_delta" in frame or '"content":"' in frame.replace('"content":""', "") for frame in frames) == deltas
    )


def test_a_client_that_leaves_is_noticed(upstream: Upstream) -> None:
    upstream.script(Step(text=TEXT, fault="stall"))

    with httpx.stream(
        "POST", f"{upstream.url}/v1/messages", json=MESSAGES | {"stream": True}, trust_env=False
    ) as answer:
        first = next(answer.iter_bytes())
    upstream.wait_for(lambda requests: requests[0].left_early)

    assert b"message_start" in first
    assert not upstream.requests[0].answered


def test_a_stall_that_ends_goes_on_to_the_end(upstream: Upstream) -> None:
    upstream.script(Step(text=TEXT, fault="stall", stall_s=0.01, delay=0.01, chunk_delay=0.001))

    assert "message_stop" in post(upstream, stream=True).text


def test_waiting_for_what_never_comes_fails(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upstream.HANG_S", 0.05)

    with pytest.raises(AssertionError, match="never came true; 0 requests"):
        upstream.wait_for(bool)


def test_the_official_sdks_read_it(upstream: Upstream) -> None:
    upstream.script(Step(text="hello", times=2))
    with anthropic.Anthropic(base_url=upstream.url, api_key="k") as one:
        message = one.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
    with openai.OpenAI(base_url=f"{upstream.url}/v1", api_key="k") as other:
        completion = other.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])

    assert [block.text for block in message.content if block.type == "text"] == ["hello"]
    assert completion.choices[0].message.content == "hello"


def test_the_clean_environment_is_clean(clean_env: dict[str, str]) -> None:
    # The cache is of our own making, one for a whole run: a module is compiled once.
    assert set(clean_env) == {"HOME", "PATH", "LANG", "TERRAPHIM_DISCOVERY", "XDG_CACHE_HOME"}
    assert clean_env["XDG_CACHE_HOME"] != os.environ.get("XDG_CACHE_HOME")
    assert os.listdir(clean_env["HOME"]) == []  # noqa: PTH208 - a plain look
    assert clean_env["HOME"] != os.environ.get("HOME")


def test_ports_are_the_systems_choice_and_given_back(upstream: Upstream) -> None:
    with socket.create_connection(("127.0.0.1", upstream.port), timeout=10):
        pass
    assert upstream.port > 1023
