"""Requests that are over become records on a real disk."""

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from facts import features, run, snapshot

from core.decision_recorder import DecisionRecorder
from core.exchange import Exchange, Inputs, SessionState
from core.redaction import Redactor
from core.routing.decide import decide
from core.schema_state import RecordSettings
from core.state.ledger import read

SHOT = snapshot()


def over(number: int, text: str = "hello", **facts: Any) -> Exchange:
    exchange = Exchange(f"req_{number}", "/v1/messages", "anthropic", began_ms=number)
    exchange.inputs = Inputs(features(last_user=text, **facts))
    exchange.decision, _ = run(decide(SHOT, exchange.inputs.features, SessionState()), [])
    return exchange


class Heard:
    """What a recorder said."""

    def __init__(self) -> None:
        self.lines: list[dict[str, object]] = []
        self.counts: Counter[str] = Counter()

    def say(self, fields: dict[str, object], level: str) -> None:
        self.lines.append(fields)

    def count(self, outcome: str, count: int) -> None:
        self.counts[outcome] += count


@pytest.fixture
def heard() -> Iterator[Heard]:
    before = set(threading.enumerate())
    yield Heard()
    assert [thread.name for thread in set(threading.enumerate()) - before if thread.name == "records"] == []


def finish(kept: DecisionRecorder) -> None:
    if kept.recorder:
        kept.recorder.stop()
        assert kept.recorder.join(10)


def test_requests_become_records(tmp_path: Path, heard: Heard) -> None:
    kept = DecisionRecorder(heard.say, heard.count)
    assert kept.health() == "off"
    kept.put(over(0), SHOT, 0.5)
    kept.use(RecordSettings(), tmp_path / "one")
    for number in range(1, 4):
        kept.put(over(number), SHOT, 0.5)
    kept.put(Exchange("req_9", "/v1/messages", "anthropic"), SHOT, 0.5)  # it was not decided
    assert kept.health() == "ok"
    first = kept.recorder
    kept.use(RecordSettings(max_mb=7), tmp_path / "two")
    kept.put(over(4), SHOT, 0.5)
    finish(kept)
    assert first is not None
    assert first.join(10)
    found = list(read(tmp_path / "one"))
    assert [(record.request_id, record.result.ms) for record in found] == [(f"req_{n}", 500) for n in (1, 2, 3)]
    assert [record.request_id for record in read(tmp_path / "two")] == ["req_4"]
    assert (heard.counts, heard.lines) == ({"written": 4}, [])


def test_no_key_is_kept(tmp_path: Path, heard: Heard) -> None:
    secret = "sk-0123456789abcdefghij"  # noqa: S105 - a made-up one
    kept = DecisionRecorder(heard.say, heard.count)
    kept.use(RecordSettings(), tmp_path)
    kept.put(over(1, tools=("Bash", secret)), SHOT, 0.5, Redactor([secret]))
    finish(kept)
    [record] = read(tmp_path)
    assert record.inputs.features.tools == ("Bash", "[redacted]")


def test_what_would_take_too_much_memory_is_lost_and_counted(tmp_path: Path, heard: Heard) -> None:
    (tmp_path / "decisions").write_text("in the way")
    kept = DecisionRecorder(heard.say, heard.count, room_bytes=100)
    kept.use(RecordSettings(), tmp_path / "decisions")
    for number in range(9):
        kept.put(over(number, "x" * 40), SHOT, 0.5)
    assert heard.counts == {"lost": 7}
    kept.put(over(9, "y" * 20), SHOT, 0.5)
    assert heard.counts == {"lost": 7}
    (tmp_path / "decisions").unlink()
    finish(kept)
    assert [record.request_id for record in read(tmp_path / "decisions")] == ["req_0", "req_1", "req_9"]
