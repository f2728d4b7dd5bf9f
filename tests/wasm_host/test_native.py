"""What only the fast way has to get right; that it does what the public one does is in test_paths."""

import resource

import pytest
import wasmtime
from wasm_modules import answering, artifact, running

from wasm_host import abi, capi, engine, native
from wasm_host.guest import Prepared, execute
from wasm_host.manifest import Limits

RUNTIME = native.Native()


def prepared(text: str) -> Prepared:
    return RUNTIME.prepare(artifact(text), 0)


def test_structures_are_as_large_as_the_librarys() -> None:
    from ctypes import sizeof  # noqa: PLC0415 - beside its only use

    ffi = wasmtime._ffi  # the bindings are generated from the header
    assert sizeof(capi.Extern) == sizeof(ffi.wasmtime_extern_t)
    assert ffi.wasmtime_extern_t.of.offset == capi.ITEM
    assert sizeof(capi.VAL) * capi.VAL_STEP == sizeof(ffi.wasmtime_val_raw_t)
    assert sizeof(native._Slot().instance) == sizeof(ffi.wasmtime_instance_t)
    assert sizeof(capi.ByteVec) == sizeof(ffi.wasm_byte_vec_t)
    assert (ffi.WASMTIME_EXTERN_FUNC.value, ffi.WASMTIME_EXTERN_MEMORY.value) == (capi.EXTERN_FUNC, capi.EXTERN_MEMORY)


def test_calls_let_go_of_the_interpreters_lock() -> None:
    assert type(capi._library).__name__ == "CDLL"


@pytest.mark.parametrize("missing", [abi.MEMORY, abi.ALLOC, abi.ROUTE])
def test_an_artifact_without_its_exports_is_a_crash_and_nothing_worse(missing: str) -> None:
    text = answering("x").replace(f'"{missing}"', '"other"')
    module = prepared(text)._replace(exports=frozenset({abi.ALLOC, abi.ROUTE}))
    fault = execute(RUNTIME, module, b"{}", Limits()).fault
    assert fault is not None
    assert fault.code == "crash"


def test_an_export_of_another_kind_is_a_crash_and_nothing_worse() -> None:
    text = answering("x", f'(global (export "{abi.DESCRIBE}") i32 (i32.const 1))')
    for name in (abi.ALLOC, abi.MEMORY):
        odd = text.replace(f'"{name}"', '"other"').replace(f'"{abi.DESCRIBE}"', f'"{name}"')
        fault = execute(RUNTIME, prepared(odd), b"{}", Limits()).fault
        assert fault is not None
        assert fault.code == "crash"


def test_slots_come_back_whatever_happens() -> None:
    modules = [prepared(running(body)) for body in ("(i64.const 0)", "unreachable", "(loop $l (br $l)) (i64.const 0)")]
    for module in modules * engine.SLOTS:
        execute(RUNTIME, module, b"{}", Limits(fuel=1000))
    assert native._slots.qsize() == engine.SLOTS
    assert engine.ticker._calls == []


def test_the_pool_has_room_for_as_many_as_there_are_slots() -> None:
    module = prepared(running("(i64.const 0)", "(table 20000 funcref)" * abi.TABLES))
    instances = [RUNTIME.open(module, b"", Limits(), 0, 0) for _ in range(engine.SLOTS)]
    try:
        for instance in instances:
            instance.start()
            assert instance.pages() == 5
    finally:
        for instance in instances:
            instance.close()


def test_calls_and_traps_leave_no_memory_behind() -> None:
    good, trapping = prepared(running("(i64.const 0)")), prepared(running("unreachable"))
    cases = ((good, Limits()), (trapping, Limits()), (good, Limits(memory=abi.PAGE)))  # an answer, a trap, an error

    def calls(rounds: int) -> int:
        for _ in range(rounds):
            for module, limits in cases:
                execute(RUNTIME, module, b"{}", limits)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = calls(500)
    assert calls(12_000) - before < 768  # KiB; what is kept of a trap or an error takes 0.1 KiB and more
