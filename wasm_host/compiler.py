"""Compiles a module in a child process, and keeps what came out.

Compilation is unbounded in engines (a valid 195 KiB module took 9.6 s of CPU), and so is everything else that a hostile
file can do to a parser: it happens in a child with limits on memory and CPU. The child judges the bytes, compiles them,
reads the module's metadata and asks it the example request once.

Artifacts are machine code that the host loads without looking at it. So they live in a folder that only we can write,
under the SHA-256 of the source and the engine's identity, with a checksum, and are never taken from anywhere else.
"""

import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from wasm_host import abi, child, files, guest, profile
from wasm_host.binary import Module
from wasm_host.manifest import Limits
from wasm_host.preflight import Refusal, preflight, shape

#: Artifacts that are kept; older ones are removed when a new one is written.
CACHE_ENTRIES: Final = 128
#: A child at niceness 19 on a busy machine waits long for its CPU seconds.
WALL_S: Final = 4 * abi.COMPILE_CPU_MAX


class Smoke(Struct, frozen=True):
    """What came of asking the example request: outcome code (`answer` if any), message, instructions."""

    code: str
    message: str = ""
    fuel: int = 0


class Facts(Struct, frozen=True, kw_only=True):
    """What is known of a module. Sizes are bytes, memory is in bytes, `exports` maps names to types, `shape` is
    `reactor` or `command`.

    `section` and `described` are the author's metadata, from the custom section and from `rule_v1_describe`.
    """

    sha256: str
    size: int
    wasm_size: int
    code_size: int
    data_size: int
    functions: int
    shape: str
    imports: tuple[str, ...]
    exports: dict[str, str]
    memory: int
    memory_max: int | None
    section: dict[str, Any]
    described: dict[str, Any]
    smoke: Smoke
    engine: str

    @property
    def pure(self) -> bool:
        """Whether the module can do nothing but compute."""
        return not self.imports


class Compiled(Struct, frozen=True):
    """A module that may be run: what it is, and where its machine code is."""

    facts: Facts
    artifact: Path


class _Reply(Struct):
    """What the child says: an artifact with its facts, or why not."""

    facts: Facts | None = None
    artifact: bytes = b""
    refusal: Refusal | None = None


def compile_module(
    source: bytes, *, text: bool, cache: Path, limits: Mapping[str, int] | None = None
) -> Compiled | Refusal:
    """Compile `source`, a binary or (`text`) a .wat file, or take it from the `cache` folder (made if missing)."""
    if refusal := unsafe_folder(cache):
        return refusal
    digest = hashlib.sha256(source).hexdigest()
    judged = {"module": 0, "memory": 0} | {name: int(value) for name, value in (limits or {}).items()}
    key = hashlib.sha256(f"{_code_identity()} {text} {judged['module']} {judged['memory']}".encode()).hexdigest()[:16]
    path = cache / f"{digest}-{profile.identity()}-{key}.artifact"
    if facts := read_facts(path):
        return Compiled(facts, path)
    reply = _ask_child(source, text=text, limits={name: value for name, value in judged.items() if value})
    if reply.refusal is not None or reply.facts is None:
        return reply.refusal or Refusal("crash", "the compiler gave no answer", "report this module")
    try:
        _store(path, reply)
    except OSError as exc:
        return Refusal("cache", f"cannot write {path.parent}: {exc.strerror}", "make room, or set another cache folder")
    return Compiled(reply.facts, path)


@cache
def _code_identity() -> str:
    """Hash of the code that judges modules: what an older version let through is judged again."""
    names = ("abi", "binary", "preflight", "compiler", "engine", "guest", "world", "wasi", "public")
    sources = [Path(__file__).with_name(f"{name}.py").read_bytes() for name in names]
    return hashlib.sha256(b"\0".join(sources)).hexdigest()


