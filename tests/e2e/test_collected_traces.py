"""Traces of the real program, as a collector on a socket gets them."""

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import anthropic
import httpx
import pytest
from collector import Collector, Span, collecting
from configs import write_config
from facts import ROOT
from proxy import PATIENCE_S, RunningProxy, running
from upstream import Upstream
from upstream_script import Spent, Step

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CANARY = "sk-upstream-canary-0123456789"
WORDS = "words that no span may hold"
OTEL = {"OTEL_BSP_SCHEDULE_DELAY": "20", "OTEL_EXPORTER_OTLP_TIMEOUT": "2"}


@contextmanager
def traced(
    folder: Path, upstream: Upstream, collector: Collector, more: str = "", **env: str
) -> Iterator[RunningProxy]:
    """A proxy that exports to the collector, with one rule that abstains; `more` is more configuration."""
    config = write_config(folder, upstream.url)
    for name in ("wasm-demo.wat", "wasm-demo.toml"):
        shutil.copy(ROOT / "plugins" / name, folder / "plugins" / name)
    config.write_text(config.read_text() + more)
    clean = {"HOME": str(folder), "TERRAPHIM_DISCOVERY": "off", "ONE_KEY": CANARY}
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={CANARY}2"}
    with running(clean | OTEL | endpoint | env, "--config", str(config)) as proxy:
        yield proxy


class Scene(NamedTuple):
    proxy: RunningProxy
    collector: Collector


@pytest.fixture(scope="module")
def scene(fake: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A proxy with a collector that is well, and with a proxy variable in its environment that leads nowhere."""
    env = {"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test", "HTTP_PROXY": "http://127.0.0.1:9"}
    with collecting() as collector, traced(tmp_path_factory.mktemp("traced"), fake, collector, **env) as proxy:
        yield Scene(proxy, collector)


def ask(proxy: RunningProxy, *, stream: bool = False, model: str = "auto", **headers: Any) -> httpx.Response:
    """The answer, read as far as it goes."""
    body = {"model": model, "max_tokens": 9, "stream": stream, "messages": [{"role": "user", "content": WORDS}]}
    url = f"{proxy.url}/v1/messages"
    with httpx.stream("POST", url, json=body, headers=headers, timeout=PATIENCE_S) as answer:
        with suppress(httpx.RemoteProtocolError):
            answer.read()
        return answer


def line_of(proxy: RunningProxy, answer: httpx.Response) -> dict[str, Any]:
    return proxy.wait_for(event="request", request_id=answer.headers["x-terraphim-request-id"])


def tree(found: list[Span]) -> dict[str, Span]:
    """By name; each is a part of the request's own span, or of a part of it."""
    by_id = {span.span_id: span for span in found}
    [own] = [span for span in found if span.kind == "server"]
    for span in found:
        if span is not own:
            above = by_id[span.parent]
            assert above.began_ns <= span.began_ns <= span.ended_ns <= above.ended_ns
    return {span.name: span for span in found}


def test_a_clients_trace_goes_on(scene: Scene, fake: Upstream) -> None:
    proxy, collector = scene
    fake.script(Step(text="hi"))
    sent = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=x", "baggage": "user=secret"}
    answer = ask(proxy, stream=True, model="claude-something", **sent)
    line = line_of(proxy, answer)
    found = tree(collector.wait_for(4, TRACE))
    assert list(found) == ["POST /v1/messages", "decide", "rule wasm-demo", "chat main"]
    own, decided, rule, chat = found.values()
    assert (own.kind, own.parent, own.state, own.status) == ("server", PARENT, "vendor=x", 0)
    assert own.values == {
        "http.request.method": "POST",
        "http.route": "/v1/messages",
        "url.path": "/v1/messages",
        "url.scheme": "http",
        "http.response.status_code": 200,
        "terraphim.request_id": answer.headers["x-terraphim-request-id"],
        "terraphim.snapshot": answer.headers["x-terraphim-snapshot"],
        "terraphim.requested": "claude-something",
        "terraphim.agent": "python-httpx",
        "terraphim.phase": "default",
        "terraphim.reason": "default",
        "terraphim.decided": "one,main",
        "terraphim.target": "one,main",
    }
    assert (line["trace_id"], line["span_id"]) == (TRACE, own.span_id)
    assert decided.parent == own.span_id
    assert decided.values["terraphim.outcome"] == "decided"
    assert decided.values["terraphim.candidates"] == ["one,main", "two,spare"]
    steps = [(event.values["terraphim.phase"], event.values["terraphim.outcome"]) for event in decided.events]
    assert ("custom", "abstain") in steps
    assert ("default", "decided") in steps
    assert (rule.parent, rule.kind, rule.values["terraphim.outcome"]) == (decided.span_id, "internal", "abstain")
    assert rule.values["terraphim.fuel"] > 0
    assert (chat.parent, chat.kind, chat.status) == (own.span_id, "client", 0)
    assert chat.values["gen_ai.conversation.id"] == line["session"]["id"]
    assert [(event.name, chat.began_ns < event.time_ns <= chat.ended_ns) for event in chat.events] == [
        ("terraphim.first_content", True)
    ]
    assert (own.resource["service.name"], own.resource["deployment.environment.name"]) == ("terraphim-proxy", "test")
    assert (collector.paths[0], collector.headers[0]["api-key"]) == ("/v1/traces", f"{CANARY}2")
    assert not [words for words in (WORDS, CANARY, "user=secret") if words.encode() in collector.raw]
    assert not {"traceparent", "tracestate", "baggage"} & fake.requests[-1].headers.keys()


def test_an_attempt_has_the_names_of_the_convention(scene: Scene, fake: Upstream) -> None:
    proxy, collector = scene
    fake.script(Step(text="hi", usage=Spent(input=70, output=5, cache_read=30, cache_write=20)))
    line = line_of(proxy, ask(proxy, stream=True, model="one,main"))
    chat = collector.wait_for(3, line["trace_id"])[-1]
    first = chat.values.pop("gen_ai.response.time_to_first_chunk")
    assert 0 < first * 1e9 <= chat.ended_ns - chat.began_ns
    assert chat.values == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "one",
        "gen_ai.request.model": "main",
        "gen_ai.request.stream": True,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.conversation.id": line["session"]["id"],
        "gen_ai.response.finish_reasons": ["end_turn"],
        "gen_ai.usage.input_tokens": 120,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 30,
        "gen_ai.usage.cache_write.input_tokens": 20,
        "gen_ai.usage.reasoning.output_tokens": 0,
        "server.address": "127.0.0.1",
        "server.port": fake.port,
        "terraphim.target": "one,main",
        "terraphim.outcome": "ok",
        "terraphim.key": 1,
    }


