from dataclasses import replace

from facts import features, snapshot
from scraped import lines, number

from core.budgets import Spending
from core.exchange import Attempt, Candidate, Decision, Exchange, Inputs, SessionState
from core.metrics import Metrics
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
