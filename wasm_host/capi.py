"""What this host uses of wasmtime's C API (`wasmtime.h`), with exact types; importing it fails if something is missing.

The library is the one that the wasmtime package ships and has loaded already: objects made through the package's
public API can be used here by their address. `CDLL` lets go of the interpreter's lock during a call, so that the
ticker can end a guest; `PyDLL` must never be used here.
"""

import ctypes
from collections.abc import Callable
from ctypes import c_bool, c_char_p, c_int64, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any, Final

import wasmtime

[_FILE] = Path(wasmtime.__file__).parent.glob("*/*wasmtime.*")
_library: Final = ctypes.CDLL(str(_FILE))

#: Every pointer is passed as an address; structures are read and written in buffers of ours.
PTR: Final = c_void_p


def _declare(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    function = getattr(_library, name)
    function.restype, function.argtypes = result, arguments
    return function  # type: ignore[no-any-return]  # the C world


class Extern(ctypes.Structure):
    """`wasmtime_extern_t`: what an instance exports. `item` is a `wasmtime_func_t` or a `wasmtime_memory_t`."""

    _fields_ = (("kind", c_uint8), ("item", c_uint64 * 3))


class ByteVec(ctypes.Structure):
    """`wasm_byte_vec_t`."""

    _fields_ = (("size", c_size_t), ("data", PTR))


EXTERN_FUNC: Final = 0
EXTERN_MEMORY: Final = 3
#: Where a `wasmtime_extern_t` keeps its item.
ITEM: Final = Extern.item.offset

#: A `wasmtime_val_raw_t` is 16 bytes, little-endian: two of these, of which a number needs the first.
VAL: Final = c_uint64
VAL_STEP: Final = 2
#: `wasmtime_func_unchecked_callback_t`: (environment, caller, arguments and results, their number) -> trap or null.
CALLBACK: Final = ctypes.CFUNCTYPE(c_size_t, PTR, PTR, ctypes.POINTER(VAL), c_size_t)

store_new: Final = _declare("wasmtime_store_new", PTR, PTR, PTR, PTR)
store_context: Final = _declare("wasmtime_store_context", PTR, PTR)
store_delete: Final = _declare("wasmtime_store_delete", None, PTR)
store_limiter: Final = _declare("wasmtime_store_limiter", None, PTR, c_int64, c_int64, c_int64, c_int64, c_int64)
set_fuel: Final = _declare("wasmtime_context_set_fuel", PTR, PTR, c_uint64)
get_fuel: Final = _declare("wasmtime_context_get_fuel", PTR, PTR, PTR)
set_deadline: Final = _declare("wasmtime_context_set_epoch_deadline", None, PTR, c_uint64)

instantiate: Final = _declare("wasmtime_instance_pre_instantiate", PTR, PTR, PTR, PTR, PTR)
export_get: Final = _declare("wasmtime_instance_export_get", c_bool, PTR, PTR, c_char_p, c_size_t, PTR)
func_call: Final = _declare("wasmtime_func_call_unchecked", PTR, PTR, PTR, PTR, c_size_t, PTR)
memory_data: Final = _declare("wasmtime_memory_data", PTR, PTR, PTR)
memory_size: Final = _declare("wasmtime_memory_data_size", c_size_t, PTR, PTR)

caller_context: Final = _declare("wasmtime_caller_context", PTR, PTR)
caller_export: Final = _declare("wasmtime_caller_export_get", c_bool, PTR, c_char_p, c_size_t, PTR)
define_func: Final = _declare(
    "wasmtime_linker_define_func_unchecked", PTR, PTR, c_char_p, c_size_t, c_char_p, c_size_t, PTR, CALLBACK, PTR, PTR
)

trap_new: Final = _declare("wasmtime_trap_new", PTR, c_char_p, c_size_t)
trap_code: Final = _declare("wasmtime_trap_code", c_bool, PTR, PTR)
trap_delete: Final = _declare("wasm_trap_delete", None, PTR)
_error_message: Final = _declare("wasmtime_error_message", None, PTR, PTR)
_error_delete: Final = _declare("wasmtime_error_delete", None, PTR)
_bytes_delete: Final = _declare("wasm_byte_vec_delete", None, PTR)

pool_new: Final = _declare("wasmtime_pooling_allocation_config_new", PTR)
pool_delete: Final = _declare("wasmtime_pooling_allocation_config_delete", None, PTR)
pool_use: Final = _declare("wasmtime_pooling_allocation_strategy_set", None, PTR, PTR)
POOL_SETTINGS: Final = {
    name: _declare(f"wasmtime_pooling_allocation_config_{name}_set", None, PTR, kind)
    for name, kind in {
        "total_core_instances": c_uint32,
        "total_memories": c_uint32,
        "total_tables": c_uint32,
        "total_stacks": c_uint32,
        "total_gc_heaps": c_uint32,
        "max_tables_per_module": c_uint32,
        "max_memories_per_module": c_uint32,
        "max_unused_warm_slots": c_uint32,
        "max_core_instance_size": c_size_t,
        "max_memory_size": c_size_t,
        "table_elements": c_size_t,
        "linear_memory_keep_resident": c_size_t,
        "table_keep_resident": c_size_t,
    }.items()
}


def address(managed: Any) -> int:
    """The address of an object that wasmtime's public API made (and keeps)."""
    found = ctypes.cast(managed.ptr(), PTR).value
    assert found is not None  # noqa: S101 - the package has no null objects
    return found


def take_error(error: int) -> str:
    """The text of a `wasmtime_error_t`, which is freed."""
    message = ByteVec()
    _error_message(error, ctypes.addressof(message))
    text = ctypes.string_at(message.data, message.size).decode(errors="replace")
    _bytes_delete(ctypes.addressof(message))
    _error_delete(error)
    return text
