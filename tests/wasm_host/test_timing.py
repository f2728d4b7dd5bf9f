from pathlib import Path
from typing import Any

from wasm_modules import ROUTE, VIEW, answering, load, running

from wasm_host.rule import Rule
from wasm_host.timing import round_trips


def rule_of(folder: Path, text: str, **operator: Any) -> Rule:
    [rule] = load(folder, {"mine.wat": text}, {"mine": operator}).rules
    return rule


def test_every_call_is_timed(tmp_path: Path) -> None:
    nanos = round_trips(rule_of(tmp_path, answering(ROUTE)), VIEW, 20)
    assert len(nanos) == 20
    assert min(nanos) > 0


def test_a_rule_that_traps_is_timed_too(tmp_path: Path) -> None:
    assert len(round_trips(rule_of(tmp_path, running("unreachable")), VIEW, 3)) == 3


def test_a_rule_that_is_not_asked_is_not_timed(tmp_path: Path) -> None:
    assert round_trips(rule_of(tmp_path, answering(ROUTE), limits={"request": 9}), VIEW, 3) == []


def test_a_rule_that_costs_a_worker_each_time_is_not_timed(tmp_path: Path) -> None:
    limits = {"fuel": 200_000_000, "timeout_ms": 1}
    assert round_trips(rule_of(tmp_path, running("(loop $l (br $l)) (i64.const 0)"), limits=limits), VIEW, 3) == []
