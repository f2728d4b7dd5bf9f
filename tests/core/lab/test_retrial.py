"""Records decided again with a candidate."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from facts import settings, snapshot
from relived import ABSTAINS, CHEAP, CHEAPEST, CLEVER, COIN, CONCEPTS, LOOPS, READS, TEXT, TRAPS, live, ruled

from core.decision_record import Record, Result, canonical
from core.exchange import SessionState, Target, Warm
from core.lab.again import NotCaptured
from core.lab.drivers import Calls as CallsOfRules
from core.lab.drivers import CannotRun
from core.lab.enforce import enforced
from core.lab.money import Purse
from core.lab.retrial import Pair, Retrial, decided, pair, settled
from core.lab.tally import Tally
from core.messages import Usage
from core.routing.snapshot import Snapshot
from wasm_host import frames
from wasm_host.compiler import read_artifact
from wasm_host.execute import Executor


class Calls:
    """Runs rules in this process, and counts."""

    def __init__(self, *shots: Snapshot) -> None:
        self._executor, self.calls = Executor(), 0
        for rule in (rule for shot in shots for rule in shot.rules.rules):
            code = read_artifact(rule.compiled.artifact)
            assert code
            self._executor.load(rule.sha256, code, rule.settings.limits.memory)

    def run(self, ask: frames.Ask) -> list[frames.Result]:
        self.calls += len(ask.calls)
        return self._executor.run(ask)


class Runs:
    """Records decided again, one after the other."""

    def __init__(self, pairs: Callable[[str], Pair], calls: CallsOfRules) -> None:
        self._retrial, self._purse, self.tally = Retrial(pairs, calls), Purse(), Tally()

    def __call__(self, record: Record) -> None:
        self.tally.join(settled(self._retrial([record]), self._purse))


def retrial(own: Snapshot | None, other: Snapshot) -> Runs:
    its = pair(own, other)
    return Runs(lambda _: its, Calls(other))


def with_digest(decision: Any, other: Any) -> bytes:
    """The decision's bytes under the other's snapshot."""
    return canonical(msgspec.structs.replace(decision, snapshot=other.snapshot))


def test_a_rule_that_is_added_decides(tmp_path: Path) -> None:
    own, other = snapshot(settings(default=CLEVER), CONCEPTS), ruled(tmp_path, {"cheap": CHEAPEST}, default=CLEVER)
    runs = retrial(own, other)
    for text in ("hello", "on the cheap"):
        runs(live(own, last_user=text))
    tally = runs.tally
    assert {key: kind.count for key, kind in tally.flips.items()} == {(CLEVER, CHEAP): 1}
    assert {key: kind.count for key, kind in tally.reasons.items()} == {("concept:frugal", "rule:cheap"): 1}
    assert tally.rules["cheap"].won == {"default": 1, "concept:frugal": 1}
    assert (tally.records, tally.replayed, tally.partial) == (2, 2, 0)


def test_the_same_snapshot_changes_nothing_and_runs_nothing(tmp_path: Path) -> None:
    own = ruled(tmp_path, {"coin": COIN, "trap": TRAPS, "reads": READS}, default=CLEVER)
    calls = Calls(own)
    runs = Runs(lambda _: pair(own, own), calls)
    for seed in range(20):
        runs(live(own, seed=seed, last_user="on the cheap"))
    assert (runs.tally.flips, runs.tally.reasons, runs.tally.behind, calls.calls) == ({}, {}, 0, 0)
    assert runs.tally.replayed == 20
    assert runs.tally.rules["coin"].kept == 20


@pytest.mark.parametrize("capture", [False, True])
def test_a_live_shadow_and_the_candidate_agree_exactly(tmp_path_factory: pytest.TempPathFactory, capture: bool) -> None:
    """Also where its words were not captured: then the record's answer counts."""
    modules = {"coin": COIN, "trap": TRAPS, "a": ABSTAINS}
    shadows = {name: {"mode": "shadow"} for name in modules} | {"coin": {"mode": "shadow", **TEXT}}
    live_shot = ruled(tmp_path_factory.mktemp("live"), modules, shadows, default=CLEVER)
    tables = {**shadows, "coin": dict(TEXT)}
    candidate = ruled(tmp_path_factory.mktemp("candidate"), modules, tables, default=CLEVER)
    its, calls = pair(live_shot, candidate), Calls(candidate)
    for seed in range(30):
        record = live(live_shot, capture=capture, seed=seed, last_user="on the cheap", images=seed % 2)
        decision, taken = decided(record, its, calls)
        would = enforced(record, live_shot, "coin")
        assert with_digest(decision, would) == canonical(would)
        assert taken == ([] if capture else ["coin"])
        before = {outcome.rule: outcome for outcome in record.asked}
        for outcome in decision.asked:
            then = before[outcome.rule]
            facts = ("code", "route", "score", "tags", "fuel", "seen", "module")
            assert [getattr(outcome, name) for name in facts] == [getattr(then, name) for name in facts]


def test_words_that_were_not_captured_are_never_counted_as_equal(tmp_path_factory: pytest.TempPathFactory) -> None:
    own = snapshot(settings(default=CLEVER), CONCEPTS)
    reading = ruled(tmp_path_factory.mktemp("reading"), {"reads": READS}, {"reads": TEXT}, default=CLEVER)
    runs = retrial(own, reading)
    runs(live(own, last_user="hello"))
    assert runs.tally.not_replayable == {"rule reads, which reads request.last_user": 1}
    assert (runs.tally.replayed, runs.tally.flips) == (0, {})


