"""Breakers and quarantine by rule and module."""

import msgspec
import pytest
from wasm_modules import load, running

from wasm_host import abi, asking
from wasm_host.breaker import CLOSED, FAULTS, OPEN, OPEN_S
from wasm_host.frames import Result
from wasm_host.health import QUARANTINE, Health
from wasm_host.rule import Rule


@pytest.fixture(scope="module")
def rule(tmp_path_factory: pytest.TempPathFactory) -> Rule:
    return load(tmp_path_factory.mktemp("rules"), {"a.wat": running("(i64.const 0)")}).rules[0]


def record(health: Health, rule: Rule, code: str, times: int = FAULTS) -> None:
    for _ in range(times):
        health.record(rule, asking.outcome(rule, Result(code, "why"), frozenset()), 0)


@pytest.mark.parametrize("code", sorted(abi.FAULTS - {"skipped"}))
def test_every_fault_counts(rule: Rule, code: str) -> None:
    health = Health()
    record(health, rule, code)
    assert health.state(rule) == OPEN
    assert health.why_not(rule, 0).startswith("breaker: ")
    assert health.why_not(rule, OPEN_S) == ""


def test_answers_and_skips_do_not(rule: Rule) -> None:
    health = Health()
    record(health, rule, "skipped", 50)
    for _ in range(50):
        health.record(rule, asking.outcome(rule, Result(), frozenset()), 0)
    assert (health.state(rule), health.why_not(rule, 0)) == (CLOSED, "")


def test_quarantine_lasts_until_the_module_changes(rule: Rule) -> None:
    health = Health()
    health.quarantine(rule, "SIGSEGV twice")
    assert health.state(rule) == QUARANTINE
    health.keep([rule])
    assert health.why_not(rule, 1e9) == "quarantine: SIGSEGV twice"
    facts = msgspec.structs.replace(rule.compiled.facts, sha256="0" * 64)
    other = msgspec.structs.replace(rule, compiled=msgspec.structs.replace(rule.compiled, facts=facts))
    assert health.why_not(other, 0) == ""
    health.keep([other])
    assert health.why_not(rule, 0) == ""


def test_a_probe_that_was_not_made_is_given_back(rule: Rule) -> None:
    health = Health()
    record(health, rule, "trap")
    assert health.why_not(rule, OPEN_S) == ""
    health.withdraw(rule, OPEN_S)
    assert health.why_not(rule, OPEN_S) == ""
    health.withdraw(msgspec.structs.replace(rule, name="b"), 0)


def test_to_ask_whether_a_rule_rests_takes_no_probe(rule: Rule) -> None:
    health = Health()
    assert health.rests(rule, 0) == ""
    record(health, rule, "trap")
    assert health.rests(rule, OPEN_S - 1).startswith("breaker: ")
    assert [health.rests(rule, OPEN_S) for _ in range(3)] == [""] * 3
    assert health.state(rule) == OPEN
    assert health.why_not(rule, OPEN_S) == "", "this one is the probe"
    assert health.rests(rule, OPEN_S + 1).startswith("breaker: "), "which nobody joins"
    health.quarantine(rule, "it died")
    assert health.rests(rule, 0) == "quarantine: it died"
