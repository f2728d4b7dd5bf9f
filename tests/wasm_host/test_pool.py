"""Real worker processes: what they answer, and what becomes of a request when they die."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
import uvloop
from wasm_modules import ROUTE, VIEW, answering, load, running

from wasm_host import asking, child, pool, process
from wasm_host.compiler import read_artifact
from wasm_host.frames import Ask, Load, Ready, Result, Said, pack
from wasm_host.pool import Change, Pool
from wasm_host.rule import Rule, RuleSet

LONG = "(loop $l (br $l)) (i64.const 0)"


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    texts = {
        "abstain.wat": running("(i64.const 0)"),
        "route.wat": answering(ROUTE),
        "long.wat": running(LONG, "(global i32 (i32.const 1))"),
        "slow.wat": running(LONG, "(global i32 (i32.const 2))"),
    }
    long = {"limits": {"fuel": 200_000_000, "timeout_ms": 2000}}
    return load(tmp_path_factory.mktemp("rules"), texts, {"long": long, "slow": {"limits": {"fuel": 200_000_000}}})


class Seen:
    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.crashed: list[str] = []

    def events(self) -> list[str]:
        return [change.event for change in self.changes]

    async def until(self, event: str, times: int = 1) -> None:
        async with asyncio.timeout(10):
            while self.events().count(event) < times:  # noqa: ASYNC110 - it may have been and gone
                await asyncio.sleep(0.005)


@asynccontextmanager
async def started(rules: RuleSet, size: int = 1) -> AsyncGenerator[tuple[Pool, Seen]]:
    seen = Seen()
    workers = Pool(size, on_change=seen.changes.append, on_crash=lambda sha256, _: seen.crashed.append(sha256))
    workers.use(module(rule) for rule in rules.rules)
    try:
        await seen.until("ready", size)
        yield workers, seen
    finally:
        await workers.close()


def module(rule: Rule) -> Load:
    return Load(rule.sha256, read_artifact(rule.compiled.artifact) or b"", rule.settings.limits.memory)


def ask_of(rules: RuleSet, names: str, **change: Any) -> Ask:
    by_name = {rule.name: rule for rule in rules.rules}
    calls = [asking.call_of(by_name[name], 0) for name in names.split()]
    calls = [msgspec.structs.replace(call, **change) for call in calls]
    return Ask(0, [b'{"abi":1}'], VIEW["now_ms"], VIEW["seed"], calls)


def shown(results: list[Result]) -> list[str]:
    return [result.fault or ("answer" if result.answer else "abstain") for result in results]


async def busy(workers: Pool, call: int = 0) -> int:
    """The process that runs something, once it does."""
    async with asyncio.timeout(10):
        while True:
            for worker in workers._live:
                note = worker._board.read()
                if note and note.call == call:
                    return worker.pid
            await asyncio.sleep(0.001)


def run(test: Callable[[], Awaitable[None]]) -> None:
    """On the event loop that serves."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(test(), 30))


def test_rules_are_asked_in_order_until_one_answers(rules: RuleSet) -> None:
    async def test() -> None:
        async with started(rules) as (workers, seen):
            assert shown(await workers.ask(ask_of(rules, "abstain abstain route abstain"))) == ["abstain"] * 2 + [
                "answer"
            ]
            many = await asyncio.gather(*(workers.ask(ask_of(rules, "abstain route")) for _ in range(200)))
            assert {tuple(shown(results)) for results in many} == {("abstain", "answer")}
            assert seen.changes[0].path in ("native", "public")

    run(test)


def test_a_worker_that_is_killed_costs_no_answer(rules: RuleSet) -> None:
    async def test() -> None:
        async with started(rules, size=2) as (workers, seen):
            for round_ in range(5):
                await seen.until("ready", 2 + 2 * round_)
                asks = [asyncio.create_task(workers.ask(ask_of(rules, "abstain route"))) for _ in range(50)]
                await asyncio.sleep(0)
                for pid in workers.pids:
                    os.kill(pid, signal.SIGSEGV)
                results = await asyncio.gather(*asks)
                assert {tuple(shown(result)) for result in results} == {("abstain", "answer")}
            assert seen.crashed == []

    run(test)


def test_a_call_in_which_three_workers_die_is_at_fault_and_the_rules_around_it_are_asked(rules: RuleSet) -> None:
    async def test() -> None:
        async with started(rules, size=2) as (workers, seen):
            ask = asyncio.create_task(workers.ask(ask_of(rules, "abstain long route")))
            for _ in range(pool.CRASHES):
                pid = await busy(workers, call=1)
                os.kill(pid, signal.SIGSEGV)
                await seen.until("crash", _ + 1)
            results = await ask
            assert shown(results) == ["abstain", "crash", "answer"]
            assert "signal 11" in results[1].message
            assert seen.crashed == [rule.sha256 for rule in rules.rules if rule.name == "long"]
            await seen.until("ready", 5)

    run(test)


def test_one_death_may_come_from_outside(rules: RuleSet) -> None:
    async def test() -> None:
        async with started(rules, size=2) as (workers, seen):
            ask = asyncio.create_task(workers.ask(ask_of(rules, "long route", fuel=100_000_000)))
            os.kill(await busy(workers), signal.SIGSEGV)
            assert shown(await ask) == ["fuel", "answer"]
            assert seen.crashed == []

    run(test)


