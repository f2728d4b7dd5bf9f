"""One instance of a module, from its birth to its end: the only code that touches a guest.

wasmtime's public Python API is used with its traps in mind: pointers are masked to 32 bits and checked here (its own
reads wrap around), the host function never raises (its exceptions land in one global slot), and a store is always
closed (a trapped one is not freed otherwise).
"""

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Final

import wasmtime
from wasmtime import Caller, Func, FuncType, InstancePre, Linker, Memory, Module, Store, Trap, TrapCode, ValType

from wasm_host import abi, engine
from wasm_host.answer import clean
from wasm_host.call import call

U32: Final = 0xFFFF_FFFF


class Fault(Exception):
    """A call that gave no answer: an outcome code of `abi.OUTCOMES`, and what happened."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class _Log(threading.local):
    """Where the running guest's log goes; a host function has no other way to know whose call it serves."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.room = 0


_log = _Log()


def _host_log(caller: Caller, level: int, pointer: int, length: int) -> None:
    """`terraphim.log`: keeps what fits, ignores what cannot be read, raises nothing."""
    if _log.room <= 0:
        return
    try:
        memory = caller.get(abi.MEMORY)
        start, count = pointer & U32, length & U32
        if not isinstance(memory, Memory) or start + count > memory.data_len(caller):
            return
        name = abi.LOG_LEVELS[level] if 0 <= level < len(abi.LOG_LEVELS) else "info"
        text = bytes(memory.read(caller, start, start + min(count, _log.room))) if count else b""
        line = f"{name}: {clean(text.decode(errors='replace'))}".encode()[: _log.room]
        _log.room -= len(line) + 1
        _log.lines.append(line)
    except Exception:  # noqa: BLE001 - a guest must not be able to make the host fail
        _log.room = 0


def _linker() -> Linker:
    linker = Linker(engine.shared())
    for (module, name), signature in abi.ALLOWED_IMPORTS.items():
        params = [getattr(ValType, kind)() for kind in signature.params]
        linker.define_func(module, name, FuncType(params, []), _host_log, access_caller=True)
    return linker


_LINKER: list[Linker] = []


def prepare(module: Module) -> InstancePre:
    """The module with its imports resolved, ready for many instances. `WasmtimeError` if an import is not ours."""
    if not _LINKER:
        _LINKER.append(_linker())
    return _LINKER[0].instantiate_pre(module)


class Guest:
    """A fresh instance under limits (instructions, bytes, milliseconds); a context manager that frees it.

    `Fault` from every method. `log` and `fuel` may be read at any time before the end.
    """

    def __init__(self, prepared: InstancePre, *, fuel: int, memory: int, timeout_ms: int) -> None:
        self._prepared = prepared
        self._limit = fuel
        self._store = Store(engine.shared())
        self._store.set_fuel(fuel)
        self._store.set_epoch_deadline(-(-timeout_ms // engine.TICK_MS) + 1)
        self._store.set_limits(memory, abi.TABLE_ELEMENTS, 1, abi.TABLES, 1)
        self._exports: Mapping[str, object] | None = None
        _log.lines = []
        _log.room = abi.LOG

    def __enter__(self) -> "Guest":
        engine.ticker().touch()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store.close()

    @property
    def fuel(self) -> int:
        """Instructions executed so far, in wasmtime's unit."""
        return self._limit - self._store.get_fuel()

    @property
    def log(self) -> str:
        return b"\n".join(_log.lines).decode(errors="ignore")

    def start(self) -> None:
        """Instantiate (which runs the start function) and initialise the language's runtime."""
        try:
            self._exports = self._prepared.instantiate(self._store).exports(self._store)
        except Trap as trap:
            raise _fault(trap) from None
        except wasmtime.WasmtimeError as exc:
            raise Fault("trap", f"cannot be instantiated: {_first_line(exc)}") from None
        if abi.INITIALIZE in self._exports:
            self._call(abi.INITIALIZE)

    def ask(self, request: bytes) -> bytes:
        """The answer's bytes to a request's; empty if the rule abstains."""
        pointer = self._call(abi.ALLOC, len(request)) & U32
        if not pointer:
            raise Fault("error", f"alloc({len(request)}) returned 0: no room for the request")
        self._memory_range(pointer, len(request), abi.ALLOC)
        self._memory.write(self._store, request, pointer)
        return self._answer(abi.ROUTE, pointer, len(request))

    def describe(self) -> bytes:
        """The metadata that the module returns; empty if it has none."""
        exports = self._exports
        return self._answer(abi.DESCRIBE) if exports is not None and abi.DESCRIBE in exports else b""

    @property
    def _memory(self) -> Memory:
        memory = self._exports[abi.MEMORY] if self._exports is not None else None
        assert isinstance(memory, Memory)  # noqa: S101 - preflight has seen to it
        return memory

    def _memory_range(self, pointer: int, length: int, who: str) -> None:
        size = self._memory.data_len(self._store)
        if pointer + length > size:
            raise Fault("refused", f"{who} named bytes {pointer} to {pointer + length} of a memory of {size}")

    def _answer(self, name: str, *args: int) -> bytes:
        packed = self._call(name, *args)
        if not packed:
            return b""
        pointer, length = (packed >> 32) & U32, packed & U32
        if not length:
            raise Fault("refused", f"{name} returned a pointer with length 0; return 0 to abstain")
        if length > abi.ANSWER:
            raise Fault("refused", f"{name} returned {length} bytes, the limit is {abi.ANSWER}")
        self._memory_range(pointer, length, name)
        return bytes(self._memory.read(self._store, pointer, pointer + length))

    def _call(self, name: str, *args: int) -> int:
        function = self._exports[name] if self._exports is not None else None
        assert isinstance(function, Func)  # noqa: S101 - preflight has seen to it
        try:
            return call(self._store, function, args, 0 if name == abi.INITIALIZE else 1)
        except Trap as trap:
            raise _fault(trap) from None
        except wasmtime.WasmtimeError as exc:
            raise Fault("trap", f"{name}: {_first_line(exc)}") from None


def _first_line(exc: Exception) -> str:
    return clean(str(exc).partition("\n")[0])[: abi.MESSAGE]


def _fault(trap: Trap) -> Fault:
    """The outcome code of a trap. Its own text is not used: it names the guest's functions and addresses."""
    try:
        code = trap.trap_code
    except ValueError:  # a code newer than the Python wrapper
        code = None
    if code is TrapCode.OUT_OF_FUEL:
        return Fault("fuel", "executed more instructions than its limit")
    if code is TrapCode.INTERRUPT:
        return Fault("timeout", "ran longer than its limit")
    return Fault("trap", code.name.lower().replace("_", " ") if code else "unknown trap")
