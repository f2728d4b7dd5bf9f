"""What an operator sees of targets and keys."""

from core.exchange import Target
from core.metrics import Metrics
from core.target_events import TargetEvents

TARGET = Target("p", "m")


def events() -> tuple[TargetEvents, Metrics, list[tuple[dict[str, object], str]]]:
    metrics, lines = Metrics(), list[tuple[dict[str, object], str]]()
    metrics.known.learn_targets([TARGET])
    return TargetEvents(metrics, lambda fields, level: lines.append((fields, level))), metrics, lines


def test_a_breaker_is_a_gauge_and_a_line_for_each_change() -> None:
    told, metrics, lines = events()
    for state in ("closed", "open", "open", "probing", "closed"):
        told.breaker(TARGET, state)
    assert [(fields["state"], level) for fields, level in lines] == [
        ("open", "warning"), ("probing", "warning"), ("closed", "info"),
    ]  # fmt: skip
    assert lines[0][0]["target"] == "p,m"
    exposition = metrics.exposition().decode()
    assert 'terraphim_target_breaker{state="closed",target="p,m"} 1.0' in exposition
    assert 'terraphim_target_breaker{state="open",target="p,m"} 0.0' in exposition


def test_a_target_that_goes_takes_its_gauge_with_it() -> None:
    told, metrics, _ = events()
    told.breaker(TARGET, "open")
    told.gone(TARGET)
    told.gone(Target("never", "seen"))
    assert b"p,m" not in metrics.exposition()


def test_a_key_is_named_by_its_position() -> None:
    told, metrics, lines = events()
    told.key_rests(TARGET, 2, "key_refused", 300.0)
    assert lines == [
        (
            {
                "event": "provider_key",
                "provider": "p",
                "key": 2,
                "why": "key_refused",
                "target": "p,m",
                "rest_s": 300.0,
            },
            "warning",
        )
    ]
    assert b'terraphim_key_rests_total{provider="p",why="key_refused"} 1.0' in metrics.exposition()


def test_retries_are_counted_by_reason_and_those_without_room_too() -> None:
    told, metrics, _ = events()
    told.again("server", "next")
    told.exhausted()
    assert b'terraphim_retries_total{action="next",reason="server"} 1.0' in metrics.exposition()
    assert b"terraphim_retries_refused_total 1.0" in metrics.exposition()
