"""Reads the structure of a WebAssembly binary, as far as a host must know it. Pure, bounded, and never surprised.

Source: WebAssembly Core Specification 2.0, chapter 5 (binary format). Function bodies are measured, not decoded: the
engine validates them. Any input gives a `Module` or raises `Malformed`; work is linear in the input's length.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from msgspec import Struct

from wasm_host.abi import Signature

T = TypeVar("T")

MAGIC: Final = b"\0asm"
CORE_VERSION: Final = b"\x01\0\0\0"
#: Component-model binaries: layer 1 in the upper half of the version field.
COMPONENT_LAYER: Final = b"\x01\0"

VALUE_TYPES: Final = {
    0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128", 0x70: "funcref", 0x6F: "externref",
    0x6E: "anyref", 0x6D: "eqref", 0x6C: "i31ref", 0x6B: "structref", 0x6A: "arrayref", 0x69: "exnref",
    0x71: "nullref", 0x72: "nullexternref", 0x73: "nullfuncref", 0x74: "nullexnref",
}  # fmt: skip
KINDS: Final = ("function", "table", "memory", "global", "tag")
#: Section ids in the order in which they must appear (the data count, 12, precedes the code; tags, 13, the globals).
SECTION_ORDER: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 13: 6, 6: 7, 7: 8, 8: 9, 9: 10, 12: 11, 10: 12, 11: 13}


class Malformed(Exception):
    """These bytes are not a module: what is wrong, and at which byte offset."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(f"{message} (at byte {offset})")
        self.message = message
        self.offset = offset


class Limits(NamedTuple):
    """Of a memory (64 KiB pages) or a table (elements); `flags`: 1 maximum, 2 shared, 4 64-bit, 8 page size."""

    flags: int
    minimum: int
    maximum: int | None


class Table(NamedTuple):
    """An element type and how many."""

    element: str
    limits: Limits


class Import(NamedTuple):
    """`type` is a function's type; None for the other kinds."""

    module: str
    name: str
    kind: str
    type: Signature | None


class Export(NamedTuple):
    """`item` counts in the space of its kind, imports first."""

    name: str
    kind: str
    item: int


class Module(Struct):
    """What a module's sections say; sizes in bytes. `functions` holds type indices, imported functions first."""

    size: int = 0
    types: list[Signature] = []
    imports: list[Import] = []
    functions: list[int] = []
    tables: list[Table] = []
    memories: list[Limits] = []
    globals: list[str] = []
    exports: list[Export] = []
    bodies: list[int] = []
    start: int | None = None
    tags: int = 0
    data_size: int = 0
    code_size: int = 0
    custom: list[tuple[str, bytes]] = []

    def function_type(self, index: int) -> Signature:
        return self.types[self.functions[index]]


