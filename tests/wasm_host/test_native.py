"""What only the fast way has to get right; that it does what the public one does is in test_paths."""

import ctypes

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
    ffi = wasmtime._ffi  # the bindings are generated from the header
    assert ctypes.sizeof(capi.Extern) == ctypes.sizeof(ffi.wasmtime_extern_t)
    assert ffi.wasmtime_extern_t.of.offset == capi.ITEM
    assert ctypes.sizeof(capi.VAL) * capi.VAL_STEP == ctypes.sizeof(ffi.wasmtime_val_raw_t)
    assert ctypes.sizeof(native._Slot().instance) == ctypes.sizeof(ffi.wasmtime_instance_t)
    assert ctypes.sizeof(capi.ByteVec) == ctypes.sizeof(ffi.wasm_byte_vec_t)
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
        return allocated()

    before = calls(100)
    assert calls(2000) - before < 2000 * 16  # bytes; the least that can be kept is one block of 24 a call


class Mallinfo(ctypes.Structure):
    """glibc's `struct mallinfo2`, see mallinfo(3)."""

    _fields_ = (("before", ctypes.c_size_t * 7), ("uordblks", ctypes.c_size_t), ("after", ctypes.c_size_t * 2))


def allocated() -> int:
    """Bytes that this process has from malloc, which the engine uses and small Python objects do not."""
    try:
        mallinfo = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        pytest.skip("this C library cannot say how much it has given out")
    mallinfo.restype = Mallinfo
    return int(mallinfo().uordblks)
