"""Which way to the engine serves: the fast one, if it is there and does what the public one does."""

import sys
from functools import cache
from typing import Final, NamedTuple

import wasmtime

from wasm_host import abi, engine
from wasm_host.guest import Result, Runtime, execute
from wasm_host.public import Public


class Serving(NamedTuple):
    """The runtime that serves; `path` is its name, `reason` why it is not the fast one (empty if it is)."""

    runtime: Runtime
    reason: str = ""

    @property
    def path(self) -> str:
        return self.runtime.name

    @property
    def verdict(self) -> str:
        """Path and reason, for those who come after."""
        return f"{self.path} {self.reason}".strip()


#: A rule that does what the first byte of its request says, so that one module asks everything.
_REACTOR: Final = f"""(module
  (import "terraphim" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1 3)
  (global $heap (mut i32) (i32.const 1024))
  (data (i32.const 16) "answer")
  (func $deep (result i32) (i32.add (call $deep) (i32.const 1)))
  (func (export "{abi.INITIALIZE}") (global.set $heap (i32.const 2048)))
  (func (export "{abi.ALLOC}") (param $length i32) (result i32)
    (select (i32.const 0) (global.get $heap) (i32.gt_u (local.get $length) (i32.const 64))))
  (func (export "{abi.ROUTE}") (param $at i32) (param $length i32) (result i64) (local $what i32)
    (local.set $what (i32.load8_u (local.get $at)))
    (if (i32.eq (local.get $what) (i32.const {ord("a")})) (then (return (i64.const {16 << 32 | 6}))))
    (if (i32.eq (local.get $what) (i32.const {ord("t")})) (then unreachable))
    (if (i32.eq (local.get $what) (i32.const {ord("d")})) (then (drop (i32.div_u (i32.const 1) (i32.const 0)))))
    (if (i32.eq (local.get $what) (i32.const {ord("o")})) (then (return (i64.const -1))))
    (if (i32.eq (local.get $what) (i32.const {ord("p")})) (then (return (i64.const {65_532 << 32 | 5}))))
    (if (i32.eq (local.get $what) (i32.const {ord("l")})) (then
      (call $log (i32.const 3) (i32.const 16) (i32.const 6))
      (call $log (i32.const -1) (i32.const -1) (i32.const 2))))
    (if (i32.eq (local.get $what) (i32.const {ord("f")})) (then (loop $again (br $again))))
    (if (i32.eq (local.get $what) (i32.const {ord("s")})) (then (drop (call $deep))))
    (if (i32.eq (local.get $what) (i32.const {ord("g")})) (then (drop (memory.grow (i32.const 2)))))
    (i64.const 0)))"""
_REQUESTS: Final = tuple(what.encode() for what in ("a", "n", "t", "d", "o", "p", "l", "f", "s", "g", "x" * 65))

#: Answers with the randomness, the time and the errno of bad pointers that WASI gave it, and says so.
_WASI: Final = f"""(module
  (import "{abi.WASI}" "random_get" (func $random (param i32 i32) (result i32)))
  (import "{abi.WASI}" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "{abi.WASI}" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "{abi.WASI}" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "\\10\\00\\00\\00\\20\\00\\00\\00")
  (func (export "{abi.ALLOC}") (param i32) (result i32) (i32.const 1024))
  (func (export "{abi.ROUTE}") (param $at i32) (param $length i32) (result i64)
    (i32.store (i32.const 32) (call $random (i32.const 16) (i32.const 8)))
    (i32.store (i32.const 36) (call $clock (i32.const 1) (i64.const 0) (i32.const 24)))
    (i32.store (i32.const 40) (call $random (i32.const -1) (i32.const 2)))
    (i32.store (i32.const 44) (call $write (i32.const 2) (i32.const 64) (i32.const 1) (i32.const 128)))
    (if (i32.eq (i32.load8_u (local.get $at)) (i32.const {ord("e")})) (then (call $exit (i32.const 3))))
    (if (i32.eq (i32.load8_u (local.get $at)) (i32.const {ord("r")})) (then
      (loop $again (drop (call $random (i32.const 0) (i32.const 4096))) (br $again))))
    (i64.const {16 << 32 | 32})))"""
#: Answers with what it is asked, and ends as the first byte says.
_COMMAND: Final = f"""(module
  (import "{abi.WASI}" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "{abi.WASI}" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "{abi.WASI}" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "\\00\\01\\00\\00\\00\\10\\00\\00")
  (func (export "{abi.START}")
    (drop (call $read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 20)))
    (loop $again
      (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 32)))
      (br_if $again (i32.eq (i32.load8_u (i32.const 256)) (i32.const {ord("l")}))))
    (if (i32.ne (i32.load8_u (i32.const 256)) (i32.const {ord("n")})) (then
      (call $exit (i32.and (i32.load8_u (i32.const 256)) (i32.const 7)))))))"""


class _Limits(NamedTuple):
    fuel: int = 100_000
    memory: int = abi.LIMITS["memory"].default
    timeout_ms: int = abi.LIMITS["timeout_ms"].cap


@cache
def serving() -> Serving:
    """Chosen at the first use, which takes some milliseconds; the same ever after."""
    public = Public()
    try:
        from wasm_host.native import Native  # noqa: PLC0415 - it may be what this wasmtime does not allow

        native = Native()
        difference = compare(native, public)
    except Exception as exc:  # noqa: BLE001 - whatever is wrong with the fast way, the other one serves
        difference = f"cannot be used: {type(exc).__name__}: {exc}"[:200]
    return Serving(public, f"native {difference}") if difference else Serving(native)


def remembered(verdict: str) -> Serving:
    """The way that a process before this one chose, as `Serving.verdict` wrote it; empty: choose now."""
    name, _, reason = verdict.partition(" ")
    if name == Public.name:
        return Serving(Public(), reason)
    if name:
        from wasm_host.native import Native  # noqa: PLC0415 - as above

        return Serving(Native())
    return serving()


def compare(one: Runtime, other: Runtime) -> str:
    """How two runtimes differ on modules made for it; empty if they do not."""
    limits = _Limits()
    for text, requests in _PROBES:
        artifact = bytes(wasmtime.Module(engine.for_memory(limits.memory), text).serialize())
        prepared = [runtime.prepare(artifact, limits.memory) for runtime in (one, other)]
        for request in requests:
            results = [
                _plain(execute(runtime, module, request, limits, now_ms=1, seed=2))
                for runtime, module in zip((one, other), prepared, strict=True)
            ]
            if results[0] != results[1]:
                return f"answers {results[0]} where {other.name} answers {results[1]}"
    return ""


def _plain(result: Result) -> tuple[object, ...]:
    """A result as values that can be compared."""
    fault = result.fault
    return (*result._replace(fault=None), fault and (fault.code, fault.message))


_PROBES: Final = (
    (_REACTOR, _REQUESTS),
    (_WASI, (b"answer", b"exit", b"random")),
    (_COMMAND, (b"normal", b"0", b"3", b"l" * 1000)),
)


if __name__ == "__main__":
    sys.stdout.write(serving().verdict)
