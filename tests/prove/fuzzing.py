"""A child that fuzzes the preflight, beside the engine: `fuzz` starts it, `_child_main` is it.

The preflight must answer every input with a module or a refusal, in work that is linear in its length. The engine is a
second opinion: what it accepts, the preflight may only refuse for a rule of ours, never as damaged, and of what both
accept both must see the same imports and exports.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

import msgspec
from msgspec import Struct

from prove.mutants import mutant
from wasm_host import abi, binary, child
from wasm_host.preflight import Refusal, preflight

#: A refusal that says that the bytes are no module: where the engine takes them, one of the two is wrong.
DAMAGE: Final = frozenset({"not_wasm", "malformed", "component"})
#: Python calls that a byte may cost, and what any input may.
CALLS_PER_BYTE, CALLS_FREE = 6, 50
#: A refusal is a sentence in a log, whatever the module holds.
MESSAGE_MAX: Final = 2_000
_WEIGHED_EACH: Final = 10
_FINDINGS_MAX: Final = 20
_CPU_S: Final = 30
_PATIENCE_S: Final = 300
#: Inputs a child: it must stay within its CPU.
BATCH: Final = 2_500


class Tally(Struct):
    """What came of a batch. `codes` counts verdicts, `engine` those that the engine accepts, by the same codes."""

    codes: dict[str, int] = {}
    engine: dict[str, int] = {}
    weighed: int = 0
    calls_per_byte: float = 0.0
    findings: list[str] = []


class _Task(Struct):
    seeds: list[bytes]
    first: int
    count: int


def fuzz(seeds: Sequence[bytes], first: int, count: int) -> Tally:
    """Mutants `first` to `first + count` of `seeds`, in a child."""
    task = msgspec.msgpack.encode(_Task(list(seeds), first, count))
    done = child.run("prove.fuzzing", [], task, timeout_s=_PATIENCE_S)
    if done.status != 0:
        return Tally(findings=[f"mutants from {first}: the child ended ({done.reason}): {done.stderr[-500:]}"])
    return msgspec.msgpack.decode(done.stdout, type=Tally)


def weigh(data: bytes) -> int:
    """Python calls that the preflight makes for `data`: its work, without a clock."""
    calls = 0

    def count(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        preflight(data)
    finally:
        sys.setprofile(None)
    return calls


class _Fuzzer:
    def __init__(self, seeds: Sequence[bytes]) -> None:
        import wasmtime  # noqa: PLC0415 - only in the child

        from wasm_host import engine  # noqa: PLC0415 - as above

        self._module: Any = wasmtime.Module
        self._error: Any = wasmtime.WasmtimeError
        self._engine = engine.for_memory(abi.LIMITS["memory"].default)
        self._seeds = seeds
        self.codes: Counter[str] = Counter()
        self.engine: Counter[str] = Counter()
        self.tally = Tally()

    def one(self, number: int) -> None:
        """One mutant; whatever is wrong becomes a finding."""
        data = mutant(self._seeds, number)
        try:
            problem = self._judge(data)
            if not problem and number % _WEIGHED_EACH == 0:
                problem = self._weigh(data)
        except Exception as exc:  # noqa: BLE001 - the very thing that is looked for
            problem = f"{type(exc).__name__}: {exc}"
        if problem:
            self.tally.findings.append(f"mutant {number}: {problem[:300]}: {data[:400].hex()}")

    def _judge(self, data: bytes) -> str:
        verdict = preflight(data)
        code = verdict.code if isinstance(verdict, Refusal) else "accepted"
        self.codes[code] += 1
        if isinstance(verdict, Refusal) and not (verdict.hint and 0 < len(verdict.message) <= MESSAGE_MAX):
            return f"refused as {code} in {len(verdict.message)} characters, hint {verdict.hint!r}"
        try:
            self._module.validate(self._engine, data)  # cheap, and a little more lenient than compiling
            compiled = self._module(self._engine, data)
        except self._error:
            return ""
        self.engine[code] += 1
        if code in DAMAGE:
            return f"the engine accepts what is refused as {code}: {verdict}"
        return _differences(verdict, compiled) if isinstance(verdict, binary.Module) else ""

    def _weigh(self, data: bytes) -> str:
        calls = max(0, weigh(data) - CALLS_FREE)
        self.tally.weighed += 1
        self.tally.calls_per_byte = max(self.tally.calls_per_byte, calls / max(1, len(data)))
        return f"{calls} calls for {len(data)} bytes" if calls > CALLS_PER_BYTE * len(data) else ""


def _differences(ours: binary.Module, theirs: Any) -> str:
    """What the two see differently of a module that both accept."""
    imports = [(item.module, item.name, str(item.type)) for item in ours.imports]
    exports = [(item.name, _type_of(ours, item)) for item in ours.exports]
    seen = [(item.module, item.name, _type_text(item.type)) for item in theirs.imports]
    if imports != seen:
        return f"imports {imports}, the engine sees {seen}"
    shown = [(item.name, _type_text(item.type)) for item in theirs.exports]
    return "" if exports == shown else f"exports {exports}, the engine sees {shown}"


def _type_of(module: binary.Module, export: binary.Export) -> str:
    return str(module.function_type(export.item)) if export.kind == "function" else export.kind


def _type_text(type_: Any) -> str:
    """The engine's type in the words of `abi.Signature`, or the kind of what is no function."""
    if hasattr(type_, "params"):
        return str(abi.Signature(tuple(map(str, type_.params)), tuple(map(str, type_.results))))
    return type(type_).__name__.removesuffix("Type").lower()


def _child_main() -> None:
    child.restrain(memory=8 * 1024 * abi.MIB, cpu_s=_CPU_S)
    task = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=_Task)
    fuzzer = _Fuzzer(task.seeds)
    for number in range(task.first, task.first + task.count):
        fuzzer.one(number)
    tally = msgspec.structs.replace(
        fuzzer.tally, codes=dict(fuzzer.codes), engine=dict(fuzzer.engine),
        findings=list(islice(fuzzer.tally.findings, _FINDINGS_MAX)),
    )  # fmt: skip
    sys.stdout.buffer.write(msgspec.msgpack.encode(tally))


if __name__ == "__main__":
    _child_main()
