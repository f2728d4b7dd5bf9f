"""What one request counts for, and that nothing a client or a provider makes up becomes a series."""

from collections.abc import Iterator

import msgspec
import pytest
from facts import features
from scraped import number, total

from core.data_plane import DATA_PLANE
from core.exchange import Attempt, Candidate, Cost, Decision, Exchange, Inputs, Target
from core.gaps import Gaps
from core.messages import Usage
from core.metrics import Metrics
from core.schema import ModelCard, Price

ONE, TWO = Target("openai", "gpt-5"), Target("gemini", "flash")
OPERATION = {
    "gen_ai_operation_name": "chat",
    "gen_ai_provider_name": "gcp.gemini",
    "gen_ai_request_model": "flash",
}


@pytest.fixture
def metrics() -> Metrics:
    made = Metrics()
    made.known.learn_targets([ONE, TWO])
    return made


def exchange() -> Exchange:
    """One target failed, another answered a stream: decided after 2 ms, first content after 500, five tokens."""
    decision = Decision("pattern", "default", (Candidate(ONE), Candidate(TWO)), "a" * 12)
    one = Exchange("req_1", "/v1/messages", "anthropic", "a" * 64, "laptop", decision, TWO)
    one.inputs = Inputs(msgspec.structs.replace(features(), stream=True))
    one.attempts = [Attempt(ONE, "529", 100.0), Attempt(TWO, "ok", 300.0)]
    one.lose(ONE, Usage(input=3))
    one.usage = Usage(input=7, output=5, cache_read=11, cache_write=13)
    one.status, one.whole, one.decided_ms, one.first_ms = 200, True, 2.0, 500.0
    one.gaps = Gaps()
    for waited in (0.3, 0.015, 0.015):
        one.gaps.content(waited)
    return one


def card(target: Target) -> ModelCard:
    return ModelCard(price=Price(input=1.0, output=10.0) if target == TWO else Price())


def test_a_request_is_counted_once_in_each_metric(metrics: Metrics) -> None:
    one = exchange()
    one.cost = Cost(82, unpriced=True)
    metrics.settled(one, 0.9, card)
    text = metrics.exposition()
    assert number(text, "terraphim_requests_total", endpoint="/v1/messages", status="200") == 1
    assert number(text, "terraphim_request_seconds_sum", endpoint="/v1/messages") == 0.9
    assert number(text, "terraphim_decisions_total", phase="pattern", reason="default") == 1
    assert number(text, "terraphim_decision_seconds_sum") == 0.002
    assert number(text, "terraphim_attempts_total", target="openai,gpt-5", outcome="529") == 1
    assert number(text, "terraphim_attempts_total", target="gemini,flash", outcome="ok") == 1
    assert number(text, "terraphim_fallbacks_total", target="openai,gpt-5", answered_by="gemini,flash") == 1
    # 7 + 11 + 13 tokens at one micro-USD and 5 at ten: a prompt cache without a price of its own costs what input does.
    assert number(text, "terraphim_cost_micro_usd_total", target="gemini,flash") == 81
    assert number(text, "terraphim_unpriced_requests_total") == 1


def test_tokens_are_counted_where_they_were_used(metrics: Metrics) -> None:
    metrics.settled(exchange(), 0.9)
    text = metrics.exposition()
    kinds = {"input": 7, "output": 5, "cache_read": 11, "cache_write": 13}
    for kind, count in kinds.items():
        assert number(text, "terraphim_tokens_total", target="gemini,flash", kind=kind) == count
    assert number(text, "terraphim_tokens_total", target="openai,gpt-5", kind="input") == 3
    usage = "gen_ai_client_token_usage"
    assert number(text, f"{usage}_sum", **OPERATION, gen_ai_token_type="input") == 31  # noqa: S106
    assert number(text, f"{usage}_sum", **OPERATION, gen_ai_token_type="output") == 5  # noqa: S106
    assert total(text, "terraphim_cost_micro_usd_total") == 0


def test_a_stream_is_measured_by_its_pieces(metrics: Metrics) -> None:
    metrics.settled(exchange(), 0.9)
    text = metrics.exposition()
    assert number(text, "gen_ai_server_time_to_first_token_seconds_sum", **OPERATION) == 0.5
    assert number(text, "gen_ai_server_time_per_output_token_seconds_sum", **OPERATION) == pytest.approx(0.1)
    chunk = "gen_ai_client_operation_time_per_output_chunk_seconds"
    assert number(text, f"{chunk}_count", **OPERATION) == number(text, f"{chunk}_bucket", **OPERATION, le="0.02") == 2
    assert number(text, f"{chunk}_sum", **OPERATION) == 0.03
    seconds = "gen_ai_client_operation_duration_seconds_sum"
    assert number(text, seconds, **OPERATION, error_type="") == pytest.approx(0.7)
    assert total(text, seconds, error_type="529") == 0.1