def test_a_failed_attempt_is_a_span_of_its_own(scene: Scene, fake: Upstream) -> None:
    proxy, collector = scene
    fake.script(Step(status=529), Step(text="hi"))
    messages = [{"role": "user", "content": WORDS}]
    with anthropic.Anthropic(base_url=proxy.url, api_key="none", max_retries=0) as client:
        answer = client.messages.with_raw_response.create(model="auto", max_tokens=9, messages=messages)  # type: ignore[arg-type]
    line = proxy.wait_for(event="request", request_id=answer.headers["x-terraphim-request-id"])
    found = collector.wait_for(5, line["trace_id"])
    assert [span.name for span in found] == [
        "POST /v1/messages", "decide", "rule wasm-demo", "chat main", "chat spare",
    ]  # fmt: skip
    own, _, _, failed, good = found
    assert (own.parent, own.status) == ("", 0)
    assert (failed.status, failed.message, failed.values["error.type"]) == (2, "529", "529")
    assert (good.status, good.values["gen_ai.provider.name"]) == (0, "two")
    assert "gen_ai.response.time_to_first_chunk" not in good.values


@pytest.mark.parametrize(
    ("step", "stream", "status", "error"),
    [
        (Step(status=500, times=9), False, 500, "api_error"),
        (Step(status=400), False, 400, ""),
        (Step(text="a long answer", chunk=1, fault="disconnect"), True, 200, "cut"),
    ],
)
def test_an_error_is_one_where_it_happened(
    scene: Scene, fake: Upstream, step: Step, stream: bool, status: int, error: str
) -> None:
    proxy, collector = scene
    fake.unscript()
    fake.script(step)
    answer = ask(proxy, model="one,main", stream=stream)
    found = collector.wait_for(3, line_of(proxy, answer)["trace_id"])
    own, last = found[0], found[-1]
    assert (own.values["http.response.status_code"], own.status, own.message) == (status, 2 if error else 0, error)
    assert (last.kind, last.status) == ("client", 2)
    assert last.values["error.type"] == last.message == (error if stream else str(status))
    assert "gen_ai.response.finish_reasons" not in last.values


