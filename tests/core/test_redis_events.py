"""What an operator sees of Redis."""

from core.metrics import Metrics
from core.redis_events import SAY_EVERY_S, RedisEvents


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def events() -> tuple[RedisEvents, Metrics, list[tuple[dict[str, object], str]], Clock]:
    metrics, lines, clock = Metrics(), list[tuple[dict[str, object], str]](), Clock()
    return RedisEvents(metrics, lambda fields, level: lines.append((fields, level)), clock), metrics, lines, clock


def test_each_change_is_a_line_and_a_gauge() -> None:
    told, metrics, lines, _ = events()
    assert b"terraphim_redis_down 0.0" in metrics.exposition()
    told.down("timeout")
    assert b"terraphim_redis_down 1.0" in metrics.exposition()
    told.up(1.23456)
    assert b"terraphim_redis_down 0.0" in metrics.exposition()
    assert lines == [
        ({"event": "redis_down", "why": "timeout"}, "warning"),
        ({"event": "redis_up", "away_s": 1.235}, "info"),
    ]


def test_commands_are_counted_by_how_they_ended() -> None:
    told, metrics, _, _ = events()
    for outcome in ("ok", "ok", "left_alone", "timeout"):
        told.answered(outcome, 0.003)
    text = metrics.exposition().decode()
    assert 'terraphim_redis_commands_total{outcome="ok"} 2.0' in text
    assert 'terraphim_redis_commands_total{outcome="left_alone"} 1.0' in text
    assert 'terraphim_redis_commands_total{outcome="timeout"} 1.0' in text
    assert 'terraphim_redis_seconds_bucket{le="0.005"} 3.0' in text
    assert "terraphim_redis_seconds_count 3.0" in text


def test_what_keeps_being_refused_is_said_once_in_a_while() -> None:
    told, _, lines, clock = events()
    for _ in range(5):
        told.answered("full", 0.001)
        told.answered("wrong_type", 0.001)
    clock.now += SAY_EVERY_S
    told.answered("full", 0.001)
    assert [fields["why"] for fields, _ in lines] == ["full", "wrong_type", "full"]
    assert {fields["event"] for fields, _ in lines} == {"redis_refused"}


def test_what_an_outage_ends_is_said_by_the_outage() -> None:
    told, _, lines, _ = events()
    told.down("timeout")
    for outcome in ("timeout", "closed", "left_alone", "cancelled", "no_script"):
        told.answered(outcome, 0.05)
    told.up(1.0)
    for outcome in ("closed", "left_alone", "cancelled", "no_script", "ok"):
        told.answered(outcome, 0.05)
    assert [fields["event"] for fields, _ in lines] == ["redis_down", "redis_up"]


def test_a_server_that_was_down_and_is_asked_no_more_is_not_down() -> None:
    told, metrics, lines, _ = events()
    told.down("timeout")
    told.left()
    assert b"terraphim_redis_down 0.0" in metrics.exposition()
    told.answered("full", 0.001)  # of the next one
    assert [fields["event"] for fields, _ in lines] == ["redis_down", "redis_refused"]
