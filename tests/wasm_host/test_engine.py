import pytest
from wasm_modules import artifact
from wasmtime import Module, WasmtimeError

from wasm_host import abi, engine
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
