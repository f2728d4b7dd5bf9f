"""What the tests of the rule host share: modules as text, a request, and how to load a folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wasmtime
from hypothesis import HealthCheck, settings

from prove import encode, vectors
from wasm_host import abi, engine
from wasm_host.guest import OutOfBounds, Result, Runtime, execute
from wasm_host.manifest import Limits
from wasm_host.native import Native
from wasm_host.public import Public
from wasm_host.registry import NO_POLICY, load_rules
from wasm_host.rule import RuleSet
from wasm_host.trust import Policy

RUNTIMES: tuple[Runtime, ...] = (Native(), Public())
CONFORMANCE, TARGETS, VIEW = vectors.FOLDER, vectors.TARGETS, vectors.VIEW
leb, wasm_name, wasm_section = encode.leb, encode.wasm_name, encode.wasm_section
ROUTE = '{"route":"a,b"}'
#: Generated cases: the same in every run, however slow the machine is.
patient = settings(derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ALLOC = '(func (export "rule_v1_alloc") (param i32) (result i32) (i32.const 1024))'


def answering(text: str, extra: str = "") -> str:
    """A rule that always gives the answer `text`; `extra` is more WAT."""
    return running(f"(i64.const {16 << 32 | len(text.encode())})", f"(data (i32.const 16) {quoted(text)}) {extra}")


def running(body: str, extra: str = "") -> str:
    """A rule whose route function is `body`."""
    route = f'(func (export "rule_v1_route") (param i32 i32) (result i64) {body})'
    return f'(module (memory (export "memory") 5) {extra} {ALLOC} {route})'


def seeing() -> str:
    """A rule that logs the request it was given, and abstains."""
    call = "(call $log (i32.const 2) (local.get 0) (local.get 1)) (i64.const 0)"
    return running(call).replace("(module", '(module (import "terraphim" "log" (func $log (param i32 i32 i32)))', 1)


class ByteMemory:
    """A guest's memory without a guest."""

    def __init__(self, data: bytes = b"", size: int = abi.PAGE) -> None:
        self.data = bytearray(data.ljust(size, b"\0"))

    def check(self, pointer: int, length: int) -> None:
        if pointer + length > len(self.data):
            raise OutOfBounds(pointer, length, len(self.data))

    def read(self, pointer: int, length: int) -> bytes:
        self.check(pointer, length)
        return bytes(self.data[pointer : pointer + length])

    def write(self, pointer: int, data: bytes) -> None:
        self.check(pointer, len(data))
        self.data[pointer : pointer + len(data)] = data


def artifact(text: str, memory: int = 0) -> bytes:
    """Machine code of a module, as the compiler would keep it."""
    return bytes(wasmtime.Module(engine.for_memory(memory), text).serialize())


def asked(runtime: Runtime, text: str, request: bytes = b"{}", **limits: int) -> Result:
    """What a module's code does with a request."""
    budget = Limits(**{"timeout_ms": 2000, **limits})
    prepared = runtime.prepare(artifact(text, budget.memory), budget.memory)
    return execute(runtime, prepared, request, budget, now_ms=VIEW["now_ms"], seed=VIEW["seed"])


def quoted(text: str) -> str:
    """`text` as a string of the text format."""
    return '"' + "".join(f"\\{byte:02x}" for byte in text.encode()) + '"'


def load(
    folder: Path,
    modules: Mapping[str, str | bytes],
    operator: Mapping[str, Mapping[str, Any]] | None = None,
    previous: RuleSet | None = None,
    policy: Policy = NO_POLICY,
) -> RuleSet:
    """Write `modules` (file name -> content) into `folder`/plugins and load it; tests share a cache of artifacts."""
    plugins = folder / "plugins"
    plugins.mkdir(exist_ok=True)
    for name, content in modules.items():
        (plugins / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return load_rules(plugins, operator or {}, cache=folder.parent / "artifacts", previous=previous, policy=policy)