def test_what_is_over_its_deadline_and_cannot_be_interrupted_is_ended_with_its_process(rules: RuleSet) -> None:
    async def test() -> None:
        async with started(rules, size=2) as (workers, seen):
            ask = asyncio.create_task(workers.ask(ask_of(rules, "abstain slow route")))
            os.kill(await busy(workers, call=1), signal.SIGSTOP)
            results = await ask
            assert shown(results) == ["abstain", "timeout", "answer"]
            assert "limit of 100 ms" in results[1].message
            assert seen.crashed == []
            assert seen.events().count("deadline") == 1

    run(test)


def test_a_fault_that_ends_the_asking_ends_it_when_the_process_died(rules: RuleSet) -> None:
    async def test() -> None:
        async with started(rules) as (workers, _):
            ask = asyncio.create_task(workers.ask(ask_of(rules, "abstain slow route", ends=2)))
            os.kill(await busy(workers, call=1), signal.SIGSTOP)
            assert shown(await ask) == ["abstain", "timeout"]

    run(test)


def test_a_worker_that_stands_still_is_given_up(rules: RuleSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STALL_S", 0.3)

    async def test() -> None:
        async with started(rules) as (workers, seen):
            os.kill(workers.pids[0], signal.SIGSTOP)
            assert shown(await workers.ask(ask_of(rules, "route"))) == ["answer"]
            assert "stall" in seen.events()

    run(test)


def test_without_a_worker_a_request_is_told_so_in_time(rules: RuleSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "PATIENCE_S", 0.2)
    monkeypatch.setattr(child, "command", lambda *_: ["/bin/false"])

    async def test() -> None:
        seen = Seen()
        workers = Pool(1, on_change=seen.changes.append)
        workers.use([module(rules.rules[0])])
        results = await workers.ask(ask_of(rules, "abstain route"))
        assert shown(results) == ["crash", "crash"]
        assert results[0].message == "no worker could be started"
        assert "failed" in seen.events()
        await workers.close()

    run(test)


def test_a_request_from_before_a_swap_is_still_answered(rules: RuleSet) -> None:
    async def test() -> None:
        clock = [0.0]
        workers = Pool(1, clock=lambda: clock[0])
        workers.use(module(rule) for rule in rules.rules)
        workers.use([])
        assert shown(await workers.ask(ask_of(rules, "route"))) == ["answer"]
        clock[0] = pool.RETIRED_S + 1
        workers.use([])
        assert shown(await workers.ask(ask_of(rules, "route"))) == ["crash"]
        await workers.close()

    run(test)


def test_a_client_that_leaves_disturbs_nobody(rules: RuleSet) -> None:
    async def test() -> None:
        async with started(rules) as (workers, seen):
            ask = asyncio.create_task(workers.ask(ask_of(rules, "slow", fuel=20_000_000)))
            await busy(workers)
            ask.cancel()
            assert shown(await workers.ask(ask_of(rules, "route"))) == ["answer"]
            assert seen.events() == ["ready"]

    run(test)


NONSENSE = {
    "a length": b"\xff\xff\xff\xff",
    "no message": b"\x01\x00\x00\x00\xc1",
    "ready twice": pack(Ready({}, "native")),
    "an answer to nobody": pack(Said(10**6, [])),
}


@pytest.mark.parametrize("data", NONSENSE.values(), ids=NONSENSE)
def test_a_worker_that_talks_nonsense_is_replaced(rules: RuleSet, data: bytes) -> None:
    async def test() -> None:
        async with started(rules) as (workers, seen):
            workers._live[0].data_received(data)
            assert shown(await workers.ask(ask_of(rules, "route"))) == ["answer"]
            await seen.until("nonsense")

    run(test)


def test_what_a_worker_cannot_have_found_is_not_believed(rules: RuleSet) -> None:
    async def test() -> None:
        async with started(rules) as (workers, seen):
            ask = asyncio.create_task(workers.ask(ask_of(rules, "route")))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            [worker] = workers._live
            worker.data_received(pack(Said(1, [Result("skipped", "the user's words")])))
            assert shown(await ask) == ["answer"]  # perhaps of this very worker: it may have been quicker
            await seen.until("nonsense")

    run(test)


def test_a_limit_that_was_raised_reaches_a_worker_that_has_the_module(rules: RuleSet) -> None:
    async def test() -> None:
        async with started(rules) as (workers, _):
            larger = [msgspec.structs.replace(module(rule), memory=64 << 20) for rule in rules.rules]
            workers.use(larger)
            assert set(workers._live[0].sent.values()) == {64 << 20}
            assert shown(await workers.ask(ask_of(rules, "route"))) == ["answer"]

    run(test)


def test_the_number_of_workers_follows_the_setting(rules: RuleSet) -> None:
    async def test() -> None:
        async with started(rules) as (workers, seen):
            workers.resize(3)
            workers.start()
            await seen.until("ready", 3)
            workers.resize(1)
            await seen.until("closed", 2)
            assert len(workers.pids) == 1
            assert shown(await workers.ask(ask_of(rules, "route"))) == ["answer"]

    run(test)


def test_no_process_is_left(rules: RuleSet) -> None:
    async def test() -> None:
        async with started(rules, size=2) as (workers, _):
            pids = workers.pids
        assert len(pids) == 2
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    run(test)
