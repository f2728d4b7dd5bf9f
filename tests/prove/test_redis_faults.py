"""The proof of a Redis that fails sees what it should."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from redis_server import redis_running

from core.schema_state import RedisSettings
from core.state.redis import Redis, StoreDown
from prove import redis_shared
from prove.redis_faults import CLIENTS, STARVED, STRAY, Load, Window, _judged, judge, ran_late_s
from prove.redis_relay import Relay, relay
from prove.redis_scene import installed, store
from prove.scene import Seen
from prove.section import Section


def seen(ms: list[float]) -> list[Seen]:
    """A request each 10 ms."""
    return [Seen(number / 100, each, 200, "", "", []) for number, each in enumerate(ms)]


def load(*slow: float, count: int = 100, usual: float = 5.0) -> Load:
    """The proxy's requests, some of them slow, over a floor of 5 ms."""
    return Load(seen([*[usual] * (count - len(slow)), *slow]), seen([5.0] * 100))


def window(events: tuple[str, ...] = ("redis_down", "redis_up"), **more: Any) -> Window:
    """An outage, of which everything was said and done."""
    values = {"fault": "killed", "outages": 1, "refusals": (), "begun": 0.1, "healed": 0.9, "served": 1.0, **more}
    return Window(lines=[{"event": event, "why": "timeout"} for event in events], **values)


def test_an_outage_that_costs_who_waits_once_is_as_promised() -> None:
    figures, wrong, slow = judge(window(), load(*[54.0] * CLIENTS))
    assert wrong == slow == []
    assert figures.startswith("100 requests, p50 5.0, p99 54.0, max 54 ms (without Redis p50 5.0, p99 5.0, max 5)")


@pytest.mark.parametrize(
    ("hurt", "finding"),
    [
        (load(*[54.0] * (CLIENTS + STRAY + 1)), "7 requests waited, 0 without Redis: 3 clients, 1 outages"),
        (load(*[70.0] * (STRAY + 1)), "4 requests took over 60 ms longer, 0 without Redis"),
        (load(usual=6.5), "requests take 1.5 ms longer while Redis is left alone, give or take 0.0"),
        (load(count=5), "only 5 requests, and 100 without Redis: nothing is shown"),
    ],
)
def test_what_costs_more_is_a_finding(hurt: Load, finding: str) -> None:
    assert judge(window(), hurt)[1:] == ([], [finding])


@pytest.mark.parametrize(
    ("said", "finding"),
    [
        (window(("redis_down",)), "1 times down and 0 times up in the log"),
        (window((), outages=0, refusals=("full",)), "the log says that Redis refused [], not ['full']"),
        (
            window(("redis_refused",) * 2, outages=0, refusals=("timeout",)),
            "the log says that Redis refused ['timeout', 'timeout'], not ['timeout']",
        ),
    ],
)
def test_a_log_that_says_something_else_is_a_finding(said: Window, finding: str) -> None:
    assert judge(said, load())[1:] == ([finding], [])


def test_more_or_fewer_outages_than_there_were_are_a_finding() -> None:
    twice = window(("redis_down", "redis_up") * 2)
    assert judge(twice, load())[1:] == ([], ["2 outages in the log, not 1: timeout, timeout"])
    assert judge(window(()), load())[1:] == ([], ["0 outages in the log, not 1: "])


def test_a_machine_that_was_too_busy_shows_nothing_of_latencies() -> None:
    figures, wrong, slow = judge(window(starved=STARVED), load(*[500.0] * 50))
    assert wrong == slow == []
    assert "latencies not judged: no core for 25% of the time" in figures
    assert judge(window(("redis_down",), starved=STARVED), load())[1] != []
    assert ran_late_s(10**9) == 0.0


@pytest.mark.parametrize("last", [False, True])
def test_what_a_busy_machine_does_as_well_is_tried_again(*, last: bool) -> None:
    found, slow = Section(""), load(*[70.0] * (STRAY + 1))
    assert _judged(
        [window(("redis_down",), fault="a"), window(fault="b", starved=STARVED)], slow, found, last=last
    ) == (set() if last else {"a", "b"})
    always = "a: 1 times down and 0 times up in the log"
    assert found.findings == ([always, "a: 4 requests took over 60 ms longer, 0 without Redis"] if last else [always])
    assert list(found.counts) == (["a", "b"] if last else [])


def test_limits_that_are_not_shared_are_a_finding() -> None:
    assert redis_shared.judge([200] * 6 + [429] * 18, 7, "before") == []
    assert redis_shared.judge([200] * 12 + [429] * 12, 7, "before") == [
        "limits, before: two proxies served 12 requests, 7 may be"
    ]
    assert len(redis_shared.judge([503] * 24, 7, "after")) == 2


@pytest.mark.parametrize(("harm", "kind"), [("slow", "timeout"), ("cut", "closed"), ("garbage", "garbled")])
def test_what_stands_between_does_its_harm(tmp_path: Path, harm: str, kind: str) -> None:
    async def ask(between: Relay) -> str:
        redis = Redis()
        redis.use(RedisSettings(url=f"redis://127.0.0.1:{between.port}", timeout_ms=150), "")
        assert await redis.command("PING") == b"PONG"
        between.harm = harm
        with pytest.raises(StoreDown) as caught:
            await redis.command("ECHO", "a" * 100)
        await redis.close()
        return caught.value.kind

    with redis_running(tmp_path) as server, relay(server.port) as between:
        assert asyncio.run(ask(between)) == kind


@pytest.mark.skipif(not installed(), reason="SKIPPED: redis-server is not installed")
def test_every_key_gets_something_else(tmp_path: Path) -> None:
    with store(tmp_path / "redis") as server:
        server.command("SET", "text", "x")
        server.command("HSET", "table", "a", "b")
        server.plant()
        assert (server.command("TYPE", "text"), server.command("TYPE", "table")) == (b"list", b"string")
        server.restart("--requirepass", "other")
        assert "NOAUTH" in str(server.command("GET", "text"))
