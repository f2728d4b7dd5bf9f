"""Requests through the proxy to recording servers: who was asked, with what, and what came back."""

import base64
from typing import Any, Literal

import httpx
import msgspec
import pytest
from proxy import RunningProxy
from upstream import Upstream
from upstream_script import Spent, Step

USER = {"role": "user", "content": "hello"}
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}


def ask(proxy: RunningProxy, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
    """A request of Anthropic's dialect."""
    whole = {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [USER], **body}
    return httpx.post(f"{proxy.url}/v1/messages", json=whole, headers=headers or {}, timeout=20)


def decided(response: httpx.Response) -> tuple[str, str]:
    return response.headers["x-terraphim-model"], response.headers["x-terraphim-reason"]


def last_body(fake: Upstream) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(fake.requests[-1].body)
    return body


@pytest.mark.parametrize(
    ("body", "model", "reason"),
    [
        ({}, "main", "default"),
        ({"model": "claude-haiku-4-5"}, "small", "background"),
        ({"thinking": {"type": "enabled", "budget_tokens": 20_000}, "max_tokens": 30_000}, "thinker", "thinking"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}, "thinker", "thinking"),
        ({"thinking": {"type": "adaptive"}}, "main", "default"),
        ({"messages": [{"role": "user", "content": "word " * 61_000}]}, "long", "long_context"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "search", "web_search"),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "eyes", "image"),
        ({"model": "two,spare"}, "spare", "explicit"),
        ({"model": "ONE:Thinker"}, "thinker", "explicit"),
    ],
)
def test_each_scenario(configured: RunningProxy, fake: Upstream, body: dict[str, Any], model: str, reason: str) -> None:
    response = ask(configured, **body)
    assert response.status_code == 200
    assert response.json()["content"][0]["text"] == "OK"
    assert decided(response) == (model, reason)
    assert last_body(fake)["model"] == model


@pytest.mark.parametrize(
    "headers", [{"x-claude-code-request-class": "auxiliary"}, {"x-claude-code-request-class": "compaction"}]
)
def test_the_clients_hint_makes_a_background_request(configured: RunningProxy, headers: dict[str, str]) -> None:
    assert decided(ask(configured, headers)) == ("small", "background")


def test_the_subagent_tag_routes_and_is_removed(configured: RunningProxy, fake: Upstream) -> None:
    tag = "<CCR-SUBAGENT-MODEL>two,spare</CCR-SUBAGENT-MODEL>"
    response = ask(configured, system=f"{tag}You are a helper.", thinking={"type": "adaptive"})
    assert decided(response) == ("spare", "subagent")
    assert b"CCR-SUBAGENT" not in fake.requests[-1].body
    response = ask(configured, system=f"{tag.replace('two,spare', 'one,long')}You are a helper.")
    assert decided(response) == ("long", "subagent")
    assert last_body(fake)["system"] == "You are a helper."


def test_the_same_dialect_is_spliced(configured: RunningProxy, fake: Upstream) -> None:
    body = b'{ "max_tokens" : 9,"messages":[ {"role":"user","content":"h\\u0069"} ],"x":{"y": 1.50}, "model":"m" }'
    headers = {"content-type": "application/json", "anthropic-beta": "some-beta", "cookie": "a=b", "x-api-key": "mine"}
    httpx.post(f"{configured.url}/v1/messages?beta=true", content=body, headers=headers)
    sent = fake.requests[-1]
    assert sent.body == body.replace(b'"m"', b'"main"')
    assert sent.path == "/v1/messages?beta=true"
    assert sent.headers["x-api-key"] == "sk-upstream-canary"
    assert sent.headers["anthropic-beta"] == "some-beta"
    assert "cookie" not in sent.headers
    assert "mine" not in str(sent.headers)


def test_another_dialect_is_translated_and_clamped(configured: RunningProxy, fake: Upstream) -> None:
    chat = {"model": "auto", "max_tokens": 128_000, "messages": [{"role": "system", "content": "be brief"}, USER]}
    response = httpx.post(f"{configured.url}/v1/chat/completions", json=chat)
    assert response.json()["choices"][0]["message"]["content"] == "OK"
    sent = last_body(fake)
    assert fake.requests[-1].path == "/v1/messages"
    assert sent["max_tokens"] == 4096
    assert "be brief" in msgspec.json.encode(sent["system"]).decode()


def test_fallback_after_529_before_the_first_byte(configured: RunningProxy, fake: Upstream) -> None:
    for stream in (False, True):
        fake.script(Step(status=529), Step(text="from the spare", chunk=100))
        response = ask(configured, stream=stream)
        assert response.status_code == 200
        assert "from the spare" in response.text
        assert response.headers["x-terraphim-provider"] == "two"
        assert response.headers["x-terraphim-reason"] == "default"
        assert response.headers["x-terraphim-attempts"] == "2"
        assert fake.requests[-1].path.endswith("/chat/completions")


def test_fallback_after_an_error_inside_the_stream_before_content(configured: RunningProxy, fake: Upstream) -> None:
    fake.script(Step(fault="overloaded_sse"), Step(text="from the spare", chunk=100))
    response = ask(configured, stream=True)
    assert "from the spare" in response.text
    assert response.headers["x-terraphim-provider"] == "two"


def test_one_retry_when_nobody_else_is_there(configured: RunningProxy, fake: Upstream) -> None:
    fake.script(Step(status=500), Step(text="at last"))
    response = ask(configured, model="two,spare")
    assert "at last" in response.text
    assert response.headers["x-terraphim-attempts"] == "2"