class _Reader:
    """A cursor over `data[at:end]` that never passes its end."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data, self.at, self.end = data, at, end

    def fail(self, message: str) -> Malformed:
        return Malformed(message, self.at)

    def byte(self) -> int:
        if self.at >= self.end:
            raise self.fail("unexpected end")
        self.at += 1
        return self.data[self.at - 1]

    def take(self, count: int) -> bytes:
        if count > self.end - self.at:
            raise self.fail(f"{count} bytes announced, {self.end - self.at} left")
        self.at += count
        return self.data[self.at - count : self.at]

    def leb(self, bits: int) -> int:
        """Unsigned LEB128: at most ceil(bits / 7) bytes, and no set bit beyond `bits`."""
        value = 0
        for shift in range(0, bits, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >> bits:
                    raise self.fail(f"integer over {bits} bits")
                return value
        raise self.fail(f"integer of more than {-(-bits // 7)} bytes")

    def u32(self) -> int:
        return self.leb(32)

    def skip_signed(self, bits: int) -> None:
        for _ in range(-(-bits // 7)):
            if self.byte() < 0x80:
                return
        raise self.fail("integer too long")

    def name(self) -> str:
        raw = self.take(self.u32())
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise self.fail("name is not UTF-8") from None

    def value_type(self) -> str:
        code = self.byte()
        if code in (0x63, 0x64):  # (ref null? heaptype): the heap type is a signed 33-bit integer
            self.skip_signed(33)
            return "ref"
        try:
            return VALUE_TYPES[code]
        except KeyError:
            raise self.fail(f"unknown value type 0x{code:02x}") from None

    def vector(self, item: Callable[[], T]) -> list[T]:
        count = self.u32()
        if count > self.end - self.at:  # every item takes a byte at least
            raise self.fail(f"{count} items announced, {self.end - self.at} bytes left")
        return [item() for _ in range(count)]

    def limits(self) -> Limits:
        flags = self.byte()
        if flags > 0x0F:
            raise self.fail(f"unknown limits flag 0x{flags:02x}")
        bits = 64 if flags & 4 else 32
        minimum = self.leb(bits)
        maximum = self.leb(bits) if flags & 1 else None
        if flags & 8:
            self.u32()
        return Limits(flags, minimum, maximum)

    def function_type(self) -> Signature:
        form = self.byte()
        if form != 0x60:
            raise self.fail(f"type form 0x{form:02x} is not a function (GC proposal?)")
        return Signature(tuple(self.vector(self.value_type)), tuple(self.vector(self.value_type)))

    def table_type(self) -> Table:
        return Table(self.value_type(), self.limits())

    def table(self) -> Table:
        if self.at < self.end and self.data[self.at] == 0x40:  # table with an initialiser
            self.take(2)
            table = self.table_type()
            self.constant()
            return table
        return self.table_type()

    def global_type(self) -> str:
        kind = self.value_type()
        if self.byte() > 1:
            raise self.fail("global is neither const nor var")
        return kind

    def global_(self) -> str:
        kind = self.global_type()
        self.constant()
        return kind

    def constant(self) -> None:
        """Skip a constant expression (spec 3.3.10, with the extended-const and reference instructions)."""
        while (opcode := self.byte()) != 0x0B:
            if opcode == 0x41:
                self.skip_signed(32)
            elif opcode == 0x42:
                self.skip_signed(64)
            elif opcode in (0x43, 0x44):
                self.take(4 if opcode == 0x43 else 8)
            elif opcode in (0x23, 0xD2):
                self.u32()
            elif opcode == 0xD0:
                self.skip_signed(33)
            elif opcode == 0xFD and self.u32() == 0x0C:  # v128.const: its type is for others to judge
                self.take(16)
            elif opcode not in (0x6A, 0x6B, 0x6C, 0x7C, 0x7D, 0x7E):
                raise self.fail(f"opcode 0x{opcode:02x} in a constant expression")


class _Parser:
    """Fills a `Module`, one section after the other."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.module = Module(size=len(data))
        self.own_functions: list[int] = []
        self.parsers: dict[int, Callable[[_Reader], None]] = {
            0: self.custom, 1: self.types, 2: self.imports, 3: self.functions, 4: self.tables, 5: self.memories,
            6: self.globals, 7: self.exports, 8: self.start, 10: self.code, 11: self.data_segments, 13: self.tags,
        }  # fmt: skip

    def parse(self) -> Module:
        reader = _Reader(self.data, 8, len(self.data))
        last = 0
        while reader.at < reader.end:
            at = reader.at
            section, size = reader.byte(), reader.u32()
            body = _Reader(self.data, reader.at, reader.at + size)
            reader.take(size)
            if section:
                rank = SECTION_ORDER.get(section)
                if rank is None:
                    raise Malformed(f"unknown section {section}", at)
                if rank <= last:
                    raise Malformed(f"section {section} is repeated or out of order", at)
                last = rank
            if parser := self.parsers.get(section):
                parser(body)
                if section and body.at != body.end:
                    raise body.fail(f"{body.end - body.at} bytes too many in section {section}")
        if len(self.own_functions) != len(self.module.bodies):
            raise reader.fail(f"{len(self.own_functions)} functions declared, {len(self.module.bodies)} defined")
        return self.module

    def custom(self, reader: _Reader) -> None:
        self.module.custom.append((reader.name(), reader.take(reader.end - reader.at)))

    def types(self, reader: _Reader) -> None:
        self.module.types = reader.vector(reader.function_type)

    def type_index(self, reader: _Reader) -> int:
        index = reader.u32()
        if index >= len(self.module.types):
            raise reader.fail(f"type {index} does not exist")
        return index

    def imports(self, reader: _Reader) -> None:
        self.module.imports = reader.vector(lambda: self.import_(reader))

    def import_(self, reader: _Reader) -> Import:
        module, name, kind = reader.name(), reader.name(), reader.byte()
        signature = None
        if kind == 0:
            index = self.type_index(reader)
            self.module.functions.append(index)
            signature = self.module.types[index]
        elif kind == 1:
            self.module.tables.append(reader.table_type())
        elif kind == 2:
            self.module.memories.append(reader.limits())
        elif kind == 3:
            self.module.globals.append(reader.global_type())
        elif kind == 4:
            self.module.tags += 1
            reader.byte(), self.type_index(reader)
        else:
            raise reader.fail(f"unknown import kind {kind}")
        return Import(module, name, KINDS[kind], signature)

    def functions(self, reader: _Reader) -> None:
        self.own_functions = reader.vector(lambda: self.type_index(reader))
        self.module.functions += self.own_functions

    def tables(self, reader: _Reader) -> None:
        self.module.tables += reader.vector(reader.table)

    def memories(self, reader: _Reader) -> None:
        self.module.memories += reader.vector(reader.limits)

    def globals(self, reader: _Reader) -> None:
        self.module.globals += reader.vector(reader.global_)

    def tags(self, reader: _Reader) -> None:
        self.module.tags += reader.u32()
        reader.at = reader.end

    def exports(self, reader: _Reader) -> None:
        spaces = (self.module.functions, self.module.tables, self.module.memories, self.module.globals)

        def export() -> Export:
            name, kind, index = reader.name(), reader.byte(), reader.u32()
            if kind >= len(KINDS):
                raise reader.fail(f"unknown export kind {kind}")
            if index >= (len(spaces[kind]) if kind < len(spaces) else self.module.tags):
                raise reader.fail(f"export {name[:80]!r} names {KINDS[kind]} {index}, which does not exist")
            return Export(name, KINDS[kind], index)

        self.module.exports = reader.vector(export)
        if len({export.name for export in self.module.exports}) != len(self.module.exports):
            raise reader.fail("two exports of one name")

    def start(self, reader: _Reader) -> None:
        self.module.start = reader.u32()
        if self.module.start >= len(self.module.functions):
            raise reader.fail(f"start names function {self.module.start}, which does not exist")

    def code(self, reader: _Reader) -> None:
        self.module.code_size = reader.end - reader.at
        self.module.bodies = reader.vector(lambda: len(reader.take(reader.u32())))

    def data_segments(self, reader: _Reader) -> None:
        def segment() -> int:
            flag = reader.u32()
            if flag > 2:
                raise reader.fail(f"unknown data segment flag {flag}")
            if flag == 2:
                reader.u32()
            if flag != 1:
                reader.constant()
            return len(reader.take(reader.u32()))

        self.module.data_size = sum(reader.vector(segment))


def parse(data: bytes) -> Module:
    """The structure of a core module; `Malformed` for anything else."""
    if data[:4] != MAGIC:
        raise Malformed("does not begin with the WebAssembly magic number", 0)
    if data[6:8] == COMPONENT_LAYER:
        raise Malformed("is a component, not a core module", 4)
    if data[4:8] != CORE_VERSION:
        raise Malformed("is not of version 1 of the binary format", 4)
    return _Parser(data).parse()
