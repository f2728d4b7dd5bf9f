"""Calls a guest's function whose type is known, without asking wasmtime for the type each time.

`Func.__call__` looks up the type and boxes every value: half of the time of a small rule. Preflight has checked the
signatures, so the values go straight into the C structures of the bindings' own `wasmtime_func_call`. Should a later
binding lack what is used here, the public way serves.
"""

from ctypes import POINTER, byref
from typing import Final

from wasmtime import Func, Store, Trap, WasmtimeError

try:
    from wasmtime import _ffi as ffi

    AVAILABLE = True
    _VALUES: Final = [ffi.wasmtime_val_t * count for count in range(3)]
    _I32: Final = ffi.WASMTIME_I32.value
    _I64: Final = ffi.WASMTIME_I64.value
    _TRAP: Final = POINTER(ffi.wasm_trap_t)
except (ImportError, AttributeError):  # another binding
    AVAILABLE = False


def direct(store: Store, function: Func, args: tuple[int, ...], results: int) -> int:
    """Call with i32 arguments; the i32 or i64 result (0 if the function has none). `Trap` or `WasmtimeError`."""
    values, out = _VALUES[len(args)](), _VALUES[results]()
    for value, arg in zip(values, args, strict=True):
        value.kind = _I32
        value.of.i32 = arg
    trap = _TRAP()
    error = ffi.wasmtime_func_call(
        store._context(), byref(function._func), values, len(args), out, results, byref(trap)
    )
    if error:  # type: ignore[truthy-bool]  # a null pointer is false
        raise WasmtimeError._from_ptr(error)
    if trap:  # type: ignore[truthy-bool]  # as above
        raise Trap._from_ptr(trap)
    if not results:
        return 0
    return int(out[0].of.i64 if int(out[0].kind) == _I64 else out[0].of.i32)


def public(store: Store, function: Func, args: tuple[int, ...], _results: int) -> int:
    """The same through wasmtime's public API."""
    return function(store, *args) or 0


call: Final = direct if AVAILABLE else public
