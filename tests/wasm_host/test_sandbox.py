"""Calls in a worker process of one's own."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from test_execute import ask_of, executor_of
from wasm_modules import ROUTE, answering, load, running

from wasm_host.frames import Ask, Result
from wasm_host.rule import RuleSet
from wasm_host.sandbox import Sandbox

#: A rule that keeps count in a global: a second call in the same instance would answer otherwise.
COUNTS = running(
    "(global.set $n (i32.add (global.get $n) (i32.const 1)))"
    " (if (result i64) (i32.eq (global.get $n) (i32.const 1)) (then (i64.const 0)) (else (i64.const 1)))",
    "(global $n (mut i32) (i32.const 0))",
)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    texts = {
        "abstain.wat": running("(i64.const 0)"),
        "route.wat": answering(ROUTE),
        "trap.wat": running("(unreachable)"),
        "loop.wat": running("(loop $l (br $l)) (i64.const 0)"),
        "counts.wat": COUNTS,
    }
    return load(tmp_path_factory.mktemp("rules"), texts, {"loop": {"limits": {"fuel": 200_000_000}}})


@pytest.fixture(scope="module")
def box(rules: RuleSet) -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        sandbox.load(rules.rules)
        yield sandbox


def timeless(results: list[Result]) -> list[Result]:
    return [msgspec.structs.replace(result, micros=0) for result in results]


def test_a_sandbox_says_what_an_executor_says(rules: RuleSet, box: Sandbox) -> None:
    executor = executor_of(rules)
    for names in ("abstain", "route", "trap", "counts", "abstain trap route"):
        ask = ask_of(rules, names)
        assert timeless(box.run(ask)) == timeless(executor.run(ask)), names


def test_no_call_knows_of_the_one_before(rules: RuleSet, box: Sandbox) -> None:
    said = [box.run(ask_of(rules, "counts"))[0].answer for _ in range(20)]
    assert said == [b""] * 20


def test_a_module_that_is_not_there_is_a_crash(rules: RuleSet) -> None:
    with Sandbox() as empty:
        [result] = empty.run(ask_of(rules, "route"))
    assert (result.fault, result.message) == ("crash", "the artifact is gone or damaged: reload the plugins")


def test_a_process_that_dies_is_that_call_s_crash_and_the_next_has_a_new_one(rules: RuleSet) -> None:
    with Sandbox() as sandbox:
        sandbox.load(rules.rules)
        assert sandbox.run(ask_of(rules, "abstain"))[0].fault == ""
        before = sandbox.pid
        assert before is not None
        os.kill(before, signal.SIGKILL)
        assert [result.fault for result in sandbox.run(ask_of(rules, "abstain"))] == ["crash"]
        assert sandbox.run(ask_of(rules, "route"))[0].answer == ROUTE.encode()
        assert sandbox.pid not in (before, None)
    assert sandbox.pid is None


def test_of_several_calls_only_the_one_that_takes_the_process_along_is_a_crash(
    rules: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No module of ours can do that: here the parent kills before it asks, whenever that call is among them."""
    trap = next(rule.sha256 for rule in rules.rules if rule.name == "trap")
    with Sandbox() as sandbox:
        sandbox.load(rules.rules)
        asked = sandbox._asked

        def killing(ask: Ask) -> list[Result]:
            if trap in {call.sha256 for call in ask.calls} and sandbox.pid is not None:
                os.kill(sandbox.pid, signal.SIGKILL)
            return asked(ask)

        monkeypatch.setattr(sandbox, "_asked", killing)
        sandbox.run(ask_of(rules, "abstain"))
        results = sandbox.run(ask_of(rules, "abstain trap route abstain"))
    assert [(result.fault, result.answer) for result in results] == [("", b""), ("crash", b""), ("", ROUTE.encode())]


def test_what_does_not_end_is_ended_with_its_process(rules: RuleSet) -> None:
    """Its own clock would: here the process is stopped, so that nothing in it can."""
    with Sandbox(grace_s=0.2) as sandbox:
        sandbox.load(rules.rules)
        sandbox.run(ask_of(rules, "abstain"))
        pid = sandbox.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        assert [result.fault for result in sandbox.run(ask_of(rules, "abstain"))] == ["timeout"]
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_the_process_has_no_environment_and_no_files(rules: RuleSet, box: Sandbox) -> None:
    box.run(ask_of(rules, "abstain"))
    assert box.layers.get("environment") == "on"
    assert box.layers.keys() >= {"landlock", "seccomp", "descriptors"}


def test_the_larger_of_two_limits_of_one_module_counts(rules: RuleSet, tmp_path: Path) -> None:
    grow = running("(drop (memory.grow (i32.const 300))) (i64.extend_i32_u (i32.le_u (memory.size) (i32.const 256)))")
    large = load(tmp_path, {"a.wat": grow, "b.wat": grow}, {"b": {"limits": {"memory": 32 << 20}}})
    with Sandbox() as sandbox:
        sandbox.load(large.rules)
        assert [sandbox.run(ask_of(large, name))[0].answer for name in "ab"][1] == b""
