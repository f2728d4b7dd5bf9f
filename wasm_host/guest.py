"""One call of a guest, from its birth to its end, whichever way the engine is spoken to. Pure.

A `Runtime` is a way to the engine (`native` and `public` are the two); it opens an `Instance`: fresh, under limits,
closed after the call. `execute` leads it through the life of a call that `abi` describes. What a guest hands over is a
stranger's: pointers and lengths are taken as u32 and checked against the memory's size at that moment.
"""

from typing import Any, Final, NamedTuple, Protocol

from wasm_host import abi

U32: Final = 0xFFFF_FFFF
U64: Final = 0xFFFF_FFFF_FFFF_FFFF
OUT_OF_FUEL: Final = "executed more instructions than its limit"


class Fault(Exception):
    """A call that gave no answer: an outcome code of `abi.OUTCOMES`, and what happened."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Exited(Fault):
    """The guest ended its program, with this status."""

    def __init__(self, status: int) -> None:
        super().__init__("error", f"exited with code {status}")
        self.status = status


class OutOfBounds(Exception):
    """Bytes that are not in the guest's memory, and its size."""

    def __init__(self, pointer: int, length: int, size: int) -> None:
        super().__init__(f"bytes {pointer} to {pointer + length} of a memory of {size}")


class Limits(Protocol):
    """Instructions, bytes of memory, milliseconds."""

    @property
    def fuel(self) -> int: ...
    @property
    def memory(self) -> int: ...
    @property
    def timeout_ms(self) -> int: ...


class Memory(Protocol):
    """A guest's linear memory. Pointers and lengths are unsigned; `OutOfBounds`."""

    def check(self, pointer: int, length: int) -> None:
        """`OutOfBounds` unless these bytes exist."""

    def read(self, pointer: int, length: int) -> bytes: ...
    def write(self, pointer: int, data: bytes) -> None: ...


class Instance(Memory, Protocol):
    """A fresh instance, for one call. Its figures may be asked until `close`."""

    def start(self) -> None:
        """Instantiate, which runs the start function. `Fault`."""

    def call(self, name: str, *args: int) -> int:
        """Call an export with i32s; its result, unsigned, 0 if it has none. `Fault`."""

    def fuel(self) -> int:
        """Instructions so far, and what host calls were charged."""

    def pages(self) -> int:
        """Memory, in pages of 64 KiB."""

    def log(self) -> str: ...

    def output(self) -> bytes:
        """What a command wrote to its standard output."""

    def close(self) -> None: ...


class Prepared(NamedTuple):
    """A module that was loaded and linked: the runtime's own, exports of the contract, whether it imports nothing."""

    code: Any
    exports: frozenset[str]
    pure: bool


class Runtime(Protocol):
    """A way to the engine. A `Prepared` belongs to the runtime that made it, and may be used by several threads."""

    name: str

    def prepare(self, artifact: bytes, memory: int) -> Prepared:
        """Load machine code that `compiler` made; `memory` is the rule's limit in bytes. `Fault`."""

    def open(self, prepared: Prepared, request: bytes, limits: Limits, now_ms: int, seed: int) -> Instance: ...


class Result(NamedTuple):
    """What came of a call: the answer (empty: abstains) or a fault; instructions, memory in pages, log."""

    answer: bytes
    fault: Fault | None
    fuel: int
    pages: int
    log: str


def execute(
    runtime: Runtime, prepared: Prepared, request: bytes, limits: Limits, *, now_ms: int = 0, seed: int = 0
) -> Result:
    """Ask a fresh instance for the answer to `request`. `now_ms` and `seed` are its clock and randomness.

    The same arguments give the same answer, instructions and log, unless the deadline ends it. Raises nothing of the
    guest's.
    """
    instance = runtime.open(prepared, request, limits, now_ms, seed)
    try:
        answer, fault = b"", None
        try:
            _begin(instance, prepared.exports)
            answer = _ask(instance, request) if abi.ROUTE in prepared.exports else _run(instance)
        except Fault as exc:
            fault = exc
        return Result(answer, fault, instance.fuel(), instance.pages(), instance.log())
    finally:
        instance.close()


def describe(runtime: Runtime, prepared: Prepared, limits: Limits) -> bytes:
    """The metadata that a fresh instance returns, empty if it has none. `Fault`, also of what runs before."""
    # The example's time: Go's runtime does not start where the clock stands at zero.
    instance = runtime.open(prepared, b"", limits, abi.EXAMPLE["now_ms"], abi.EXAMPLE["seed"])
    try:
        _begin(instance, prepared.exports)
        return _returned(instance, abi.DESCRIBE) if abi.DESCRIBE in prepared.exports else b""
    finally:
        instance.close()


def _begin(instance: Instance, exports: frozenset[str]) -> None:
    instance.start()
    if abi.INITIALIZE in exports and abi.ROUTE in exports:
        instance.call(abi.INITIALIZE)


def _ask(instance: Instance, request: bytes) -> bytes:
    """A reactor's answer."""
    length = len(request)
    pointer = instance.call(abi.ALLOC, length)
    if not pointer:
        raise Fault("error", f"alloc({length}) returned 0: no room for the request")
    try:
        instance.write(pointer, request)
    except OutOfBounds as exc:
        raise Fault("refused", f"{abi.ALLOC} named {exc}") from None
    return _returned(instance, abi.ROUTE, pointer, length)


def _returned(instance: Instance, name: str, *args: int) -> bytes:
    packed = instance.call(name, *args)
    if not packed:
        return b""
    pointer, length = packed >> 32, packed & U32
    if not length:
        raise Fault("refused", f"{name} returned a pointer with length 0; return 0 to abstain")
    if length > abi.ANSWER:
        raise Fault("refused", f"{name} returned {length} bytes, the limit is {abi.ANSWER}")
    try:
        return instance.read(pointer, length)
    except OutOfBounds as exc:
        raise Fault("refused", f"{name} named {exc}") from None


def _run(instance: Instance) -> bytes:
    """A command's answer: what it wrote, if it ended well."""
    try:
        instance.call(abi.START)
    except Exited as exc:
        if exc.status:
            raise
    return instance.output()
