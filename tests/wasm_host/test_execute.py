"""Modules made ready from bytes, and calls on them."""

from pathlib import Path

import pytest
from wasm_modules import ROUTE, VIEW, answering, load, running

from wasm_host import asking, guest
from wasm_host.compiler import read_artifact
from wasm_host.execute import Executor
from wasm_host.frames import Ask
from wasm_host.rule import RuleSet

REQUEST = b'{"abi":1}'


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    texts = {
        "abstain.wat": running("(i64.const 0)"),
        "route.wat": answering(ROUTE),
        "trap.wat": running("(unreachable)"),
    }
    return load(tmp_path_factory.mktemp("rules"), texts)


def ask_of(rules: RuleSet, names: str) -> Ask:
    by_name = {rule.name: rule for rule in rules.rules}
    calls = [asking.call_of(by_name[name], 0) for name in names.split()]
    return Ask(1, [REQUEST], VIEW["now_ms"], VIEW["seed"], calls)


def executor_of(rules: RuleSet) -> Executor:
    executor = Executor()
    for rule in rules.rules:
        code = read_artifact(rule.compiled.artifact)
        assert code is not None
        executor.load(rule.sha256, code, rule.settings.limits.memory)
    return executor


def test_calls_run_in_order_until_one_ends_them(rules: RuleSet) -> None:
    begun: list[int] = []
    results = executor_of(rules).run(ask_of(rules, "abstain trap route abstain"), begun.append)
    assert [(result.fault, result.answer) for result in results] == [("", b""), ("trap", b""), ("", ROUTE.encode())]
    assert begun == [0, 1, 2]
    assert all(result.fuel > 0 for result in results)


def test_what_is_forgotten_is_a_crash_that_says_so(rules: RuleSet) -> None:
    executor = executor_of(rules)
    kept = next(rule.sha256 for rule in rules.rules if rule.name == "route")
    executor.keep(frozenset({kept}))
    first, second = executor.run(ask_of(rules, "trap route"))
    assert (first.fault, first.message) == ("crash", "the artifact is gone or damaged: reload the plugins")
    assert second.answer == ROUTE.encode()


def test_bytes_that_are_no_machine_code_are_refused() -> None:
    with pytest.raises(guest.Fault, match="the artifact cannot be loaded"):
        Executor().load("0" * 64, b"no machine code", 0)


def test_a_fault_of_the_host_is_a_result(rules: RuleSet, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = executor_of(rules)

    def broken(*_args: object, **_more: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(guest, "execute", broken)
    first, _ = executor.run(ask_of(rules, "abstain abstain"))
    assert (first.fault, first.message) == ("crash", "the host failed: RuntimeError")


def test_microseconds_come_from_the_clock(rules: RuleSet) -> None:
    ticks = iter(range(0, 10**9, 5_000))
    executor = Executor(clock=lambda: next(ticks))
    [rule] = [rule for rule in rules.rules if rule.name == "abstain"]
    executor.load(rule.sha256, read_artifact(rule.compiled.artifact) or b"", 1 << 24)
    [result] = executor.run(ask_of(rules, "abstain"))
    assert result.micros == 5


def test_the_same_bytes_and_fuel_every_time(rules: RuleSet, tmp_path: Path) -> None:
    executor = executor_of(rules)
    asks = [executor.run(ask_of(rules, "abstain trap route")) for _ in range(3)]
    assert len({tuple((r.fault, r.answer, r.fuel, r.log) for r in results) for results in asks}) == 1
