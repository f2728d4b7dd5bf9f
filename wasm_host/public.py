"""The slow way to the engine: wasmtime's public Python API, for where the fast one is not at hand or not the same.

It keeps an exception of a host function in one place for all threads, so calls take turns here.
"""

import threading
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import wasmtime

from wasm_host import abi, engine
from wasm_host.guest import U32, U64, Limits, OutOfBounds, Prepared
from wasm_host.wasi import ANSWERS
from wasm_host.world import Function, World, world_for

_turn: Final = threading.Lock()
#: World and store of the call whose turn it is.
_running: Final[list[tuple[World, wasmtime.Store]]] = []


class _Memory:
    """Bounds are checked here, for wasmtime's own reads wrap around."""

    def __init__(self, memory: Any, store: Any) -> None:
        self._memory, self._store = memory, store

    def check(self, pointer: int, length: int) -> None:
        size = self._memory.data_len(self._store)
        if pointer + length > size:
            raise OutOfBounds(pointer, length, size)

    def read(self, pointer: int, length: int) -> bytes:
        self.check(pointer, length)
        return bytes(self._memory.read(self._store, pointer, pointer + length)) if length else b""

    def write(self, pointer: int, data: bytes) -> None:
        self.check(pointer, len(data))
        self._memory.write(self._store, data, pointer)


class _Instance(_Memory):
    def __init__(self, code: tuple[wasmtime.Engine, wasmtime.InstancePre], limits: Limits, world: World | None) -> None:
        of, self._pre = code
        self._limit, self._world = limits.fuel, world
        _turn.acquire()
        store = wasmtime.Store(of)
        super().__init__(None, store)
        store.set_limits(limits.memory, abi.TABLE_ELEMENTS, 1, abi.TABLES, 1)
        store.set_fuel(limits.fuel)
        _running[:] = [(world, store)] if world else []
        store.set_epoch_deadline(engine.ticker.enter(limits.timeout_ms))

    def start(self) -> None:
        self._exports = self._guard(
            "cannot be instantiated", lambda: self._pre.instantiate(self._store).exports(self._store)
        )
        self._memory = self._exports[abi.MEMORY]

    def call(self, name: str, *args: int) -> int:
        return (self._guard(name, lambda: self._exports[name](self._store, *args)) or 0) & engine.MASKS[name]

    def _guard(self, what: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except wasmtime.Trap as trap:
            try:
                code = trap.trap_code
            except ValueError:  # newer than the Python wrapper
                code = None
            raise engine.trapped(code.value if code else None) from None
        except wasmtime.WasmtimeError as exc:
            raise engine.failed(what, str(exc)) from None

    def fuel(self) -> int:
        return self._limit - int(self._store.get_fuel())

    def pages(self) -> int:
        return self._memory.data_len(self._store) // abi.PAGE if self._memory else 0

    def log(self) -> str:
        return self._world.log() if self._world else ""

    def output(self) -> bytes:
        return bytes(self._world.answer) if self._world else b""

    def close(self) -> None:
        engine.ticker.leave()
        self._store.close()
        _turn.release()


def _host_function(function: Function, signature: abi.Signature) -> Callable[..., int | None]:
    masks = [U32 if kind == "i32" else U64 for kind in signature.params]

    def serve(caller: wasmtime.Caller, *given: int) -> int | None:
        [(world, store)] = _running
        args = [value & mask for value, mask in zip(given, masks, strict=True)]
        result = world.invoke(function, _Memory(caller.get(abi.MEMORY), caller), store.get_fuel(), args)
        store.set_fuel(world.fuel)
        if world.end is not None:
            raise world.end
        return result if signature.results else None

    return serve


@cache
def _linker(of: wasmtime.Engine) -> wasmtime.Linker:
    linker = wasmtime.Linker(of)
    for (module, name), signature in abi.IMPORTS.items():
        serve = _host_function(ANSWERS[module, name], signature)
        linker.define_func(module, name, engine.function_type(signature), serve, access_caller=True)
    return linker


class Public:
    """The runtime of this module."""

    name = "public"

    def prepare(self, artifact: bytes, memory: int) -> Prepared:
        return self.link(engine.load(artifact, memory), memory)

    def link(self, module: wasmtime.Module, memory: int) -> Prepared:
        """A module that was just compiled."""
        of = engine.for_memory(memory)
        try:
            pre = _linker(of).instantiate_pre(module)
        except wasmtime.WasmtimeError as exc:
            raise engine.unlinked(exc) from None
        return Prepared((of, pre), *engine.interface(module))

    def open(self, prepared: Prepared, request: bytes, limits: Limits, now_ms: int, seed: int) -> _Instance:
        return _Instance(prepared.code, limits, world_for(prepared, request, now_ms, seed))
