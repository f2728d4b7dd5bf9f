"""The direct way of calling does what the public one does: results, traps, and nothing left behind."""

import pytest
import wasmtime
from wasmtime import Func, Instance, Module, Store, Trap

from wasm_host import call, engine

TEXT = """
(module
  (func (export "none"))
  (func (export "one") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func (export "two") (param i32 i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))
  (func (export "trap") (param i32) (result i32) unreachable)
  (func (export "loop") (param i32) (result i32) (loop $l (br $l)) (i32.const 0)))
"""


@pytest.fixture
def store() -> Store:
    made = Store(engine.shared())
    made.set_fuel(100_000)
    made.set_epoch_deadline(1_000)
    return made


def function(store: Store, name: str) -> Func:
    module = Module(engine.shared(), bytes(wasmtime.wat2wasm(TEXT)))
    found = Instance(store, module, []).exports(store)[name]
    assert isinstance(found, Func)
    return found


def test_the_direct_way_is_the_one_that_serves() -> None:
    assert call.AVAILABLE
    assert call.call is call.direct


@pytest.mark.parametrize(
    ("name", "args", "results"),
    [
        ("none", (), 0),
        ("one", (41,), 1),
        ("one", (-1,), 1),
        ("one", (0x7FFF_FFFF,), 1),
        ("two", (0, 0), 1),
        ("two", (1, 2), 1),
        ("two", (-1, -2), 1),
        ("two", (0x7FFF_FFFF, -1), 1),
    ],
)
def test_both_ways_give_the_same(store: Store, name: str, args: tuple[int, ...], results: int) -> None:
    asked = function(store, name)
    assert call.direct(store, asked, args, results) == call.public(store, asked, args, results)


@pytest.mark.parametrize("name", ["trap", "loop"])
def test_both_ways_trap_alike(store: Store, name: str) -> None:
    asked = function(store, name)
    codes = []
    for way in (call.direct, call.public):
        store.set_fuel(1_000)
        with pytest.raises(Trap) as caught:
            way(store, asked, (1,), 1)
        codes.append(caught.value.trap_code)
    assert codes[0] == codes[1]