def test_when_all_is_spent_the_client_is_told_not_to_retry(configured: RunningProxy, fake: Upstream) -> None:
    fake.script(*[Step(status=529, message="busy")] * 3)
    response = ask(configured)
    assert response.status_code == 529
    assert response.json()["error"]["type"] == "overloaded_error"
    assert response.headers["x-should-retry"] == "false"


def test_a_refusal_of_the_provider_is_relayed_word_for_word(configured: RunningProxy, fake: Upstream) -> None:
    said = "prompt is too long: 200001 tokens > 200000 maximum"
    fake.script(Step(status=400, message=said), Step(status=400, message=said))
    assert ask(configured).json()["error"]["message"] == said
    chat = {"model": "auto", "messages": [USER]}
    response = httpx.post(f"{configured.url}/v1/chat/completions", json=chat)
    assert response.status_code == 400
    assert response.json()["error"]["message"] == said


def test_429_without_another_target_keeps_retry_after(configured: RunningProxy, fake: Upstream) -> None:
    fake.script(*[Step(status=429, retry_after=7)] * 2)
    response = ask(configured)
    assert response.status_code == 429
    assert response.headers["retry-after"] == "7"


def read_stream(proxy: RunningProxy, model: str, received: bytearray) -> None:
    whole = {"model": model, "max_tokens": 100, "messages": [USER], "stream": True}
    with httpx.stream("POST", f"{proxy.url}/v1/messages", json=whole, timeout=20) as response:
        for chunk in response.iter_raw():
            received += chunk


@pytest.mark.parametrize("model", ["one,main", "two,spare"])
@pytest.mark.parametrize("fault", ["midstream_error", "disconnect", "truncate"])
def test_a_broken_stream_never_ends_as_a_success(
    configured: RunningProxy, fake: Upstream, model: str, fault: Literal["midstream_error", "disconnect", "truncate"]
) -> None:
    fake.script(Step(text="word " * 50, fault=fault, chunk_delay=0.02))
    received = bytearray()
    with pytest.raises(httpx.RemoteProtocolError):
        read_stream(configured, model, received)
    assert b"word" in received
    assert b"event: error" in received
    assert b"message_stop" not in received


@pytest.mark.parametrize("model", ["one,main", "two,spare"])
def test_a_client_that_leaves_stops_the_upstream(configured: RunningProxy, fake: Upstream, model: str) -> None:
    fake.script(Step(text="word " * 500, chunk_delay=0.02))
    whole = {"model": model, "max_tokens": 100, "messages": [USER], "stream": True}
    with httpx.stream("POST", f"{configured.url}/v1/messages", json=whole, timeout=20) as response:
        next(response.iter_raw())
    fake.wait_for(lambda requests: requests[-1].left_early)
    configured.wait_for(event="request", status=499)


def test_a_client_that_leaves_before_the_headers_stops_the_upstream(configured: RunningProxy, fake: Upstream) -> None:
    fake.script(Step(delay=8))
    whole = {"model": "a", "max_tokens": 1, "messages": [USER]}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{configured.url}/v1/messages", json=whole, timeout=0.3)
    fake.wait_for(lambda requests: requests[-1].left_early)


def test_the_log_line_has_the_facts_and_no_text(configured: RunningProxy, fake: Upstream) -> None:
    response = ask(configured, messages=[{"role": "user", "content": "canary text of the user"}])
    line = configured.wait_for(request_id=response.headers["x-terraphim-request-id"])
    assert line["endpoint"] == "/v1/messages"
    assert (line["phase"], line["reason"], line["provider"], line["model"]) == ("default", "default", "one", "main")
    assert line["snapshot"] == response.headers["x-terraphim-snapshot"]
    assert line["usage"]["input"] > 0
    shown = "".join(configured.lines)
    assert "canary" not in shown


def test_a_long_session_stays_long_by_its_real_usage(configured: RunningProxy, fake: Upstream) -> None:
    session = {"x-claude-code-session-id": "b4b6e7a2-0000-4000-8000-000000000001"}
    fake.script(Step(text="OK", usage=Spent(input=61_000, output=5)))
    assert decided(ask(configured, session)) == ("main", "default")
    long_enough = [{"role": "user", "content": "other " * 21_000}]
    assert decided(ask(configured, session, messages=long_enough)) == ("long", "long_context")
    assert decided(ask(configured, messages=long_enough)) == ("main", "default")


def test_route_explains_and_calls_nobody(configured: RunningProxy, fake: Upstream) -> None:
    before = len(fake.requests)
    body = {"model": "claude-haiku-4-5", "system": "x", "max_tokens": 5, "messages": [USER]}
    answer = httpx.post(f"{configured.url}/v1/route", json=body).json()
    assert answer["decision"]["reason"] == "background"
    assert answer["features"]["dialect"] == "anthropic"
    assert [step["phase"] for step in answer["trace"]][-1] in {"runtime", "fallback", "gate"}
    assert [phase["phase"] for phase in answer["phases"]][:2] == ["explicit", "runtime"]
    assert answer["phases"][1]["outcome"] == "decided"
    assert answer["phases"][2]["why"] == "the runtime phase decided"
    assert {"cached_tokens", "output_tokens", "micro_usd"} <= answer["decision"]["candidates"][0]["expected"].keys()
    assert len(fake.requests) == before
    plain = httpx.post(f"{configured.url}/v1/route", json={"model": "x", "messages": [USER]}).json()
    assert plain["features"]["dialect"] == "openai"
    assert httpx.post(f"{configured.url}/v1/route?dialect=klingon", json=body).status_code == 400
