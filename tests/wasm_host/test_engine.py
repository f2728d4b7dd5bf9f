import threading

import pytest
from wasmtime import Config, Module, WasmtimeError

from wasm_host import engine


def test_every_setting_of_the_profile_exists() -> None:
    assert all(hasattr(Config, name) for name in engine.PROFILE)


def test_identity_names_version_and_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    before = engine.identity.__wrapped__()
    monkeypatch.setitem(engine.PROFILE, "consume_fuel", False)
    assert before.startswith("wasmtime-50.")
    assert engine.identity.__wrapped__() != before


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
        Module(engine.shared(), text)


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


def test_one_thread_serves_all() -> None:
    ticker = engine.Ticker(lambda: None, clock=lambda: 0.0)
    before = threading.active_count()
    threads = [threading.Thread(target=ticker.touch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert threading.active_count() == before + 1
