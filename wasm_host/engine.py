"""The engines of this process, what they share, and what they mean.

Nearly every rule runs on the pooled engine: its instances live in slots that are reserved once and wiped after use,
which makes a fresh instance cheap. A rule with more memory than a slot has runs on the other one. Both have the same
profile, so an artifact loads into either.
"""

from functools import cache
from typing import Final

import wasmtime

from wasm_host import abi
from wasm_host.answer import clean
from wasm_host.guest import OUT_OF_FUEL, U32, U64, Fault
from wasm_host.profile import PROFILE
from wasm_host.ticker import Ticker

try:
    from wasm_host import capi
except (ImportError, OSError, ValueError, AttributeError):  # another wasmtime: no pool then
    capi = None  # type: ignore[assignment]

#: Functions that the host calls, with their types.
EXPORTS: Final = abi.REQUIRED_EXPORTS | abi.OPTIONAL_EXPORTS | abi.COMMAND_EXPORTS
#: Bits of what an export returns, as an unsigned number.
MASKS: Final = {
    name: {(): 0, ("i32",): U32, ("i64",): U64}[signature.results] for name, signature in EXPORTS.items()
}  # fmt: skip
_TRAPS: Final[dict[int | None, str]] = {
    code.value: code.name.lower().replace("_", " ") for code in wasmtime.TrapCode
}  # fmt: skip

#: Instances that can live at once, and so calls.
SLOTS: Final = 8
#: Bytes of memory in a slot: what a rule gets unless its operator gives it more.
SLOT_MEMORY: Final = abi.LIMITS["memory"].default
#: Bytes at a memory's and a table's begin that are wiped by writing zeros instead of asking the kernel for new pages.
KEEP_MEMORY: Final = 64 * abi.KIB
KEEP_TABLE: Final = 4 * abi.KIB

_POOL: Final = {
    "total_core_instances": SLOTS,
    "total_memories": SLOTS,
    "total_tables": SLOTS * abi.TABLES,
    "total_stacks": 0,  # for asynchronous calls; with the heaps they would reserve 2 GiB of addresses
    "total_gc_heaps": 0,
    "max_memories_per_module": 1,
    "max_tables_per_module": abi.TABLES,
    "max_unused_warm_slots": SLOTS,
    "max_core_instance_size": 4 * abi.MIB,  # an entry of 32 bytes for each of 50 000 functions, and room
    "max_memory_size": SLOT_MEMORY,
    "table_elements": abi.TABLE_ELEMENTS,
    "linear_memory_keep_resident": KEEP_MEMORY,
    "table_keep_resident": KEEP_TABLE,
}


def for_memory(limit: int) -> wasmtime.Engine:
    """The engine for rules that may use `limit` bytes of memory; the same one each time."""
    return _build(pooled=limit <= SLOT_MEMORY and capi is not None)


@cache
def _build(*, pooled: bool) -> wasmtime.Engine:
    config = wasmtime.Config()
    for name, value in PROFILE.items():
        setattr(config, name, value)
    if pooled:
        _add_pool(config)
    built = wasmtime.Engine(config)
    _built.append(built)
    return built


_built: Final[list[wasmtime.Engine]] = []


def load(artifact: bytes, memory: int) -> wasmtime.Module:
    """Machine code that `compiler` made, for a rule with this limit in bytes. `Fault` if it is not this engine's."""
    try:
        return wasmtime.Module.deserialize(for_memory(memory), artifact)
    except wasmtime.WasmtimeError as exc:
        raise Fault("crash", f"the artifact cannot be loaded: {first_line(str(exc))}") from None


def interface(module: wasmtime.Module) -> tuple[frozenset[str], bool]:
    """Which exports of the contract a module has, and whether it imports nothing. Types were judged by preflight."""
    exports = frozenset(item.name for item in module.exports if item.name in EXPORTS)
    return exports, not module.imports


def function_type(signature: abi.Signature) -> wasmtime.FuncType:
    """`signature` as the engine writes it."""
    params, results = (
        [getattr(wasmtime.ValType, kind)() for kind in kinds] for kinds in (signature.params, signature.results)
    )
    return wasmtime.FuncType(params, results)


def trapped(code: int | None) -> Fault:
    """What a trap means. Its own text is not used: it names the guest's functions and addresses."""
    if code == wasmtime.TrapCode.OUT_OF_FUEL.value:
        return Fault("fuel", OUT_OF_FUEL)
    if code == wasmtime.TrapCode.INTERRUPT.value:
        return Fault("timeout", "ran longer than its limit")
    return Fault("trap", _TRAPS.get(code, "unknown trap"))


def failed(what: str, message: str) -> Fault:
    """What an error of the engine's means, which is not a trap."""
    return Fault("trap", f"{what}: {first_line(message)}")


def unlinked(exc: wasmtime.WasmtimeError) -> Fault:
    """A module that wants what the host does not give: preflight should have refused it."""
    return Fault("crash", f"the artifact cannot be linked: {first_line(str(exc))}")


def first_line(message: str) -> str:
    """Of an engine's message what a person needs, and no more than an outcome may carry."""
    return clean(message.partition("\n")[0])[: abi.MESSAGE]


def _add_pool(config: wasmtime.Config) -> None:
    pool = capi.pool_new()
    for name, value in _POOL.items():
        capi.POOL_SETTINGS[name](pool, value)
    capi.pool_use(capi.address(config), pool)
    capi.pool_delete(pool)


def _advance() -> None:
    for built in _built:
        built.increment_epoch()


#: Everybody's ticker; its thread starts with the first call.
ticker: Final = Ticker(_advance)
