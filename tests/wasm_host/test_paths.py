"""Both ways to the engine do the same; what tests of one module show here, they show for both."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from wasm_modules import ALLOC, CONFORMANCE, RUNTIMES, answering, artifact, asked, running

from wasm_host import abi, engine, paths
from wasm_host.guest import Fault, Prepared, Result, Runtime, execute
from wasm_host.guest import Limits as Given
from wasm_host.manifest import Limits
from wasm_host.native import Native
from wasm_host.public import Public

LOG = '(import "terraphim" "log" (func $log (param i32 i32 i32)))'
VECTORS = [path for kind in ("good", "hostile") for path in sorted((CONFORMANCE / kind).glob("*.wat"))]
BOTH = pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)


def logging(calls: str, data: str) -> str:
    return f"""(module {LOG} (memory (export "memory") 1) (data (i32.const 16) "{data}") {ALLOC}
      (func (export "rule_v1_route") (param i32 i32) (result i64) {calls} (i64.const 0)))"""


def test_the_fast_way_serves() -> None:
    assert (paths.serving().path, paths.serving().reason) == ("native", "")


def test_a_verdict_is_remembered() -> None:
    assert paths.serving().verdict == "native"
    assert isinstance(paths.remembered("native").runtime, Native)
    other = paths.Serving(Public(), "native answers a where public answers b")
    assert paths.remembered(other.verdict).verdict == other.verdict
    assert isinstance(paths.remembered(other.verdict).runtime, Public)
    assert paths.remembered("") is paths.serving()


class Other(Public):
    """A way that counts fuel differently."""

    def open(self, prepared: Prepared, request: bytes, limits: Given, now_ms: int, seed: int) -> Any:
        instance = super().open(prepared, request, limits, now_ms, seed)
        instance._limit += 1
        return instance


def test_a_difference_is_found_and_said() -> None:
    assert paths.compare(Native(), Public()) == ""
    assert "where public answers (b'answer'," in paths.compare(Other(), Public())


@pytest.mark.parametrize("broken", ["differs", "fails"])
def test_the_public_way_serves_if_the_fast_one_cannot(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    def fail(*_: object) -> str:
        if broken == "fails":
            raise OSError("no library")
        return "answers 1 where public answers 2"

    monkeypatch.setattr(paths, "compare", fail)
    serving = paths.serving.__wrapped__()
    assert serving.path == "public"
    assert serving.reason in {"native answers 1 where public answers 2", "native cannot be used: OSError: no library"}


@BOTH
def test_what_it_is_asked_arrives(runtime: Runtime) -> None:
    echo = "(i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1)))"
    assert asked(runtime, running(echo), b'{"a":1}').answer == b'{"a":1}'


@BOTH
def test_levels_and_lines(runtime: Runtime) -> None:
    calls = "".join(f"(call $log (i32.const {level}) (i32.const 16) (i32.const 2))" for level in (0, 1, 2, 3, 4, 5, -1))
    assert asked(runtime, logging(calls, "hi")).log.splitlines() == [
        "trace: hi", "debug: hi", "info: hi", "warn: hi", "error: hi", "info: hi", "info: hi",
    ]  # fmt: skip


@BOTH
@pytest.mark.parametrize("length", [0, 1, 5000])
def test_the_log_is_4_kib_at_most_and_a_host_call_costs_fuel(runtime: Runtime, length: int) -> None:
    call = f"(loop $l (call $log (i32.const 2) (i32.const 16) (i32.const {length})) (br $l))"
    fuel = 600 * (abi.HOST_CALL + 50)
    result = asked(runtime, logging(call, "\\ff" * 5000), fuel=fuel)
    assert result.fault is not None
    assert result.fault.code == "fuel"
    assert fuel - abi.HOST_CALL - 100 <= result.fuel <= fuel
    assert abi.LOG - 8 <= len(result.log.encode()) <= abi.LOG


@BOTH
def test_a_log_is_that_of_its_call(runtime: Runtime) -> None:
    assert asked(runtime, logging("(call $log (i32.const 2) (i32.const 16) (i32.const 2))", "hi")).log == "info: hi"
    assert asked(runtime, logging("", "hi")).log == ""
    assert asked(runtime, running("(i64.const 0)")).log == ""


@BOTH
def test_the_start_function_may_log(runtime: Runtime) -> None:
    text = logging("", "hi").replace(
        ALLOC, ALLOC + "(start $s) (func $s (call $log (i32.const 2) (i32.const 16) (i32.const 2)))"
    )
    assert asked(runtime, text).log == "info: hi"


@BOTH
@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("(call $secret) (i64.const 0)", "trap", "unreachable"),
        ("(i64.extend_i32_u (i32.div_u (i32.const 1) (i32.const 0)))", "trap", "integer division by zero"),
        ("(i64.load (i32.const -4))", "trap", "memory out of bounds"),
        ("(call $deep) (i64.const 0)", "trap", "stack overflow"),
        ("(loop $l (br $l)) (i64.const 0)", "fuel", "executed more instructions than its limit"),
        ("(i64.const -1)", "refused", "rule_v1_route returned 4294967295 bytes, the limit is 16384"),
    ],
)
def test_a_fault_says_what_it_was_and_nothing_of_the_guest(
    runtime: Runtime, body: str, code: str, message: str
) -> None:
    text = running(body, "(func $secret (unreachable)) (func $deep (call $deep))")
    result = asked(runtime, text, fuel=1_000_000)
    assert result.fault is not None
    assert (result.fault.code, result.fault.message) == (code, message)
    assert 0 < result.fuel <= 1_000_000


@BOTH
def test_fuel_is_all_used_when_it_runs_out(runtime: Runtime) -> None:
    assert asked(runtime, running("(loop $l (br $l)) (i64.const 0)"), fuel=5000).fuel == pytest.approx(5000, abs=10)


@BOTH
def test_the_deadline_ends_what_fuel_does_not(runtime: Runtime) -> None:
    result = asked(runtime, running("(loop $l (br $l)) (i64.const 0)"), fuel=200_000_000, timeout_ms=5)
    assert result.fault is not None
    assert result.fault.code == "timeout"


@BOTH
@pytest.mark.parametrize("limit", [16 * abi.MIB, 17 * abi.MIB, 6 * abi.PAGE])
def test_memory_grows_to_the_limit_and_not_beyond(runtime: Runtime, limit: int) -> None:
    """Also beyond a slot of the pool, and to less than one."""
    for more, pages in ((0, limit // abi.PAGE), (1, 5)):
        by = limit // abi.PAGE - 5 + more
        grow = f"(if (i32.eq (memory.grow (i32.const {by})) (i32.const -1)) (then unreachable)) (i64.const 0)"
        result = asked(runtime, running(grow), memory=limit)
        assert (result.pages, result.fault is not None) == (pages, more == 1)


@BOTH
def test_a_module_over_its_limit_is_not_instantiated(runtime: Runtime) -> None:
    result = asked(runtime, running("(i64.const 0)"), memory=4 * abi.PAGE)
    assert result.fault is not None
    assert result.fault.message.startswith("cannot be instantiated: ")
    assert (result.pages, result.answer) == (0, b"")


@BOTH
def test_nothing_is_left_from_one_call_to_the_next(runtime: Runtime) -> None:
    """Not in a memory that was grown and written all over either, though a slot is used again."""
    body = """(if (i32.load8_u (i32.const 300000)) (then unreachable))
      (drop (memory.grow (i32.const 20)))
      (if (i32.load8_u (i32.const 1600000)) (then unreachable))
      (memory.fill (i32.const 2048) (i32.const 65) (i32.const 1600000)) (i64.const 0)"""
    prepared = runtime.prepare(artifact(running(body)), 16 << 20)
    results = {execute(runtime, prepared, b"{}", Limits()) for _ in range(2 * engine.SLOTS)}
    assert len(results) == 1
    assert results.pop()[:2] == (b"", None)


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_both_do_the_same_with_every_vector(path: Path) -> None:
    """Outcome, answer, log, memory and the exact number of instructions."""
    native, public = (paths._plain(asked(runtime, path.read_text(), b'{"abi":1}')) for runtime in RUNTIMES)
    assert native == public


@BOTH
def test_every_import_of_the_contract_has_its_type(runtime: Runtime) -> None:
    imports = "".join(
        f'(import "{module}" "{name}" (func (param {" ".join(kind.params)}) (result {" ".join(kind.results)})))'
        for (module, name), kind in abi.IMPORTS.items()
    )
    prepared = runtime.prepare(artifact(f"(module {imports} {ALLOC})"), 0)
    assert (prepared.exports, prepared.pure) == (frozenset({abi.ALLOC}), False)


@BOTH
def test_what_the_host_does_not_give_cannot_be_prepared(runtime: Runtime) -> None:
    with pytest.raises(Fault, match="cannot be linked") as caught:
        runtime.prepare(artifact('(module (import "wasi" "x" (func)))'), 0)
    assert caught.value.code == "crash"


@BOTH
def test_more_threads_than_slots(runtime: Runtime) -> None:
    gate = threading.Barrier(2 * engine.SLOTS)
    prepared = runtime.prepare(artifact(answering("x")), 0)

    def ask(_: int) -> Result:
        gate.wait(10)
        return execute(runtime, prepared, b"{}", Limits(timeout_ms=2000))

    with ThreadPoolExecutor(2 * engine.SLOTS) as pool:
        assert {result.answer for result in pool.map(ask, range(2 * engine.SLOTS))} == {b"x"}
