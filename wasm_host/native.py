"""The fast way to the engine: wasmtime's C API, without the Python objects between.

Nothing of a guest's is trusted here: exports are looked up in each instance, pointers are checked against the memory's
size at that moment. Every trap and error is freed, every store deleted. Buffers that C writes to live in slots, of
which each call takes one.
"""

import threading
from collections.abc import Callable
from ctypes import addressof, c_uint64, c_void_p, memmove, string_at
from functools import cache
from queue import SimpleQueue
from typing import Any, Final, NamedTuple

import wasmtime

from wasm_host import abi, capi, engine
from wasm_host.capi import ITEM, VAL, VAL_STEP
from wasm_host.guest import U32, U64, Fault, Limits, OutOfBounds, Prepared
from wasm_host.wasi import ANSWERS
from wasm_host.world import Function, World, world_for

_MEMORY: Final = abi.MEMORY.encode()
#: Of each export: its name, its length, how many values it takes or gives, and which bits of the first are its result.
_EXPORTS: Final = {
    name: (
        name.encode(),
        len(name),
        max(len(signature.params), len(signature.results)),
        engine.MASKS[name],
    )
    for name, signature in engine.EXPORTS.items()
}


class _Slot:
    """Buffers of one call, with their addresses."""

    def __init__(self) -> None:
        self.instance, self.memory, self.function = (c_uint64 * 2)(), capi.Extern(), capi.Extern()
        self.trap, self.fuel, self.values = c_void_p(), c_uint64(), (VAL * (2 * VAL_STEP))()
        self.at_instance, self.at_trap = addressof(self.instance), addressof(self.trap)
        self.at_memory, self.at_function = addressof(self.memory), addressof(self.function)
        self.at_fuel, self.at_values = addressof(self.fuel), addressof(self.values)


#: As many as the pool has: who finds none waits for one.
_slots: Final[SimpleQueue[_Slot]] = SimpleQueue()
for _ in range(engine.SLOTS):
    _slots.put(_Slot())


class _Running(threading.local):
    """Whose call a host function serves: it has no other way to know."""

    world: World
    slot: _Slot


_running: Final = _Running()


class _Memory:
    """A memory under a store's context; `at` is the address of its handle."""

    def __init__(self, context: int, at: int) -> None:
        self._context, self._at = context, at

    def check(self, pointer: int, length: int) -> None:
        self._find(pointer, length)

    def read(self, pointer: int, length: int) -> bytes:
        return string_at(self._find(pointer, length), length) if length else b""

    def write(self, pointer: int, data: bytes) -> None:
        if data:
            memmove(self._find(pointer, len(data)), data, len(data))

    def _find(self, pointer: int, length: int) -> int:
        """The address of so many bytes, until the guest runs again."""
        size = capi.memory_size(self._context, self._at)
        if pointer + length > size:
            raise OutOfBounds(pointer, length, size)
        return capi.memory_data(self._context, self._at) + pointer  # type: ignore[no-any-return]  # an address


class _Code(NamedTuple):
    """Addresses of an engine and of a linked module, and what keeps them alive."""

    engine: int
    pre: int
    owners: tuple[Any, ...]


