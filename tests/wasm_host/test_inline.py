import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from wasm_modules import ROUTE, TARGETS, VIEW, answering, load, quoted, running, seeing

from wasm_host import abi
from wasm_host.answer import Outcome
from wasm_host.inline import InlineRunner
from wasm_host.projection import project
from wasm_host.rule import RuleSet

LOOP = running("(loop $l (br $l)) (i64.const 0)")
ABSTAINS = running("(i64.const 0)")


def run(rules: RuleSet, view: dict[str, Any] = VIEW) -> list[Outcome]:
    return InlineRunner().run(rules.rules, view, TARGETS)


def codes(rules: RuleSet) -> list[tuple[str, str]]:
    return [(outcome.rule, outcome.code) for outcome in run(rules)]


def test_the_first_answer_ends_the_asking(tmp_path: Path) -> None:
    modules = {"a.wat": ABSTAINS, "b.wat": LOOP, "c.wat": answering(ROUTE), "d.wat": answering(ROUTE)}
    little = {"b": {"limits": {"fuel": 100_000}}}
    assert codes(load(tmp_path, modules, little)) == [("a", "abstain"), ("b", "fuel"), ("c", "route")]


@pytest.mark.parametrize(("size", "code"), [(abi.ANSWER, "route"), (abi.ANSWER + 1, "refused")])
def test_a_good_answer_of_the_largest_size_and_one_byte_more(tmp_path: Path, size: int, code: str) -> None:
    far = 2 * 65_536  # beyond what the request is written to
    rule = running(f"(i64.const {far << 32 | size})", f"(data (i32.const {far}) {quoted(ROUTE.ljust(size))})")
    assert codes(load(tmp_path, {"a.wat": rule})) == [("a", code)]


def test_a_denial_ends_it_too(tmp_path: Path) -> None:
    deny = answering('{"deny":{"status":429,"message":"enough"},"reason":"quota"}')
    rules = load(tmp_path, {"a.wat": deny, "b.wat": ABSTAINS}, {"a": {"allow_deny": True}})
    [outcome] = run(rules)
    assert (outcome.code, outcome.deny_status, outcome.deny_message, outcome.reason) == ("deny", 429, "enough", "quota")
    assert outcome.decides


def test_a_shadow_is_asked_and_never_decides(tmp_path: Path) -> None:
    rules = load(tmp_path, {"a.wat": answering(ROUTE), "b.wat": ABSTAINS}, {"a": {"mode": "shadow", "fail": "deny"}})
    first, second = run(rules)
    assert (first.code, first.route, first.shadow, first.decides) == ("route", "a,b", True, False)
    assert second.code == "abstain"


@pytest.mark.parametrize(
    ("body", "code"),
    [("(unreachable)", "trap"), ("(loop $l (br $l)) (i64.const 0)", "fuel"), ("(i64.const 1)", "refused")],
)
def test_failing_closed(tmp_path: Path, body: str, code: str) -> None:
    operator = {"a": {"fail": "deny", "limits": {"fuel": 100_000}}}
    rules = load(tmp_path, {"a.wat": running(body), "b.wat": ABSTAINS}, operator)
    assert [(outcome.code, outcome.deny_status) for outcome in run(rules)] == [(code, 503)]


def test_abstaining_is_no_failure(tmp_path: Path) -> None:
    [outcome] = run(load(tmp_path, {"a.wat": ABSTAINS}, {"a": {"fail": "deny"}}))
    assert (outcome.code, outcome.deny_status, outcome.decides) == ("abstain", 0, False)


def test_the_deadline_ends_what_fuel_does_not(tmp_path: Path) -> None:
    rules = load(tmp_path, {"a.wat": LOOP}, {"a": {"limits": {"fuel": 200_000_000, "timeout_ms": 20}}})
    assert codes(rules) == [("a", "timeout")]


def test_memory_follows_the_operator(tmp_path: Path) -> None:
    grow = running("(drop (memory.grow (i32.const 300))) (i64.extend_i32_u (i32.le_u (memory.size) (i32.const 256)))")
    modules = {"a.wat": grow}
    assert codes(load(tmp_path, modules)) == [("a", "refused")]  # it answered 1: the memory did not grow
    assert codes(load(tmp_path, modules, {"a": {"limits": {"memory": 32 << 20}}})) == [("a", "abstain")]


def test_fuel_is_the_same_every_time(tmp_path: Path) -> None:
    rules = load(tmp_path, {"a.wat": answering(ROUTE)})
    fuel = {run(rules)[0].fuel for _ in range(5)}
    assert len(fuel) == 1
    assert 0 < fuel.pop() < 1000


def test_memory_is_told(tmp_path: Path) -> None:
    grow = running("(drop (memory.grow (i32.const 3))) (i64.const 0)")
    outcomes = run(load(tmp_path, {"a.wat": grow, "b.wat": ABSTAINS}))
    assert [outcome.pages for outcome in outcomes] == [8, 5]