def test_what_is_no_stream_has_no_first_token(metrics: Metrics) -> None:
    one = exchange()
    assert one.inputs is not None
    one.inputs = Inputs(msgspec.structs.replace(one.inputs.features, stream=False))
    one.gaps = None
    metrics.settled(one, 0.9)
    assert not total(metrics.exposition(), "gen_ai_server_time_to_first_token_seconds_count")


def test_a_stream_that_broke_off_has_no_time_per_token(metrics: Metrics) -> None:
    one = exchange()
    one.whole = False
    metrics.settled(one, 0.9)
    text = metrics.exposition()
    assert total(text, "gen_ai_server_time_to_first_token_seconds_count") == 1
    assert not total(text, "gen_ai_server_time_per_output_token_seconds_count")


def test_an_answer_of_who_was_decided_is_no_fallback(metrics: Metrics) -> None:
    one = exchange()
    one.answered_by = ONE
    metrics.settled(one, 0.9)
    assert not total(metrics.exposition(), "terraphim_fallbacks_total")


def test_who_was_passed_over_is_counted(metrics: Metrics) -> None:
    one = exchange()
    one.passed_over = [(ONE, "breaker")]
    metrics.settled(one, 0.9)
    assert number(metrics.exposition(), "terraphim_passed_over_total", target="openai,gpt-5", why="breaker") == 1


def test_an_explanation_is_no_decision(metrics: Metrics) -> None:
    one = exchange()
    metrics.settled(one, 0.9, explained=True)
    text = metrics.exposition()
    assert number(text, "terraphim_requests_total", endpoint="/v1/messages", status="200") == 1
    assert (total(text, "terraphim_decisions_total"), total(text, "terraphim_attempts_total")) == (0, 0)


def test_a_request_that_was_not_decided_is_counted_too(metrics: Metrics) -> None:
    one = Exchange("req_1", "/v1/messages", "anthropic")
    one.status = 401
    metrics.settled(one, 0.001)
    assert number(metrics.exposition(), "terraphim_requests_total", endpoint="/v1/messages", status="401") == 1


def test_an_answer_given_again_used_nothing(metrics: Metrics) -> None:
    one = exchange()
    one.cache, one.usage, one.attempts = "hit", Usage(), []
    metrics.settled(one, 0.9)
    text = metrics.exposition()
    assert number(text, "terraphim_cache_total", outcome="hit") == 1
    assert not total(text, "terraphim_tokens_total", target="gemini,flash")


def test_a_million_names_that_nobody_configured_are_no_series(metrics: Metrics) -> None:
    one = exchange()
    for status in (200, 404, 477, 599):  # what strangers can cause is there from the start
        one.status = status
        metrics.settled(one, 0.9, card)
    names = map(str, range(1_000_100))
    strange(metrics, one, names)
    before = len(metrics.exposition().splitlines())
    while next(names, None) is not None:
        strange(metrics, one, names)
    text = metrics.exposition()
    assert len(text.splitlines()) == before
    assert total(text, "terraphim_requests_total") > 10_000


def strange(metrics: Metrics, one: Exchange, names: Iterator[str]) -> None:
    """A request with about a hundred names that nobody has seen before."""
    name = iter(lambda: next(names, "0"), None).__next__
    one.decision = Decision("default", f"rule:{name()}", (Candidate(Target("openai", name())),), "a" * 12)
    one.attempts = [Attempt(Target("openai", name()), f"9{name()}", 1.0) for _ in range(10)]
    one.attempts += [Attempt(Target(name(), name()), "ok", 1.0)]
    one.answered_by = Target(name(), "gpt-5")
    one.passed_over = [(Target("gemini", name()), "breaker") for _ in range(70)]
    one.status, one.client_key, one.error = 200, name(), name()
    metrics.settled(one, 0.9, card)


def test_every_endpoint_is_a_series(metrics: Metrics) -> None:
    for path in DATA_PLANE:
        metrics.settled(Exchange("req_1", path, "anthropic"), 0.1)
    text = metrics.exposition()
    assert all(number(text, "terraphim_requests_total", endpoint=path, status="other") == 1 for path in DATA_PLANE)
