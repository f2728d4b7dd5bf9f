from typing import Any

import pytest

from core.top_figures import MOST, Figures, quantile

NOW = 1_800_000_000_000


def request(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"req_{number}", "at_ms": NOW, "state": "done", "ms": float(number), "cost_micro_usd": 10} | more


def test_quantiles_are_nearest_ranks() -> None:
    assert quantile([], 0.5) is None
    assert [quantile([3, 1, 2, 4], share) for share in (0.0, 0.25, 0.5, 0.51, 0.95, 1.0)] == [1, 1, 2, 3, 4, 4]


def test_a_request_is_one_line_however_often_it_is_told() -> None:
    figures = Figures()
    figures.take("request", request(1, state="open", ms=None, cost_micro_usd=None))
    figures.take("request", request(1))
    told = figures.summary(NOW)
    assert (len(figures.requests), told["ms_p50"], told["spent_micro_usd"], told["unpriced"]) == (1, 1.0, 10, 0)


def test_rates_are_of_the_ticks_that_are_remembered() -> None:
    figures = Figures()
    assert figures.summary(NOW)["requests_per_s"] is None
    for second in range(100):
        figures.take("tick", {"now_ms": NOW + 1000 * second, "in_flight": 3, "requests": 5 * second, "errors": second})
    told = figures.summary(NOW)
    assert (told["requests_per_s"], told["errors_per_s"]) == (5.0, 1.0)
    assert (told["in_flight"], told["requests"], told["errors"]) == (3, 495, 99)


def test_what_took_long_ago_does_not_count() -> None:
    figures = Figures()
    figures.take("requests", {"requests": [request(2), request(1, at_ms=NOW - 61_000)]})
    assert list(figures.requests) == ["req_1", "req_2"]
    assert figures.summary(NOW)["ms_p95"] == 2.0


def test_only_the_last_ones_are_remembered() -> None:
    figures = Figures()
    for number in range(MOST + 5):
        figures.take("request", request(number, cost_micro_usd=None))
    assert (len(figures.requests), next(iter(figures.requests))) == (MOST, "req_5")
    assert figures.summary(NOW)["unpriced"] == MOST


def test_another_process_begins_anew() -> None:
    figures = Figures()
    figures.take("hello", {"started_ms": 1})
    figures.take("request", request(1))
    figures.take("tick", {"now_ms": NOW, "requests": 50, "errors": 0})
    figures.take("reload", {"started_ms": 1, "snapshot": "b"})
    assert len(figures.requests) == 1
    figures.take("hello", {"started_ms": 2})
    figures.take("tick", {"now_ms": NOW + 1000, "requests": 1, "errors": 0})
    assert (len(figures.requests), figures.summary(NOW)["requests_per_s"]) == (0, None)


@pytest.mark.parametrize("name", ["hello", "reload", "request", "tick", "lost", "requests", "providers", "rules", "?"])
@pytest.mark.parametrize(
    "data",
    [{}, [], None, 1, {"requests": 1, "providers": [1], "rules": "x", "count": "x", "now_ms": None, "id": {}},
     {"now_ms": 1e300, "requests": [], "errors": {}, "at_ms": "x", "ms": "x", "count": 1e308}],
)  # fmt: skip
def test_nothing_that_is_told_does_harm(name: str, data: Any) -> None:
    figures = Figures()
    for _ in range(3):
        figures.take(name, data)
    figures.summary(NOW)
