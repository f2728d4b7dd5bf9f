"""Judges a module's bytes before any engine sees them. Pure.

An engine is large, and looking at a module with it is already dangerous: wasmtime's Python API aborts the process when
it looks at the type of an export with `v128`. So names, types, imports and limits of `abi` are checked here, and every
refusal says what is wrong, where, and what the author can do.
"""

from collections.abc import Container, Iterator, Mapping

from msgspec import Struct

from wasm_host import abi, binary
from wasm_host.abi import Signature

NUMERIC = frozenset({"i32", "i64", "f32", "f64"})

_ONLY = f"a rule may import nothing but terraphim.log and {abi.WASI}"
_IMPORT_HINTS = {
    abi.WASI: "preview 1 has no function of this name",
    "wasi_unstable": "this is WASI from before preview 1: build with a newer SDK",
    "env": "build so that nothing is left undefined (AssemblyScript: --use abort= ; C and Rust: do not allow undefined"
    " symbols); a memory must be exported, not imported",
    "wbg": "build without wasm-bindgen: plain extern functions are enough",
    "wasi": "build a core module for WASI preview 1 (wasm32-wasip1), not a component",
    "terraphim": "the only function there is log(level i32, ptr i32, len i32)",
}


class Refusal(Struct, frozen=True):
    """Why a module is not run. `code` can be counted; `hint` says what to do."""

    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


def preflight(data: bytes, limits: Mapping[str, int] | None = None) -> binary.Module | Refusal:
    """The module's structure, or the first reason to refuse it. `limits` replaces defaults of `abi.LIMITS` (bytes)."""
    allowed = {name: limit.default for name, limit in abi.LIMITS.items()} | dict(limits or {})
    if len(data) > allowed["module"]:
        return Refusal(
            "limit",
            f"the module is {len(data)} bytes, its limit is {allowed['module']}",
            "strip it and build for size, or let the operator raise limits.module",
        )
    try:
        module = binary.parse(data)
    except binary.Malformed as exc:
        return _malformed(exc)
    return next(_faults(module, allowed), None) or module


def shape(exports: Container[str]) -> str:
    """`reactor` or `command`, by the names of the exports; what is neither lacks something of a reactor."""
    return "command" if abi.START in exports and abi.ROUTE not in exports else "reactor"


def _malformed(exc: binary.Malformed) -> Refusal:
    if "component" in exc.message:
        return Refusal("component", "the file is a component, not a core module", "build a core module (a reactor)")
    if exc.offset == 0:
        return Refusal("not_wasm", "the file is not a WebAssembly module", "rebuild it; text belongs into a .wat file")
    return Refusal("malformed", f"the module is damaged: {exc}", "rebuild it, or copy it again")


def _faults(module: binary.Module, allowed: Mapping[str, int]) -> Iterator[Refusal]:
    """Every reason, in the order in which an author would want to hear them."""
    yield from _type_faults(module)
    yield from _import_faults(module)
    yield from _shape_faults(module)
    yield from _memory_faults(module, allowed["memory"])
    yield from _table_faults(module)
    yield from _code_faults(module)
    yield from _metadata_faults(module)


def _type_faults(module: binary.Module) -> Iterator[Refusal]:
    for index, signature in enumerate(module.types):
        for kind in (*signature.params, *signature.results):
            if kind not in NUMERIC:
                yield _feature(f"type {index} is {signature}", kind)
    for index, kind in enumerate(module.globals):
        if kind not in NUMERIC:
            yield _feature(f"global {index} is {kind}", kind)
    if module.tags:
        yield Refusal("feature", "the module has exception tags", "build without exceptions")


def _feature(what: str, kind: str) -> Refusal:
    hint = "build without SIMD (C: -mno-simd128)" if kind == "v128" else "use numbers only, no reference types"
    return Refusal("feature", f"{what}; only i32, i64, f32 and f64 are allowed", hint)


def _import_faults(module: binary.Module) -> Iterator[Refusal]:
    for item in module.imports:
        label = f"{item.module[:80]}.{item.name[:80]}"
        expected = abi.IMPORTS.get((item.module, item.name))
        if expected is None or item.kind != "function":
            hint = _IMPORT_HINTS.get(item.module.partition(":")[0], _ONLY)
            yield Refusal("import", f"imports {item.kind} {label}, which the host does not give", hint)
        elif item.type != expected:
            yield Refusal("import", f"imports {label} as {item.type}", f"its type is {expected}")


