"""The proof of the limits sees what it should."""

from collections import Counter
from typing import Any

import pytest
from redis_server import RedisServer
from upstream_http import Recorded

from core.limiting import Limiting
from core.state.limits_redis import GAP_MS, Scripts, scripts
from core.state.redis import Script
from prove import limits, limits_model
from prove.limits import Arrival, Arrivals, by_arrival, judge, worst

GOOD = Counter({"200": 3, "429 rate_limit_error": 1})


def arrivals(*moments: tuple[float, str, int]) -> Arrivals:
    made = Arrivals()
    seen = [(0.0, "rate", 1), (0.0, "tokens", 1), *moments]
    made.seen = [Arrival(at, at, name, there) for at, name, there in seen]
    return made


def test_the_worst_window_is_found() -> None:
    moments = [(0.0, 0.0), (59.9, 59.9), (60.0, 60.0), (61.0, 59.8), (121.0, 119.0)]
    seen = [Arrival(came, sent, "rate", 1) for came, sent in moments]
    assert (worst(seen), by_arrival(seen)) == (3, 3)
    assert worst(seen[:2]) == by_arrival(seen[:2]) == 2
    late = [Arrival(61.0, 0.5, "rate", 1), Arrival(61.0, 61.0, "rate", 1)]
    assert (worst(late), by_arrival(late)) == (1, 2)
    assert worst([]) == 0


def test_what_is_within_the_limits_is_no_finding() -> None:
    spread = [(at / 10, "rate", 1) for at in range(600)]
    assert judge(arrivals(*spread[:599]), 60.0, GOOD) == []


@pytest.mark.parametrize(
    ("moments", "seconds", "said"),
    [
        ([(at / 10, "rate", 1) for at in range(600)], 70.0, "requests of a key: 601 in 60 s, the limit is 600"),
        ([(at / 100, "rate", 1) for at in range(90)], 1.0, "requests of a key: 91 in 1 s, 70 may be"),
        ([(at / 10, "tokens", 1) for at in range(360)], 70.0, "by its tokens: 361 in 60 s, the limit is 360"),
        ([(at / 40, "many", 1) for at in range(2400)], 70.0, "requests of the target: 2402 in 60 s"),
        ([(1.0, "many", 11)], 70.0, "11 requests at once, the limit is 10"),
    ],
)
def test_what_is_over_a_limit_is_a_finding(moments: Any, seconds: float, said: str) -> None:
    assert any(said in finding for finding in judge(arrivals(*moments), seconds, GOOD))


def test_nothing_at_all_and_strange_answers_are_findings() -> None:
    assert "none came through" in judge(Arrivals(), 10.0, GOOD)[0]
    assert judge(arrivals(), 10.0, Counter({"500 api_error": 2})) == ["answers of another kind: 500 api_error 2"]


def test_requests_of_one_key_that_are_there_are_counted() -> None:
    made = Arrivals()
    one, two, three = (Recorded("POST", "/", {}, b'{"messages": [{"content": "many 1.0"}]}') for _ in range(3))
    made.append(one)
    made.append(two)
    one.answered = True
    made.append(three)
    assert (made.at_once("many"), len(made)) == (2, 3)


def test_the_model_finds_nothing_wrong(redis_server: RedisServer) -> None:
    model = limits_model.run(redis_server.url, 400, seed=5)
    assert model.findings == []
    assert model.counts["clock steps"] > 3
    assert min(model.counts[kind] for kind in ("answered", "broke off", "left", "retries", "crashes")) > 0


def broken(server: RedisServer, change: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the model finds when a part of the guard does something else."""
    monkeypatch.setattr(*change)
    return "\n".join(limits_model.run(server.url, 400, seed=5).findings)


def test_the_model_sees_a_reservation_that_is_never_settled(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = broken(redis_server, (Limiting, "leave", lambda *_: None), monkeypatch)
    assert "were not settled exactly once" in found
    assert "requests still hold something" in found
    assert "are counted as there who have gone" in found


def test_the_model_sees_what_is_settled_with_something_else(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "settled, " in broken(redis_server, ("core.limiting._sum", lambda _: {"tokens": 1}), monkeypatch)


def test_the_model_sees_what_a_clock_that_is_believed_lets_in(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gullible(time: str) -> Scripts:
        return Scripts(*(Script(script.lua.replace(f" and gap <= {GAP_MS}", "")) for script in scripts(time)))

    monkeypatch.setattr(limits_model, "STEPS_OF_CLOCKS", (61_000,))
    found = broken(redis_server, (limits_model, "scripts", gullible), monkeypatch)
    assert "at once, the limit is" in found or "within 60 s, the limit is" in found


def test_the_promise_is_skipped_loudly_without_redis(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert limits.section(tmp_path / "x", 1, 1.0, 1).verdict == "SKIPPED"