def unsafe_folder(folder: Path) -> Refusal | None:
    """Why machine code must not be kept in `folder`, which is made if it is missing; None if it may."""
    try:
        files.private_folder(folder)
        info = folder.lstat()
    except OSError as exc:
        return Refusal("cache", f"cannot make the cache folder {folder}: {exc.strerror}", "set another one")
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid() or info.st_mode & 0o077:
        return Refusal("cache", f"others could write into the cache folder {folder}", f"run: chmod 700 {folder}")
    return None


def _read(path: Path) -> bytes | None:
    """The payload of a cache entry, if it is ours and whole."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode) or info.st_uid != os.geteuid() or info.st_mode & 0o022:
                return None
            data = file.read()
    except OSError:
        return None
    return data[32:] if hashlib.sha256(data[32:]).digest() == data[:32] else None


def _read_reply(path: Path) -> _Reply | None:
    payload = _read(path)
    if payload is None:
        return None
    try:
        return msgspec.msgpack.decode(payload, type=_Reply)
    except msgspec.MsgspecError:
        return None


def read_facts(path: Path) -> Facts | None:
    """The facts of a cache entry; None if there is none or it is damaged."""
    reply = _read_reply(path)
    return reply.facts if reply else None


def read_artifact(path: Path) -> bytes | None:
    """The machine code of a cache entry; None if there is none or it is damaged."""
    reply = _read_reply(path)
    return reply.artifact if reply else None


def _store(path: Path, reply: _Reply) -> None:
    payload = msgspec.msgpack.encode(reply)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(payload).digest())
            file.write(payload)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    entries = sorted(path.parent.glob("*.artifact"), key=lambda entry: entry.stat().st_mtime, reverse=True)
    for entry in entries[CACHE_ENTRIES:]:
        entry.unlink(missing_ok=True)


def _ask_child(source: bytes, *, text: bool, limits: Mapping[str, int]) -> _Reply:
    args = ["text" if text else "binary", msgspec.json.encode(limits).decode()]
    done = child.run("wasm_host.compiler", args, source, timeout_s=WALL_S)
    if done.status == 0:
        try:
            return msgspec.msgpack.decode(done.stdout, type=_Reply)
        except msgspec.MsgspecError:
            return _Reply(refusal=Refusal("crash", "the compiler's answer is damaged", "try again"))
    hints = {
        "cpu": "split large functions and reduce nesting",
        "time": "the machine may be overloaded: try again",
        "memory": "the module is too large or too deeply nested",
    }
    message = {
        "cpu": "compiling took more CPU time than its size allows",
        "memory": f"compiling took more than {abi.COMPILE_MEMORY // abi.MIB} MiB",
        "time": f"compiling took longer than {WALL_S} s",
    }.get(done.reason, f"the compiler crashed (status {done.status})")
    return _Reply(refusal=Refusal(done.reason, message, hints.get(done.reason, "report this module")))


def _child_main(arguments: list[str]) -> None:
    """The child: source on stdin, a `_Reply` on stdout."""
    child.restrain(memory=abi.COMPILE_MEMORY, cpu_s=abi.COMPILE_CPU_BASE, niceness=abi.COMPILE_NICENESS)
    source = sys.stdin.buffer.read()
    limits = msgspec.json.decode(arguments[1], type=dict[str, int])
    reply = _judge(source, text=arguments[0] == "text", limits=limits, allow_cpu=child.allow_cpu)
    sys.stdout.buffer.write(msgspec.msgpack.encode(reply))


def _judge(source: bytes, *, text: bool, limits: Mapping[str, int], allow_cpu: Callable[[int], None]) -> _Reply:
    """Everything that is found out about a module; `allow_cpu` is told how many seconds its code is worth."""
    import wasmtime  # noqa: PLC0415 - not before the limits stand, and only in the child

    data = source
    if text:
        try:
            data = bytes(wasmtime.wat2wasm(source))
        except (wasmtime.WasmtimeError, UnicodeDecodeError) as exc:
            return _Reply(refusal=Refusal("text", f"the text is not valid: {exc}"[:2000], "mend the .wat file"))
    module = preflight(data, limits)
    if isinstance(module, Refusal):
        return _Reply(refusal=module)
    allow_cpu(cpu_seconds(module.code_size))
    from wasm_host import engine  # noqa: PLC0415 - as above

    try:
        compiled = wasmtime.Module(engine.for_memory(limits.get("memory", 0)), data)
    except wasmtime.WasmtimeError as exc:
        return _Reply(
            refusal=Refusal("compile", f"the engine refuses the module: {exc}"[:2000], _compile_hint(str(exc)))
        )
    return _try(source, module, compiled, limits)


def cpu_seconds(code_size: int) -> int:
    """What so many bytes of code may cost: 2 s up to 256 KiB, and enough for a runtime (Go: 1.2 MiB, 6 s)."""
    charged = max(0, code_size - abi.COMPILE_CODE_FREE)
    return min(abi.COMPILE_CPU_BASE - (-abi.COMPILE_CPU_PER_MIB * charged // abi.MIB), abi.COMPILE_CPU_MAX)


def _compile_hint(message: str) -> str:
    return "build without SIMD" if "SIMD" in message else "rebuild it for WebAssembly 2.0 without extensions"


def _try(source: bytes, module: Module, compiled: Any, limits: Mapping[str, int]) -> _Reply:
    """Run what the module runs before it is asked, and ask it once."""
    from wasm_host.public import Public  # noqa: PLC0415 - as above

    budget = Limits(**{name: limits[name] for name in ("fuel", "memory", "timeout_ms") if name in limits})
    runtime = Public()  # whose choice would cost each child more than the two calls do
    try:
        prepared = runtime.link(compiled, budget.memory)
        described = _metadata(guest.describe(runtime, prepared, budget), abi.DESCRIBE)
        sections = [content for name, content in module.custom if name == abi.METADATA_SECTION]
        section = _metadata(sections[0] if sections else b"", f"section {abi.METADATA_SECTION}")
    except guest.Fault as fault:
        what = f"the module fails before it is asked ({fault.code}): {fault.message}"
        return _Reply(refusal=Refusal("start", what, "look at its start function, _initialize and rule_v1_describe"))
    except ValueError as exc:
        return _Reply(refusal=Refusal("metadata", str(exc), "metadata is a JSON object of the manifest's keys"))
    example, now_ms, seed = msgspec.json.encode(abi.EXAMPLE), abi.EXAMPLE["now_ms"], abi.EXAMPLE["seed"]
    smoke = _smoke(guest.execute(runtime, prepared, example, budget, now_ms=now_ms, seed=seed))
    facts = _facts(source, module, section=section, described=described, smoke=smoke, engine=profile.identity())
    return _Reply(facts, bytes(compiled.serialize()))


def _smoke(result: guest.Result) -> Smoke:
    if result.fault:
        return Smoke(result.fault.code, result.fault.message, result.fuel)
    return Smoke("answer" if result.answer else "abstain", "", result.fuel)


def _metadata(data: bytes, where: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any]) if data else {}
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as exc:
        raise ValueError(f"{where}: {exc}") from None


def _facts(source: bytes, module: Module, **rest: Any) -> Facts:
    memory = module.memories[0]
    functions = {
        export.name: str(module.function_type(export.item)) for export in module.exports if export.kind == "function"
    }
    return Facts(
        sha256=hashlib.sha256(source).hexdigest(),
        size=len(source),
        wasm_size=module.size,
        code_size=module.code_size,
        data_size=module.data_size,
        functions=len(module.functions),
        shape=shape({export.name for export in module.exports}),
        imports=tuple(f"{item.module}.{item.name}" for item in module.imports),
        exports={export.name: functions.get(export.name, export.kind) for export in module.exports},
        memory=memory.minimum * abi.PAGE,
        memory_max=None if memory.maximum is None else memory.maximum * abi.PAGE,
        **rest,
    )


if __name__ == "__main__":
    _child_main(sys.argv[1:])
