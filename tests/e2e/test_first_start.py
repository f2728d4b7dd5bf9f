"""What a new user sees: no key, no configuration, both SDKs, all four phases."""

from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import openai
import pytest
from proxy import RunningProxy

ASK: Any = [{"role": "user", "content": "hello"}]


@pytest.fixture
def claude(embedded: RunningProxy) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=embedded.url, api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
def gpt(embedded: RunningProxy) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{embedded.url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.mark.parametrize(
    ("model", "text", "decided"),
    [
        ("claude-haiku-4-5", "hello", "runtime background anthropic,claude-haiku-4-5"),
        ("wasm-demo", "hello", "custom rule:wasm-demo openrouter,deepseek/deepseek-chat"),
        ("auto", "I want to go to plan mode", "pattern concept:plan_mode deepseek,deepseek-reasoner"),
        ("auto", "hello", "default default anthropic,claude-sonnet-4-6"),
        ("groq,llama-3.3-70b-versatile", "hello", "explicit explicit groq,llama-3.3-70b-versatile"),
    ],
)
def test_every_phase_can_be_seen_to_decide(
    claude: anthropic.Anthropic, gpt: openai.OpenAI, model: str, text: str, decided: str
) -> None:
    ask: Any = [{"role": "user", "content": text}]
    for response in (
        claude.messages.with_raw_response.create(model=model, max_tokens=200, messages=ask),
        gpt.chat.completions.with_raw_response.create(model=model, messages=ask),
    ):
        headers = response.headers
        target = f"{headers['x-terraphim-provider']},{headers['x-terraphim-model']}"
        assert f"{headers['x-terraphim-phase']} {headers['x-terraphim-reason']} {target}" == decided
        assert headers["x-terraphim-simulated"] == "1"
        assert len(headers["x-terraphim-snapshot"]) == 12
        assert target in response.http_response.text


def test_streams_of_both_dialects(claude: anthropic.Anthropic, gpt: openai.OpenAI) -> None:
    with claude.messages.stream(model="auto", max_tokens=200, messages=ASK) as stream:
        assert "anthropic,claude-sonnet-4-6" in "".join(stream.text_stream)
        assert stream.get_final_message().stop_reason == "end_turn"
    chunks = list(gpt.chat.completions.create(model="auto", messages=ASK, stream=True))
    assert "anthropic,claude-sonnet-4-6" in "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def test_a_forced_tool_is_called(claude: anthropic.Anthropic, gpt: openai.OpenAI) -> None:
    schema: Any = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    message = claude.messages.create(
        model="auto",
        max_tokens=200,
        messages=ASK,
        tools=[{"name": "weather", "input_schema": schema}],
        tool_choice={"type": "any"},
    )
    call = message.content[0]
    assert call.type == "tool_use"
    assert isinstance(call.input["city"], str)
    answer = gpt.chat.completions.create(
        model="auto",
        messages=ASK,
        tools=[{"type": "function", "function": {"name": "weather", "parameters": schema}}],
        tool_choice="required",
    )
    assert answer.choices[0].message.tool_calls
    assert answer.choices[0].finish_reason == "tool_calls"


def test_tokens_are_counted_locally(claude: anthropic.Anthropic) -> None:
    counted = claude.messages.count_tokens(model="claude-x", messages=[{"role": "user", "content": "hello " * 50}])
    assert 50 <= counted.input_tokens <= 60


def test_models_are_listed_in_the_clients_shape(claude: anthropic.Anthropic, gpt: openai.OpenAI) -> None:
    for ids in ([m.id for m in claude.models.list()], [m.id for m in gpt.models.list()]):
        assert ids[0] == "auto"
        assert "openrouter,deepseek/deepseek-r1" in ids


def test_the_routes_of_the_golden_sentences(embedded: RunningProxy) -> None:
    for sentence, model in (
        ("I want to go to plan mode", "deepseek-reasoner"),
        ("extended context window", "google/gemini-2.5-flash"),
        ("visual analysis", "anthropic/claude-sonnet-4.5"),
    ):
        body = {"model": "auto", "messages": [{"role": "user", "content": sentence}]}
        decision = httpx.post(f"{embedded.url}/v1/route", json=body).json()["decision"]
        assert (decision["phase"], decision["model"]) == ("pattern", model)


def test_health_banner_and_other_doors(embedded: RunningProxy) -> None:
    assert httpx.head(f"{embedded.url}/").status_code == 200
    assert httpx.head(f"{embedded.url}/api/hello").status_code == 200
    for path in ("/health", "/health/live", "/health/ready"):
        assert httpx.get(embedded.url + path).json()["status"] == "ok"
    banner = "".join(embedded.lines)
    assert "SIMULATED" in banner
    assert f"export ANTHROPIC_BASE_URL={embedded.url}" in banner


def test_metrics_count_requests_decisions_and_rules(embedded: RunningProxy) -> None:
    body = {"model": "auto", "messages": [{"role": "user", "content": "hello"}]}
    httpx.post(f"{embedded.url}/v1/chat/completions", json=body)
    metrics = httpx.get(f"{embedded.url}/metrics").text
    assert 'terraphim_requests_total{endpoint="/v1/chat/completions",status="200"}' in metrics
    assert 'terraphim_decisions_total{phase="default",reason="default"}' in metrics
    assert 'terraphim_rule_outcomes_total{outcome="abstain",rule="wasm-demo"}' in metrics