def _shape_faults(module: binary.Module) -> Iterator[Refusal]:
    exports = {export.name: export for export in module.exports}
    if len(exports) > abi.EXPORTS:
        yield Refusal(
            "limit", f"{len(exports)} exports, the limit is {abi.EXPORTS}", "export only the rule's functions"
        )
    required = abi.COMMAND_EXPORTS if shape(exports) == "command" else abi.REQUIRED_EXPORTS
    for name, expected in (required | abi.OPTIONAL_EXPORTS).items():
        export = exports.get(name)
        if export is None:
            if name in required:
                yield Refusal("export", f"does not export the function {name}", f"add it, with the type {expected}")
        elif export.kind != "function":
            yield Refusal("export", f"exports {name} as a {export.kind}", f"it is a function {expected}")
        elif (actual := module.function_type(export.item)) != expected:
            yield Refusal("export", f"exports {name} as {actual}", f"its type is {expected}")
    memory = exports.get(abi.MEMORY)
    if memory is None or memory.kind != "memory":
        what = "exports no memory" if memory is None else f"exports memory as a {memory.kind}"
        yield Refusal("export", what, f"export the linear memory under the name {abi.MEMORY!r}")


def _memory_faults(module: binary.Module, allowed: int) -> Iterator[Refusal]:
    if len(module.memories) != 1:
        yield Refusal("limit", f"{len(module.memories)} memories, exactly one is allowed", "build without multi-memory")
        return
    flags, minimum, maximum = module.memories[0]
    for bit, name, hint in ((2, "shared", "threads"), (4, "64-bit", "memory64"), (8, "of a custom page size", "them")):
        if flags & bit:
            yield Refusal("feature", f"the memory is {name}", f"build without {hint}")
    if maximum is not None and maximum < minimum:
        yield Refusal("malformed", f"the memory's maximum {maximum} is under its minimum {minimum}", "rebuild it")
    if minimum * abi.PAGE > allowed:
        yield Refusal(
            "limit",
            f"the memory starts with {minimum} pages ({minimum * abi.PAGE} bytes), the limit is {allowed} bytes",
            "link with a smaller stack and heap (-z stack-size=32768), or let the operator raise limits.memory",
        )
    if module.data_size > allowed:
        yield Refusal("limit", f"{module.data_size} bytes of data, the limit is {allowed}", "embed less data")


def _table_faults(module: binary.Module) -> Iterator[Refusal]:
    if len(module.tables) > abi.TABLES:
        yield Refusal("limit", f"{len(module.tables)} tables, the limit is {abi.TABLES}", "use fewer tables")
    for index, table in enumerate(module.tables):
        if table.element != "funcref" or table.limits.flags & ~1:
            yield Refusal("feature", f"table {index} is no plain table of functions", "build without reference types")
        if table.limits.minimum > abi.TABLE_ELEMENTS:
            what = f"table {index} has {table.limits.minimum} elements, the limit is {abi.TABLE_ELEMENTS}"
            yield Refusal("limit", what, "use a smaller table")


def _code_faults(module: binary.Module) -> Iterator[Refusal]:
    if len(module.functions) > abi.FUNCTIONS:
        yield Refusal("limit", f"{len(module.functions)} functions, the limit is {abi.FUNCTIONS}", "link less code")
    imported = len(module.functions) - len(module.bodies)
    for index, size in enumerate(module.bodies):
        if size > abi.FUNCTION_BODY:
            what = f"function {imported + index} is {size} bytes long, the limit is {abi.FUNCTION_BODY}"
            yield Refusal("limit", what, "split it, or move its tables into data")
    if module.start is not None and module.function_type(module.start) != Signature((), ()):
        yield Refusal("malformed", "the start function takes or returns values", "rebuild the module")


def _metadata_faults(module: binary.Module) -> Iterator[Refusal]:
    sections = [content for name, content in module.custom if name == abi.METADATA_SECTION]
    if len(sections) > 1:
        yield Refusal("metadata", f"{len(sections)} sections {abi.METADATA_SECTION}, one is allowed", "stamp it once")
    for content in sections:
        if len(content) > abi.METADATA:
            what = f"section {abi.METADATA_SECTION} is {len(content)} bytes, the limit is {abi.METADATA}"
            yield Refusal("metadata", what, "say less")
