"""Who is asked, where, and what is remembered of it. Real workers."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from test_pool import LONG, busy, run
from wasm_modules import ROUTE, TARGETS, VIEW, answering, load, running

from wasm_host import host as host_module
from wasm_host.answer import Outcome
from wasm_host.breaker import FAULTS, OPEN_S
from wasm_host.host import Host, Observer
from wasm_host.pool import CRASHES, Change
from wasm_host.rule import Rule, RuleSet

TEXTS = {
    "a_abstain.wat": running("(i64.const 0)"),
    "b_trap.wat": running("(unreachable)"),
    "c_route.wat": answering(ROUTE),
    "d_deny.wat": running("(unreachable)", "(global i32 (i32.const 4))"),
    "e_evil.wat": answering('{"route":"evil,x"}'),
    "f_small.wat": running("(i64.const 0)", "(global i32 (i32.const 6))"),
    "g_shadow.wat": answering('{"route":"c,d"}'),
    "h_long.wat": running(LONG, "(global i32 (i32.const 8))"),
}
OPERATOR: dict[str, Any] = {
    "d_deny": {"fail": "deny"},
    "f_small": {"input": ["request"], "limits": {"request": 10}},
    "g_shadow": {"mode": "shadow"},
    "h_long": {"limits": {"fuel": 200_000_000, "timeout_ms": 2000}},
}


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    return load(tmp_path_factory.mktemp("rules"), TEXTS, OPERATOR)


class Seen(Observer):
    def __init__(self) -> None:
        self.calls: list[tuple[list[str], float]] = []
        self.states: list[tuple[str, str, str]] = []
        self.changes: list[Change] = []
        self.left: list[str] = []

    def gone(self, rule: str) -> None:
        self.left.append(rule)

    def asked(self, outcomes: Sequence[Outcome], queue_s: float) -> None:
        self.calls.append(([outcome.code for outcome in outcomes], queue_s))

    def breaker(self, rule: str, state: str, reason: str = "") -> None:
        self.states.append((rule, state, reason))

    def worker(self, change: Change) -> None:
        self.changes.append(change)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def serving(
    rules: Sequence[Rule], isolation: str = "process", clock: Clock | None = None, workers: int = 1
) -> AsyncGenerator[tuple[Host, Seen]]:
    seen = Seen()
    host = Host(seen, workers=workers, clock=clock or Clock())
    host.use(rules, isolation=isolation)
    try:
        yield host, seen
    finally:
        await host.close()


def named(rules: RuleSet, letters: str) -> list[Rule]:
    return [next(rule for rule in rules.rules if rule.name.startswith(letter)) for letter in letters]


def trusted(rules: Sequence[Rule]) -> list[Rule]:
    return [msgspec.structs.replace(rule, trust="locked") for rule in rules]


async def codes(host: Host, rules: Sequence[Rule]) -> list[str]:
    return [f"{outcome.rule[0]} {outcome.code}" for outcome in await host.ask(rules, VIEW, TARGETS)]


ORDERS = [
    ("abca", ["a abstain", "b trap", "c route"]),
    ("agc", ["a abstain", "g route", "c route"]),
    ("eac", ["e refused", "a abstain", "c route"]),
    ("afc", ["a abstain", "f skipped", "c route"]),
    ("f", ["f skipped"]),
    ("adc", ["a abstain", "d trap"]),
    ("g", ["g route"]),
]


@pytest.mark.parametrize("isolation", ["process", "inline"])
def test_rules_are_asked_in_order_until_one_decides(rules: RuleSet, isolation: str) -> None:
    async def test() -> None:
        async with serving(trusted(rules.rules), isolation) as (host, seen):
            for letters, expected in ORDERS:
                assert await codes(host, trusted(named(rules, letters))) == expected
            assert [code for code, _ in seen.calls] == [[said.split()[1] for said in order] for _, order in ORDERS]
            assert bool(host.pids) == (isolation == "process")

    run(test)


def test_who_serves_no_more_is_said(rules: RuleSet) -> None:
    async def test() -> None:
        async with serving(named(rules, "abc")) as (host, seen):
            host.use(named(rules, "ab"), isolation="process")
            assert seen.left == ["c_route"]
            host.use(named(rules, "abc"), isolation="process")
            assert seen.left == ["c_route"]
            assert [(name, state) for name, state, _ in seen.states].count(("c_route", "closed")) == 2

    run(test)


def test_trust_is_in_the_file_not_in_its_bytes(rules: RuleSet) -> None:
    async def test() -> None:
        [rule] = named(rules, "c")
        twin = msgspec.structs.replace(rule, name="z_twin")
        pair = [*trusted([rule]), twin]
        async with serving(pair, "inline") as (host, _):
            assert await codes(host, pair[:1]) == ["c route"]
            assert host.pids == []
            assert await codes(host, pair[1:]) == ["z route"]
            assert len(host.pids) == 1

    run(test)


def test_inline_is_only_for_rules_that_are_trusted(rules: RuleSet, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        mixed = [*trusted(named(rules, "a")), *named(rules, "bc")]
        async with serving(mixed, "inline") as (host, _):
            asked: list[int] = []
            ask = host._pool.ask

            async def counting(message: Any) -> Any:
                asked.append(len(message.calls))
                return await ask(message)

            monkeypatch.setattr(host._pool, "ask", counting)
            assert await codes(host, mixed) == ["a abstain", "b trap", "c route"]
            assert asked == [2]

    run(test)


def test_the_engine_stays_out_of_this_process_unless_it_is_asked_for(tmp_path: Path, clean_env: dict[str, str]) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path; from wasm_host.host import Host, Observer;"
        "from wasm_host.registry import load_rules; folder = Path(sys.argv[1]);"
        "rules = load_rules(folder / 'plugins', {}, cache=folder / 'cache').rules;"
        "host = Host(Observer(), workers=1); host.use(rules, isolation='process');"
        "print(len(rules), 'wasmtime' in sys.modules)"
    )
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "a.wat").write_text(TEXTS["a_abstain.wat"])
    root = Path(host_module.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], env=clean_env, cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "False"]


def test_a_rule_that_keeps_failing_is_left_alone_and_probed(rules: RuleSet) -> None:
    async def test() -> None:
        clock = Clock()
        pair = named(rules, "bc")
        async with serving(rules.rules, clock=clock) as (host, seen):
            for _ in range(FAULTS):
                assert await codes(host, pair) == ["b trap", "c route"]
            assert (host.state(pair[0]), host.state(pair[1])) == ("open", "closed")
            outcomes = await host.ask(pair, VIEW, TARGETS)
            assert [outcome.code for outcome in outcomes] == ["skipped", "route"]
            assert outcomes[0].message.startswith("breaker: ")
            clock.now = OPEN_S
            assert await codes(host, pair) == ["b trap", "c route"]
            assert await codes(host, pair) == ["b skipped", "c route"]
            why = "the last outcome is trap"
            told = [(state, reason) for rule, state, reason in seen.states if rule == "b_trap"]
            assert told == [("closed", ""), ("open", why), ("probing", ""), ("open", why)]

    run(test)


def test_a_failed_rule_that_fails_closed_stays_closed_behind_its_breaker(rules: RuleSet) -> None:
    async def test() -> None:
        pair = named(rules, "dc")
        async with serving(rules.rules) as (host, _):
            for _ in range(FAULTS + 1):
                outcomes = await host.ask(pair, VIEW, TARGETS)
            assert [(outcome.code, outcome.deny_status) for outcome in outcomes] == [("skipped", 503)]

    run(test)


def test_a_probe_behind_a_rule_that_decides_is_not_lost(rules: RuleSet) -> None:
    async def test() -> None:
        clock = Clock()
        async with serving(rules.rules, clock=clock) as (host, _):
            for _ in range(FAULTS):
                await codes(host, named(rules, "b"))
            clock.now = OPEN_S
            assert await codes(host, named(rules, "cb")) == ["c route"]
            assert await codes(host, named(rules, "bc")) == ["b trap", "c route"]

    run(test)


def test_a_rule_in_which_workers_die_is_put_into_quarantine_until_its_module_changes(rules: RuleSet) -> None:
    async def test() -> None:
        pair = named(rules, "hc")
        async with serving(rules.rules, workers=2) as (host, seen):
            ask = asyncio.create_task(host.ask(pair, VIEW, TARGETS))
            for count in range(CRASHES):
                os.kill(await busy(host._pool), signal.SIGSEGV)
                while sum(change.event == "crash" for change in seen.changes) <= count:  # noqa: ASYNC110 - as busy
                    await asyncio.sleep(0.005)
            assert [outcome.code for outcome in await ask] == ["crash", "route"]
            outcomes = await host.ask(pair, VIEW, TARGETS)
            assert outcomes[0].code == "skipped"
            assert outcomes[0].message == "quarantine: worker processes died in it (signal 11)"
            assert ("h_long", "quarantine", "worker processes died in it (signal 11)") in seen.states
            host.use(rules.rules, isolation="process")
            assert host.state(pair[0]) == "quarantine"
            host.use(named(rules, "c"), isolation="process")
            host.use(rules.rules, isolation="process")
            assert host.state(pair[0]) == "closed"

    run(test)


def test_nothing_to_ask_starts_nothing() -> None:
    async def test() -> None:
        async with serving([]) as (host, seen):
            host.start()
            await asyncio.sleep(0.05)
            assert await host.ask([], VIEW, TARGETS) == []
            assert (host.pids, seen.changes) == ([], [])

    run(test)


def test_a_lost_artifact_is_a_crash_of_that_rule(rules: RuleSet) -> None:
    async def test() -> None:
        lost = named(rules, "a")[0]
        facts = msgspec.structs.replace(lost.compiled.facts, sha256="0" * 64)
        gone = msgspec.structs.replace(lost.compiled, facts=facts, artifact=lost.compiled.artifact.with_name("gone"))
        pair = [msgspec.structs.replace(lost, compiled=gone), *named(rules, "c")]
        async with serving(pair) as (host, _):
            assert await codes(host, pair) == ["a crash", "c route"]

    run(test)