def test_clock_and_randomness_are_the_requests(tmp_path: Path) -> None:
    """A rule that traps at another time, and logs its random bytes."""
    imports = f"""(import "terraphim" "log" (func $log (param i32 i32 i32)))
      (import "{abi.WASI}" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
      (import "{abi.WASI}" "random_get" (func $random (param i32 i32) (result i32)))"""
    body = f"""(drop (call $clock (i32.const 0) (i64.const 0) (i32.const 16)))
      (if (i64.ne (i64.load (i32.const 16)) (i64.const {VIEW["now_ms"] * 1_000_000})) (then unreachable))
      (drop (call $random (i32.const 24) (i32.const 32)))
      (call $log (i32.const 2) (i32.const 24) (i32.const 32)) (i64.const 0)"""
    rules = load(tmp_path, {"a.wat": running(body).replace("(module", f"(module {imports}", 1)})
    said = [run(rules, VIEW | {"seed": seed})[0] for seed in (1, 1, 2)]
    assert {outcome.code for outcome in said} == {"abstain"}
    assert said[0].log == said[1].log != said[2].log
    assert codes_at(rules, VIEW["now_ms"] + 1) == ["trap"]


def codes_at(rules: RuleSet, now_ms: int) -> list[str]:
    return [outcome.code for outcome in run(rules, VIEW | {"now_ms": now_ms})]


def test_micros_come_from_the_clock(tmp_path: Path) -> None:
    ticks = iter([1_000_000, 1_042_500])
    [outcome] = InlineRunner(clock=lambda: next(ticks)).run(load(tmp_path, {"a.wat": ABSTAINS}).rules, VIEW, TARGETS)
    assert outcome.micros == 42


def test_a_rule_sees_its_projection(tmp_path: Path) -> None:
    operator = {"a": {"input": ["request.model"], "config": {"x": 1}}}
    [outcome] = run(load(tmp_path, {"a.wat": seeing()}, operator))
    seen = msgspec.json.decode(outcome.log.removeprefix("info: "))
    assert seen == {
        "abi": 1, "now_ms": VIEW["now_ms"], "tz_offset_min": 60, "seed": 42,
        "request": {"model": "claude-sonnet-4-5"}, "config": {"x": 1},
    }  # fmt: skip
    assert not outcome.saw_text


def test_a_rule_that_saw_text_is_marked(tmp_path: Path) -> None:
    rules = load(tmp_path, {"a.wat": seeing(), "b.wat": seeing()}, {"a": {"grant": ["request.last_user"]}})
    first, second = run(rules)
    assert (first.saw_text, "Why does" in first.log) == (True, True)
    assert (second.saw_text, "Why does" in second.log) == (False, False)


def test_rules_of_one_view_are_shown_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = load(tmp_path, {f"{name}.wat": ABSTAINS for name in "abcd"}, {"d": {"config": {"x": 1}}})
    calls = []

    def counting(*args: Any) -> bytes | None:
        calls.append(args)
        return project(*args)

    monkeypatch.setattr("wasm_host.asking.project", counting)
    assert len(run(rules)) == 4
    assert len(calls) == 2


def test_a_request_that_is_too_large_skips_the_rule(tmp_path: Path) -> None:
    rules = load(tmp_path, {"a.wat": answering(ROUTE), "b.wat": answering(ROUTE)}, {"a": {"limits": {"request": 10}}})
    first, second = run(rules)
    assert (first.code, first.message) == ("skipped", "oversize: the request is over 10 bytes for this rule")
    assert second.code == "route"


def test_a_view_that_breaks_the_host_is_a_crash_of_the_rule_alone(tmp_path: Path) -> None:
    rules = load(tmp_path, {"a.wat": ABSTAINS, "b.wat": answering(ROUTE)}, {"b": {"input": []}})
    first, second = run(rules, VIEW | {"request": {"model": object()}})
    assert (first.code, first.message) == ("crash", "the host failed: TypeError")
    assert second.code == "route"


def test_a_lost_artifact_is_a_crash(tmp_path: Path) -> None:
    rules = load(tmp_path, {"a.wat": ABSTAINS})
    rules.rules[0].compiled.artifact.unlink()
    [outcome] = run(rules)
    assert (outcome.code, "gone or damaged" in outcome.message) == ("crash", True)


def test_prepared_rules_need_no_artifact(tmp_path: Path) -> None:
    rules = load(tmp_path, {"a.wat": ABSTAINS})
    runner = InlineRunner()
    runner.prepare(rules.rules)
    rules.rules[0].compiled.artifact.unlink()
    assert [outcome.code for outcome in runner.run(rules.rules, VIEW, TARGETS)] == ["abstain"]


def test_many_threads_at_once(tmp_path: Path) -> None:
    """Each sees its own request and its own log, though all share one engine and one host function."""
    rules = load(tmp_path, {"a.wat": seeing(), "b.wat": LOOP, "c.wat": running("(unreachable)")})
    runner = InlineRunner()
    gate = threading.Barrier(4)

    def ask(number: int) -> bool:
        if number < 4:
            gate.wait()
        view = VIEW | {"seed": number}
        seen, looped, trapped = runner.run(rules.rules, view, TARGETS)
        mine = msgspec.json.decode(seen.log.removeprefix("info: "))["seed"] == number
        return mine and looped.code in {"fuel", "timeout"} and trapped.code == "trap" and not trapped.log

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(24)))


def test_all_outcomes_are_named() -> None:
    assert set(abi.OUTCOMES) >= abi.FAULTS
