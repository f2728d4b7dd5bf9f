import gc
from dataclasses import replace
from itertools import pairwise

import pytest
from facts import features, snapshot
from scraped import lines, number, total

from core import presets
from core.budgets import Spending
from core.exchange import Attempt, Candidate, Decision, Exchange, Inputs, SessionState, Target
from core.messages import Usage
from core.metrics import Metrics, known
from core.metrics.exposition import OPENMETRICS, PLAIN
from core.redis_events import RedisEvents
from core.state.background import Background
from core.state.redis import Redis
from core.state.sessions import ChosenSessions


def test_the_pools_are_asked_when_metrics_are_read() -> None:
    metrics, counts = Metrics(), [1, 2, 3]
    metrics.pools(lambda: counts)
    counts[0] = 7
    text = metrics.exposition().decode()
    for state, count in (("acquired", 7), ("idle", 2), ("waiting", 3)):
        assert f'terraphim_upstream_connections{{state="{state}"}} {count}.0' in text


def test_what_a_snapshot_names_may_be_a_label() -> None:
    metrics, served = Metrics(), snapshot(concepts={"research.md": "# Research\nsynonyms:: study\n"})
    metrics.swapped(served, "swapped")
    text = metrics.exposition()
    assert number(text, "terraphim_reloads_total", outcome="swapped") == 1
    assert number(text, "terraphim_snapshot", id=served.id) == 1
    one = Exchange("req_1", "/v1/messages", "anthropic")
    target = sorted(served.targets)[0]
    one.decision = Decision("pattern", "concept:research", (Candidate(target),), served.id)
    one.attempts = [Attempt(target, "ok", 1.0)]
    metrics.settled(one, 0.1)
    text = metrics.exposition()
    assert number(text, "terraphim_decisions_total", phase="pattern", reason="concept:research") == 1
    assert number(text, "terraphim_attempts_total", target=str(target), outcome="ok") == 1


def test_one_snapshot_serves_at_a_time() -> None:
    metrics = Metrics()
    for number_ in range(300):
        metrics.swapped(replace(snapshot(), digest=f"{number_:064d}"[::-1]), "swapped")
    lines_ = [line for line in lines(metrics.exposition()) if line.name == "terraphim_snapshot"]
    assert [(line.labels, line.value) for line in lines_] == [({"id": f"{299:064d}"[::-1][:12]}, 1)]


def test_files_that_are_refused_and_mended_are_seen() -> None:
    metrics = Metrics(now=lambda: 1234.0)
    metrics.looked(0.2, True)
    metrics.looked(0.3, False)
    assert number(metrics.exposition(), "terraphim_reload_failed") == 1
    metrics.looked(0.1, True)
    text = metrics.exposition()
    assert number(text, "terraphim_reload_failed") == 0
    assert number(text, "terraphim_last_reload_success_timestamp_seconds") == 1234
    assert number(text, "terraphim_reload_seconds_count") == 3


def test_budgets_are_asked_for_when_metrics_are_read() -> None:
    metrics, spending = Metrics(), [Spending("laptop", "day", 5_000_000, 1)]
    metrics.known.learn("client", ["laptop"])
    metrics.watch_budgets(lambda: spending)
    assert number(metrics.exposition(), "terraphim_budget_spent_micro_usd", client="laptop", period="day") == 1
    spending[:] = [Spending("laptop", "month", 7, 8)]
    text = metrics.exposition()
    assert number(text, "terraphim_budget_spent_micro_usd", client="laptop", period="day") is None
    assert number(text, "terraphim_budget_limit_micro_usd", client="laptop", period="month") == 7
    assert number(text, "terraphim_budget_spent_micro_usd", client="laptop", period="month") == 8


def test_requests_of_sessions_are_counted_by_whether_something_was_known() -> None:
    metrics = Metrics()
    sessions = ChosenSessions(Redis(RedisEvents(metrics, lambda *_: None)), Background())
    metrics.watch_sessions(sessions)
    for session, turns in (("", 0), ("one", 0), ("one", 1), ("one", 2)):
        one = Exchange("req_1", "/v1/messages", "anthropic")
        one.inputs = Inputs(features(session_id=session), SessionState(turns=turns))
        metrics.decided(one)
    metrics.decided(Exchange("req_2", "/v1/messages", "anthropic"))
    sessions.write("key", "one", SessionState(turns=1))
    text = metrics.exposition()
    assert number(text, "terraphim_session_reads_total", outcome="miss") == 1
    assert number(text, "terraphim_session_reads_total", outcome="hit") == 2
    assert number(text, "terraphim_sessions") == 1


NEVER_FALL = (
    *("terraphim_tokens_total", "terraphim_attempts_total", "terraphim_decisions_total"),
    "gen_ai_client_token_usage_count",
)


def served_with(metrics: Metrics, generation: int) -> None:
    """A configuration with five models and a concept of its own, and a request to each of its models."""
    models: dict[str, dict[str, object]] = {f"model-{generation}-{at}": {} for at in range(5)}
    config = presets.embedded(set(), {"providers": {"openrouter": {"models": models}}})
    shot = snapshot(config, {f"topic_{generation}.md": "# T\nroute:: openrouter,auto\nsynonyms:: a topic\n"})
    metrics.swapped(shot, "swapped")
    for model in models:
        target = Target("openrouter", model)
        one = Exchange("req_1", "/v1/messages", "anthropic")
        one.decision = Decision("pattern", f"concept:topic_{generation}", (Candidate(target),), shot.id)
        one.attempts = [Attempt(target, "ok", 1.0)]
        one.usage = Usage(input=10, output=1)
        metrics.settled(one, 0.1)


def test_generations_of_new_names_leave_a_bounded_number_of_series_and_no_sum_falls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(known, "LEAST_GONE", 8)
    metrics, series, sums, kept = Metrics(), list[float](), list[tuple[float, ...]](), list[int]()
    for generation in range(60):
        served_with(metrics, generation)
        text = metrics.text(PLAIN)
        metrics.text(OPENMETRICS)
        if generation % 5 == 4:
            shown = list(lines(text))
            series.append(sum(line.value for line in shown if line.name == "terraphim_metric_series"))
            sums.append(tuple(sum(line.value for line in shown if line.name == name) for name in NEVER_FALL))
            gc.collect()
            kept.append(len(gc.get_objects()))
    assert sums[-1] == (11 * 300, 300, 300, 2 * 300)
    assert all(
        before < after for befores, afters in pairwise(sums) for before, after in zip(befores, afters, strict=True)
    )
    assert max(series[6:]) <= 1.05 * max(series[:6])
    assert max(kept[6:]) < max(kept[:6]) + 300  # a generation makes some thirty series, and each is an object
    assert total(metrics.exposition(), "terraphim_tokens_total", target="openrouter,model-59-0") == 11
    assert total(metrics.exposition(), "terraphim_tokens_total", target="openrouter,model-0-0") == 0