def test_providers_are_told_if_that_is_wanted(tmp_path: Path, upstream: Upstream) -> None:
    """Of what is sampled, and that the rest is not: that goes neither to the collector nor to the log."""
    upstream.script(Step(status=529), Step(text="hi"))
    sent: dict[str, Any] = {"tracestate": "vendor=x", "baggage": "user=secret"}
    with collecting() as collector, traced(tmp_path, upstream, collector, "[traces]\nupstream = true\n") as proxy:
        ask(proxy, traceparent=f"00-{TRACE}-{PARENT}-01", **sent)
        found = collector.wait_for(5, TRACE)
        line = line_of(proxy, ask(proxy, traceparent=f"00-{TRACE}-{PARENT}-00", **sent))
        assert exported(proxy) == 5
    *told, not_sampled = [request.headers["traceparent"] for request in upstream.requests]
    assert told == [f"00-{TRACE}-{span.span_id}-01" for span in found if span.kind == "client"]
    assert (not_sampled[:36], not_sampled[-3:]) == (f"00-{TRACE}-", "-00")
    assert not {"trace_id", "span_id"} & line.keys()
    assert [request.headers["tracestate"] for request in upstream.requests] == ["vendor=x"] * 3
    assert not any("baggage" in request.headers for request in upstream.requests)


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "x",
        f"00-{TRACE}-{PARENT}",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE.upper()}g-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01, 00-{TRACE}-{PARENT}-01",
        "00-" + "a" * 4000,
    ],
)
def test_a_traceparent_that_is_none_begins_a_trace(scene: Scene, traceparent: str) -> None:
    proxy, collector = scene
    answer = ask(proxy, model="one,main", traceparent=traceparent, tracestate="=,=;" * 40)
    line = line_of(proxy, answer)
    assert answer.status_code == 200
    assert line["trace_id"] != TRACE
    own = collector.wait_for(3, line["trace_id"])[0]
    assert (own.parent, own.span_id) == ("", line["span_id"])


def exported(proxy: RunningProxy, outcome: str = "exported") -> float:
    text = httpx.get(f"{proxy.url}/metrics", timeout=PATIENCE_S).text
    found = re.search(rf'^terraphim_spans_total{{outcome="{outcome}"}} (\S+)$', text, re.MULTILINE)
    return float(found[1]) if found else 0


def test_a_collector_that_is_not_well_stops_nobody(tmp_path: Path, upstream: Upstream) -> None:
    """It fails, leads elsewhere, hangs and goes: requests are answered, what is lost is counted, and said once."""
    small = {"OTEL_BSP_MAX_QUEUE_SIZE": "20", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10"}
    with collecting() as collector, traced(tmp_path, upstream, collector, **small) as proxy:
        for status, stuck in ((500, False), (301, False), (200, True), (503, False)):
            collector.status, collector.stuck = status, stuck
            before = exported(proxy, "lost")
            for _ in range(9):
                assert ask(proxy, model="one,main").status_code == 200
            wait_for_loss(proxy, before)
        collector.close()
        before = exported(proxy, "lost")
        ask(proxy, model="one,main")
        assert proxy.stopped() == 0
    assert collector.spans == []
    assert len(proxy.log(event="traces_lost")) == 1
    assert not proxy.log(event="library")
    assert not proxy.log(level="error")
    assert CANARY not in "".join(proxy.lines)


def wait_for_loss(proxy: RunningProxy, before: float) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while exported(proxy, "lost") <= before:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_waits_at_the_end_is_sent(tmp_path: Path, upstream: Upstream) -> None:
    env = {"OTEL_BSP_SCHEDULE_DELAY": "3600000", "OTEL_SERVICE_NAME": "my-proxy"}
    with collecting() as collector, traced(tmp_path, upstream, collector, **env) as proxy:
        ask(proxy)
        assert proxy.stopped() == 0
    assert len(collector.spans) == 4
    assert {span.resource["service.name"] for span in collector.spans} == {"my-proxy"}
