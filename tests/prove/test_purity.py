"""The proofs of replays: small, and what they see of broken promises."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.exchange import Exchange
from core.lab.replay import Replay
from core.routing import decide as deciding
from prove import purity, purity_life, replays

SAID: dict[str, Any] = {
    "records": 3, "equal": 3, "partial": 0, "differs": 0, "not_replayable": 0, "not_replayable_because": {},
    "taken": {}, "differing": [], "sha256": {"recorded": "a", "replayed": "a"}, "exit": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Modules are compiled once."""
    return tmp_path_factory.mktemp("purity")


def test_a_few_decisions_are_pure(base: Path) -> None:
    section = purity.section(base / "pure", 12)
    assert section.findings == []
    assert section.number == "12 decisions byte-equal three times; 12 replays with captured words equal"


def test_what_depends_on_the_process_is_seen(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patterns that find something in the words of each third request that is looked at."""
    ticks = itertools.count()

    def moody(text: str) -> tuple[str, int]:
        return (text if next(ticks) % 3 else "use deepseek r1"), 0

    monkeypatch.setattr(deciding, "looked_at", moody)
    section = purity.section(base / "moody", 8)
    told = "; ".join(section.findings)
    assert "in a second process, it differs at request" in told
    assert "with its words is differs: pattern" in told
    assert section.number == ""


def test_where_two_lives_part() -> None:
    assert purity.first_difference(["a", "b"], ["a", "b"]) == ""
    assert purity.first_difference(["a", "b", "c"], ["a", "x", "y"]) == "request 2 of 3"
    assert purity.first_difference(["a", "b"], ["a"]) == "1 requests were decided, not 2"


@pytest.mark.parametrize(
    ("verdict", "with_words", "without"),
    [("equal", 0, 0), ("partial", 1, 0), ("differs", 1, 1), ("not_replayable", 1, 1)],
)
def test_a_replay_is_judged(verdict: str, with_words: int, without: int) -> None:
    found = Replay(request_id="req_1", at_ms=0, snapshot="", verdict=verdict, why="so")
    assert len(purity.judge(found, capture=True)) == with_words
    assert len(purity.judge(found, capture=False)) == without


@pytest.mark.parametrize(
    ("change", "capture", "finding"),
    [
        ({}, True, ""),
        ({"equal": 0, "partial": 3}, False, ""),
        ({"records": 2}, True, "2 records of 3 requests"),
        ({"equal": 2, "partial": 1}, True, "1 are partial although words are captured"),
        ({}, False, "no record lacks words"),
        ({"not_replayable": 1, "not_replayable_because": {"gone": 1}}, True, "1 cannot be replayed: [] {'gone': 1}"),
        ({"differs": 1, "differing": [{"differences": ["here"]}]}, True, "1 differ, 0 cannot be replayed: ['here']"),
        ({"exit": 1}, True, "0 differ"),
        ({"sha256": {"recorded": "a", "replayed": "b"}}, True, "another SHA-256"),
    ],
)
def test_the_sum_of_replays_is_judged(change: dict[str, Any], capture: bool, finding: str) -> None:
    found = replays.judge(SAID | change, 3, capture=capture)
    assert len(found) == bool(finding)
    assert finding in "".join(found)


def test_what_a_life_is_made_of(base: Path) -> None:
    lives: Iterator[Exchange] = purity_life.lives(base / "life", base / "artifacts", 3, 40)
    seen = list(lives)
    asked = {
        (outcome.rule, outcome.code) for each in seen for outcome in (each.decision.asked if each.decision else ())
    }
    assert {("loops", "fuel"), ("traps", "trap"), ("reads", "abstain"), ("runs-out", "fuel")} <= asked
    inputs = [each.inputs for each in seen if each.inputs]
    assert any(each.session.turns for each in inputs)
    assert any(each.factors for each in inputs)
    assert any(not state.healthy for each in inputs for state in each.states.values())