def test_another_taxonomy_needs_the_words_unless_there_are_none_or_nobody_looks() -> None:
    own, other = snapshot(settings(default=CLEVER), CONCEPTS), snapshot(settings(default=CLEVER))
    runs = retrial(own, other)
    runs(live(own, last_user="on the cheap"))
    runs(live(own, last_user=""))
    runs(live(own, last_user="on the cheap", model=CHEAP))
    assert runs.tally.not_replayable == {"the pattern phase": 1}
    assert (runs.tally.replayed, runs.tally.flips) == (2, {})


def test_without_its_own_snapshot_a_record_is_decided_by_the_other_alone(tmp_path: Path) -> None:
    own, other = snapshot(settings(default=CLEVER)), ruled(tmp_path, {"cheap": CHEAPEST}, default=CLEVER)
    runs = retrial(None, other)
    runs(live(own, last_user="hello"))
    assert list(runs.tally.flips) == [(CLEVER, CHEAP)]


def test_what_the_machine_did_then_is_not_done_again(tmp_path: Path) -> None:
    own = ruled(tmp_path, {"slow": ABSTAINS}, default=CLEVER)
    record = live(own)
    slow = msgspec.structs.replace(record.asked[0], code="timeout", fuel=1)
    record = msgspec.structs.replace(record, asked=(slow,))
    decision, taken = decided(record, pair(own, own), Calls(own))
    assert (decision.asked, taken) == ((slow,), ["slow"])


def test_a_rule_that_cannot_be_run_is_no_result(tmp_path: Path) -> None:
    other = ruled(tmp_path, {"cheap": CHEAPEST}, default=CLEVER)

    class Dead:
        def run(self, ask: frames.Ask) -> list[frames.Result]:
            return [frames.Result("crash", "gone") for _ in ask.calls]

    own = snapshot(settings(default=CLEVER), CONCEPTS)
    its = pair(own, other)
    with pytest.raises(CannotRun, match="rule cheap"):
        decided(live(own), its, Dead())
    runs = Runs(lambda _: its, Dead())
    runs(live(own))
    assert runs.tally.not_replayable == {"rule cheap: crash: gone": 1}


def test_a_candidate_that_uses_up_its_fuel_is_a_fault(tmp_path: Path) -> None:
    own, other = snapshot(settings(default=CLEVER), CONCEPTS), ruled(tmp_path, {"loops": LOOPS}, default=CLEVER)
    runs = retrial(own, other)
    runs(live(own))
    assert runs.tally.rules["loops"].faults == {"fuel": 1}
    assert runs.tally.flips == {}


def test_another_priority_or_mode_leaves_answers_as_they_were(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The order is another one; nothing is run."""
    modules = {"coin": COIN, "cheap": CHEAPEST}
    own = ruled(tmp_path_factory.mktemp("own"), modules, {"cheap": {"mode": "shadow", "priority": 1}}, default=CLEVER)
    other = ruled(tmp_path_factory.mktemp("other"), modules, {"cheap": {"priority": 99}}, default=CLEVER)
    calls = Calls(other)
    record = live(own, seed=3)
    decision, _ = decided(record, pair(own, other), calls)
    assert (decision.reason, calls.calls) == ("rule:coin", 0)
    silent = ruled(tmp_path_factory.mktemp("silent"), modules, {"coin": {"mode": "shadow"}}, default=CLEVER)
    decision, _ = decided(record, pair(own, silent), calls)
    assert (decision.reason, calls.calls) == ("rule:cheap", 0)


def answered(record: Record, number: int, session: str, usage: Usage, **more: Any) -> Record:
    inputs = record.inputs
    its = msgspec.structs.replace(inputs.features, session_id=session)
    state = SessionState(warm=(Warm(CLEVER, 1, 0),))
    result = Result(answered_by=Target.parse(CLEVER), usage=usage, **more)
    return msgspec.structs.replace(
        record, at_ms=number * 1000, inputs=msgspec.structs.replace(inputs, features=its, session=state), result=result
    )


def test_money_follows_the_session(tmp_path: Path) -> None:
    own, other = snapshot(settings(default=CLEVER), CONCEPTS), ruled(tmp_path, {"cheap": CHEAPEST}, default=CLEVER)
    runs = retrial(own, other)
    record = live(own)
    usage = Usage(input=5000, output=10)
    for number in range(300):
        runs(answered(record, number, f"s{number // 3}", usage))
    assert runs.tally.money.requests == 300
    prices = other.card(Target.parse(CHEAP)).price
    assert prices.input is not None
    assert prices.output is not None
    assert prices.cache_read is not None
    cold, warm = 5000 * prices.input, 5000 * prices.cache_read
    each = 100 * (cold + 2 * warm + 30 * prices.output)
    assert runs.tally.money.candidate == pytest.approx(each * 1_000_000, rel=1e-9)


@pytest.mark.parametrize("more", [{"simulated": True}, {"cache": "hit"}, {"usage": Usage()}])
def test_what_nobody_was_paid_for_costs_nothing_elsewhere(tmp_path: Path, more: Mapping[str, Any]) -> None:
    own, other = snapshot(settings(default=CLEVER), CONCEPTS), ruled(tmp_path, {"cheap": CHEAPEST}, default=CLEVER)
    runs = retrial(own, other)
    fields = {"usage": Usage(input=5000), **more}
    runs(answered(live(own), 1, "s", **fields))
    assert (runs.tally.money.requests, runs.tally.money.unused) == (0, 1)


def test_a_snapshot_that_is_gone_is_a_reason() -> None:
    def gone(digest: str) -> Pair:
        raise NotCaptured(f"snapshot {digest[:12]}")

    own = snapshot(settings(default=CLEVER))
    runs = Runs(gone, Calls())
    runs(live(own))
    assert runs.tally.not_replayable == {f"snapshot {own.id}": 1}
