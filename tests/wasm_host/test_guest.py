from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from wasm_modules import ALLOC, running
from wasmtime import Module, WasmtimeError

from wasm_host import abi, engine
from wasm_host.guest import Fault, Guest, prepare

LOG = '(import "terraphim" "log" (func $log (param i32 i32 i32)))'


@contextmanager
def born(text: str, fuel: int = 1_000_000) -> Iterator[Guest]:
    prepared = prepare(Module(engine.shared(), text))
    with Guest(prepared, fuel=fuel, memory=abi.LIMITS["memory"].default, timeout_ms=1000) as guest:
        guest.start()
        yield guest


def logging(calls: str, data: str) -> str:
    return f"""(module {LOG} (memory (export "memory") 1) (data (i32.const 16) "{data}") {ALLOC}
      (func (export "rule_v1_route") (param i32 i32) (result i64) {calls} (i64.const 0)))"""


def test_what_it_is_asked_arrives() -> None:
    echo = running(
        "(i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1)))"
    )
    with born(echo) as guest:
        assert guest.ask(b'{"a":1}') == b'{"a":1}'


def test_levels_and_lines() -> None:
    calls = "".join(f"(call $log (i32.const {level}) (i32.const 16) (i32.const 2))" for level in (0, 1, 2, 3, 4, 5, -1))
    with born(logging(calls, "hi")) as guest:
        guest.ask(b"{}")
        assert guest.log.splitlines() == [
            "trace: hi", "debug: hi", "info: hi", "warn: hi", "error: hi", "info: hi", "info: hi",
        ]  # fmt: skip


@pytest.mark.parametrize("length", [0, 1, 5000])
def test_the_log_is_4_kib_at_most(length: int) -> None:
    call = f"(loop $l (call $log (i32.const 2) (i32.const 16) (i32.const {length})) (br $l))"
    with born(logging(call, "\\ff" * 5000), fuel=20_000) as guest:
        with pytest.raises(Fault, match=r"instructions|longer"):
            guest.ask(b"{}")
        assert abi.LOG - 8 <= len(guest.log.encode()) <= abi.LOG


def test_a_guest_s_log_is_its_own() -> None:
    with born(logging("(call $log (i32.const 2) (i32.const 16) (i32.const 2))", "hi")) as first:
        first.ask(b"{}")
    with born(running("(i64.const 0)")) as second:
        assert second.log == ""


def test_fuel_is_counted_also_after_a_fault() -> None:
    with born(running("(loop $l (br $l)) (i64.const 0)"), fuel=5000) as guest:
        with pytest.raises(Fault) as caught:
            guest.ask(b"{}")
        assert caught.value.code == "fuel"
        assert guest.fuel == pytest.approx(5000, abs=10)


def test_a_trap_says_what_it_was_and_nothing_of_the_guest() -> None:
    module = running("(call $secret) (i64.const 0)", "(func $secret (unreachable))")
    with born(module) as guest, pytest.raises(Fault) as caught:
        guest.ask(b"{}")
    assert (caught.value.code, caught.value.message) == ("trap", "unreachable")


def test_no_description_is_empty() -> None:
    with born(running("(i64.const 0)")) as guest:
        assert guest.describe() == b""


def test_foreign_imports_cannot_be_prepared() -> None:
    with pytest.raises(WasmtimeError, match="wasi"):
        prepare(Module(engine.shared(), '(module (import "wasi" "x" (func)))'))
