import threading

import pytest
from wasm_modules import artifact
from wasmtime import Module, WasmtimeError

from wasm_host import abi, engine, profile
from wasm_host.guest import Fault

TEXT = f'(module (func (export "{abi.ROUTE}")))'


@pytest.mark.parametrize(
    "text",
    [
        "(module (func (drop (i32x4.splat (i32.const 1)))))",
        "(module (memory 1 1 shared))",
        "(module (memory i64 1))",
        "(module (memory 1) (memory 1))",
        "(module (tag))",
        "(module (func $f (return_call $f)))",
        "(module (type (struct)))",
        "(module (func (param anyref)))",
        "(component)",
    ],
)
def test_what_is_off_is_off(text: str) -> None:
    with pytest.raises(WasmtimeError):
        Module(engine.for_memory(0), text)


def test_the_ticker_ticks_while_there_are_calls_and_then_rests() -> None:
    now = 0.0
    ticks = threading.Semaphore(0)
    ticker = engine.Ticker(ticks.release, clock=lambda: now)
    for _ in range(2):
        ticker.touch()
        assert ticks.acquire(timeout=10)
        now += ticker.LINGER_S + 1
        while ticker._wake.is_set():
            ticks.acquire(timeout=0.1)


def test_epochs_follow_the_clock_when_ticks_come_late() -> None:
    """One long sleep of the thread is made up for, up to the longest deadline."""
    now, ticks = 0.0, 0

    def tick() -> None:
        nonlocal ticks, now
        ticks += 1
        if ticks == 1:
            now = 1.0
        elif ticks == 1000 / profile.TICK_MS:
            now = 1000.0

    ticker = engine.Ticker(tick, clock=lambda: now)
    ticker._touched = 0.0
    ticker._follow(0.0)
    assert ticks == 1000 / profile.TICK_MS


def test_a_process_that_stood_still_does_not_tick_for_hours() -> None:
    now, ticks = 0.0, 0

    def tick() -> None:
        nonlocal ticks, now
        ticks += 1
        now = 1e6 if ticks == 1 else now

    ticker = engine.Ticker(tick, clock=lambda: now)
    ticker._touched = 1e6
    ticker.LINGER_S = 0.5  # type: ignore[misc]  # a shorter rest for the test
    ticks_before = ticker.MAKE_UP
    ticker._touched = 0.0
    ticker._follow(-1e6)
    assert ticks <= ticks_before


@pytest.mark.parametrize(("timeout_ms", "ticks"), [(1, 2), (2, 2), (3, 3), (100, 51), (2000, 1001)])
def test_a_deadline_is_at_least_the_limit_and_at_most_two_ticks_more(timeout_ms: int, ticks: int) -> None:
    """The first tick may come at once, so one more than the limit needs."""
    assert engine.ticks(timeout_ms) == ticks
    assert timeout_ms <= (ticks - 1) * profile.TICK_MS < timeout_ms + profile.TICK_MS


def test_both_engines_load_the_same_artifact() -> None:
    large = engine.SLOT_MEMORY + 1
    assert engine.for_memory(engine.SLOT_MEMORY) is not engine.for_memory(large)
    assert artifact(TEXT) == artifact(TEXT, large)
    for memory in (0, large):
        assert engine.interface(engine.load(artifact(TEXT), memory)) == (frozenset({abi.ROUTE}), True)


def test_only_a_large_engine_takes_a_large_memory() -> None:
    text = f"(module (memory {engine.SLOT_MEMORY // abi.PAGE + 1}))"
    with pytest.raises(WasmtimeError):
        Module(engine.for_memory(0), text)
    Module(engine.for_memory(engine.SLOT_MEMORY + 1), text)


def test_a_foreign_artifact_is_a_fault() -> None:
    with pytest.raises(Fault, match="cannot be loaded") as caught:
        engine.load(b"no machine code", 0)
    assert caught.value.code == "crash"


def test_without_the_c_api_there_is_no_pool_and_rules_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "capi", None)
    assert engine.for_memory(0) is engine.for_memory(engine.SLOT_MEMORY + 1)


def test_one_thread_serves_all() -> None:
    ticker = engine.Ticker(lambda: None, clock=lambda: 0.0)
    before = threading.active_count()
    threads = [threading.Thread(target=ticker.touch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert threading.active_count() == before + 1