class _Instance(_Memory):
    def __init__(self, code: _Code, limits: Limits, world: World | None) -> None:
        slot = _slots.get()
        self._slot, self._world, self._started = slot, world, False
        self._pre, self._limit = code.pre, limits.fuel
        self._store = store = capi.store_new(code.engine, None, None)
        super().__init__(capi.store_context(store), slot.at_memory + ITEM)
        capi.store_limiter(store, limits.memory, abi.TABLE_ELEMENTS, 1, abi.TABLES, 1)
        capi.set_fuel(self._context, limits.fuel)
        if world is not None:
            _running.world, _running.slot = world, slot
        capi.set_deadline(self._context, engine.ticker.enter(limits.timeout_ms))

    def start(self) -> None:
        slot = self._slot
        error = capi.instantiate(self._pre, self._context, slot.at_instance, slot.at_trap)
        if error or slot.trap.value:
            raise self._fault(error, "cannot be instantiated")
        found = capi.export_get(self._context, slot.at_instance, _MEMORY, len(_MEMORY), slot.at_memory)
        if not found or slot.memory.kind != capi.EXTERN_MEMORY:
            raise Fault("crash", "the artifact exports no memory: reload the plugins")
        self._started = True

    def call(self, name: str, *args: int) -> int:
        slot, context = self._slot, self._context
        encoded, length, count, mask = _EXPORTS[name]
        found = capi.export_get(context, slot.at_instance, encoded, length, slot.at_function)
        if not found or slot.function.kind != capi.EXTERN_FUNC:
            raise Fault("crash", f"the artifact exports no function {name}: reload the plugins")
        values = slot.values
        for index, arg in enumerate(args):
            values[index * VAL_STEP] = arg
        error = capi.func_call(context, slot.at_function + ITEM, slot.at_values, count, slot.at_trap)
        if error or slot.trap.value:
            raise self._fault(error, name)
        return values[0] & mask

    def _fault(self, error: int | None, what: str) -> BaseException:
        """What the error or trap that is there means; frees it."""
        slot = self._slot
        code: int | None = None
        if trap := slot.trap.value:
            slot.trap.value = None
            number = c_uint64()
            code = number.value if capi.trap_code(trap, addressof(number)) else None
            capi.trap_delete(trap)
        message = capi.take_error(error) if error else ""
        if self._world is not None and self._world.end is not None:
            return self._world.end
        return engine.failed(what, message) if error else engine.trapped(code)

    def fuel(self) -> int:
        capi.get_fuel(self._context, self._slot.at_fuel)
        return self._limit - self._slot.fuel.value

    def pages(self) -> int:
        return capi.memory_size(self._context, self._at) // abi.PAGE if self._started else 0

    def log(self) -> str:
        return self._world.log() if self._world is not None else ""

    def output(self) -> bytes:
        return bytes(self._world.answer) if self._world is not None else b""

    def close(self) -> None:
        engine.ticker.leave()
        capi.store_delete(self._store)
        _slots.put(self._slot)


def _callback(function: Function, signature: abi.Signature) -> Callable[..., int]:
    """A host function for C: it raises nothing, and ends the guest's call by returning a trap."""
    masks = [U32 if kind == "i32" else U64 for kind in signature.params]

    def serve(_environment: int, caller: int, values: Any, _count: int) -> int:
        world, slot = _running.world, _running.slot
        context = capi.caller_context(caller)
        capi.caller_export(caller, _MEMORY, len(_MEMORY), slot.at_memory)
        capi.get_fuel(context, slot.at_fuel)
        args = [values[index * VAL_STEP] & mask for index, mask in enumerate(masks)]
        values[0] = world.invoke(function, _Memory(context, slot.at_memory + ITEM), slot.fuel.value, args)
        capi.set_fuel(context, world.fuel)
        return capi.trap_new(b"end", 3) if world.end is not None else 0

    return serve


#: What C calls must live as long as the linkers.
_callbacks: Final[list[Any]] = []


@cache
def _linker(of: wasmtime.Engine) -> wasmtime.Linker:
    linker = wasmtime.Linker(of)
    for (module, name), signature in abi.IMPORTS.items():
        callback = capi.CALLBACK(_callback(ANSWERS[module, name], signature))
        _callbacks.append(callback)
        kind = engine.function_type(signature)
        error = capi.define_func(
            capi.address(linker), module.encode(), len(module), name.encode(), len(name), capi.address(kind),
            callback, None, None,
        )  # fmt: skip
        if error:
            raise RuntimeError(capi.take_error(error))
    return linker


class Native:
    """The runtime of this module."""

    name = "native"

    def prepare(self, artifact: bytes, memory: int) -> Prepared:
        return self.link(engine.load(artifact, memory), memory)

    def link(self, module: wasmtime.Module, memory: int) -> Prepared:
        """A module that was just compiled."""
        of = engine.for_memory(memory)
        try:
            pre = _linker(of).instantiate_pre(module)
        except wasmtime.WasmtimeError as exc:
            raise engine.unlinked(exc) from None
        return Prepared(_Code(capi.address(of), capi.address(pre), (of, pre)), *engine.interface(module))

    def open(self, prepared: Prepared, request: bytes, limits: Limits, now_ms: int, seed: int) -> _Instance:
        return _Instance(prepared.code, limits, world_for(prepared, request, now_ms, seed))
