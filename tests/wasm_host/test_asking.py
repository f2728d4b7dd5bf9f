"""Calls for rules, and outcomes of results, without any guest."""

from pathlib import Path
from typing import Any

import pytest
from wasm_modules import TARGETS, VIEW, load, running

from wasm_host import abi, asking
from wasm_host.frames import AT_ANSWER, AT_FAULT, NEVER, Call, Result
from wasm_host.rule import RuleSet

ABSTAINS = running("(i64.const 0)")


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    operator: dict[str, Any] = {
        "a": {},
        "b": {},
        "c": {"config": {"x": 1}},
        "d": {"fail": "deny"},
        "s": {"mode": "shadow", "fail": "deny"},
        "small": {"input": ["request"], "limits": {"request": 10, "fuel": 5, "memory": 400_000, "timeout_ms": 7}},
    }
    return load(tmp_path_factory.mktemp("rules"), dict.fromkeys((f"{n}.wat" for n in operator), ABSTAINS), operator)


def named(rules: RuleSet, *names: str) -> list[Any]:
    return [next(rule for rule in rules.rules if rule.name == name) for name in names]


def test_rules_of_one_view_share_a_request(rules: RuleSet) -> None:
    prepared, oversize = asking.prepare(named(rules, "a", "b", "c", "a"), VIEW)
    assert oversize is None
    assert [call.request for call in prepared.ask.calls] == [0, 0, 1, 0]
    assert len(prepared.ask.requests) == 2
    assert b'"config":{"x":1}' in prepared.ask.requests[1]
    assert (prepared.ask.now_ms, prepared.ask.seed) == (VIEW["now_ms"], VIEW["seed"])


def test_limits_and_ends_go_with_the_call(rules: RuleSet) -> None:
    prepared, _ = asking.prepare(named(rules, "a", "d", "s"), VIEW)
    assert [call.ends for call in prepared.ask.calls] == [AT_ANSWER, AT_FAULT, NEVER]
    call = asking.call_of(named(rules, "small")[0], 3)
    assert (call.request, call.fuel, call.memory, call.timeout_ms) == (3, 5, 400_000, 7)


def test_a_request_that_is_too_large_ends_the_calls_before_it(rules: RuleSet) -> None:
    prepared, oversize = asking.prepare(named(rules, "a", "small", "b"), VIEW)
    assert [rule.name for rule in prepared.rules] == ["a"]
    assert oversize is not None
    assert (oversize.rule, oversize.code) == ("small", "skipped")
    assert oversize.message.startswith("oversize: ")


@pytest.mark.parametrize(
    ("result", "at_answer", "at_fault"),
    [
        (Result(), False, False),
        (Result(answer=b'{"abstain":true}'), False, False),
        (Result(answer=b'{"route":"a,b"}'), True, True),
        (Result(answer=b'{"deny":{"status":429}}'), True, True),
        (Result(answer=b'{"route":7}'), True, True),
        (Result(answer=b'{"error":{"code":"x"}}'), False, True),
        (Result(answer=b"{"), False, True),
        (Result(answer=b"\xff"), False, True),
        (Result(answer=b"[" * 10_000), False, True),
        (Result("trap"), False, True),
    ],
)
def test_when_the_asking_ends(result: Result, at_answer: bool, at_fault: bool) -> None:
    for ends, expected in ((NEVER, False), (AT_ANSWER, at_answer), (AT_FAULT, at_fault)):
        assert asking.ends(Call("", 0, 1, 1, 1, ends), result) is expected


def test_an_outcome_is_judged_whatever_the_worker_thought(rules: RuleSet) -> None:
    [rule] = named(rules, "a")
    assert asking.outcome(rule, Result(answer=b'{"route":"a,b"}', fuel=3, micros=4, log="l"), TARGETS).code == "route"
    assert asking.outcome(rule, Result(answer=b'{"route":"evil,x"}'), TARGETS).code == "refused"
    trap = asking.outcome(rule, Result("trap", "unreachable", fuel=3, micros=4, log="l"), TARGETS)
    assert (trap.code, trap.message, trap.fuel, trap.micros, trap.log) == ("trap", "unreachable", 3, 4, "l")
    assert not trap.decides


def test_a_fault_denies_where_the_operator_says_so(rules: RuleSet) -> None:
    deny, shadow = (asking.outcome(rule, Result("trap"), TARGETS) for rule in named(rules, "d", "s"))
    assert (deny.deny_status, deny.decides) == (abi.FAIL_STATUS, True)
    assert not shadow.decides


def test_a_view_that_breaks_the_host_is_the_fault_of_that_rule_alone(rules: RuleSet) -> None:
    prepared, unasked = asking.prepare(named(rules, "a"), {"request": {"model": object()}})
    assert prepared.rules == []
    assert unasked is not None
    assert (unasked.code, unasked.message) == ("crash", "the host failed: TypeError")


def test_every_result_has_an_outcome_of_the_contract(rules: RuleSet, tmp_path: Path) -> None:
    [rule] = named(rules, "a")
    assert all(asking.outcome(rule, Result(code), TARGETS).code in abi.OUTCOMES for code in abi.FAULTS)
