"""Asks modules in a child process, for their authors: requests in, raw replies out.

Every request has a fresh instance. A rule that takes the process with it loses only the request that did it: the next
child goes on behind it. Nothing that a reply holds was judged.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from wasm_host import abi, child
from wasm_host.compiler import read_artifact
from wasm_host.frames import Result
from wasm_host.guest import Prepared, Runtime, execute
from wasm_host.rule import Rule

#: Calls of one child may take so many seconds together, by the rule's own deadline; its CPU limit is above.
_BUDGET_S: Final = 20
_MEMORY: Final = abi.COMPILE_MEMORY
#: After so many dead children no further one is started.
_DEATHS_MAX: Final = 3


class Question(Struct, frozen=True):
    """One request for one module, under its limits (instructions, bytes, milliseconds), to be asked `calls` times."""

    artifact: Path
    request: bytes
    fuel: int
    memory: int
    timeout_ms: int
    now_ms: int
    seed: int
    calls: int = 1


class Reply(Struct, frozen=True, kw_only=True):
    """What a module did: a fault's outcome code, or the answer's bytes (empty: it abstained).

    `fuel`, `pages` (of 64 KiB) and `log` are those of the last call; `nanos` are of each call, without loading the
    code. `path` names the way to the engine that served.
    """

    fault: str = ""
    message: str = ""
    answer: bytes = b""
    fuel: int = 0
    pages: int = 0
    log: str = ""
    path: str = ""
    nanos: tuple[int, ...] = ()

    @property
    def repeatable(self) -> tuple[object, ...]:
        """What must be the same whenever the same request is asked; empty where time or the process ended it."""
        if self.fault in ("timeout", "crash"):
            return ()
        return (self.fault, self.message, self.answer, self.fuel, self.pages, self.log)

    def result(self) -> Result:
        """The same as the runners' result of a call."""
        micros = min(self.nanos, default=0) // 1000
        return Result(self.fault, self.message, self.answer, self.fuel, self.pages, micros, self.log)


def question(rule: Rule, request: bytes, view: Mapping[str, Any] = abi.EXAMPLE, *, calls: int = 1) -> Question:
    """`request` for `rule`, at the time and with the seed of `view`."""
    limits, now_ms, seed = rule.settings.limits, int(view.get("now_ms", 0)), int(view.get("seed", 0))
    return Question(rule.compiled.artifact, request, limits.fuel, limits.memory, limits.timeout_ms, now_ms, seed, calls)


def ask(questions: Sequence[Question]) -> list[Reply]:
    """A reply for each question, in their order."""
    replies: list[Reply] = []
    deaths = 0
    while len(replies) < len(questions):
        batch = _batch(questions[len(replies) :])
        if deaths == _DEATHS_MAX:
            dead = Reply(fault="crash", message=f"not asked: {_DEATHS_MAX} processes died before")
            return replies + [dead] * (len(questions) - len(replies))
        given, end = _ask_child(batch)
        replies += given
        if len(given) < len(batch):
            deaths += 1
            replies.append(Reply(fault="crash", message=f"the rule took its process with it ({end})"))
    return replies


def _batch(questions: Sequence[Question]) -> Sequence[Question]:
    """As many of the questions as fit into a child's budget, at least one."""
    spent = 0
    for count, asked in enumerate(questions):
        spent += asked.timeout_ms * asked.calls
        if count and spent > _BUDGET_S * 1000:
            return questions[:count]
    return questions


def _ask_child(questions: Sequence[Question]) -> tuple[list[Reply], str]:
    """The replies that came, and how the child ended."""
    task = msgspec.msgpack.encode(list(questions), enc_hook=str)
    done = child.run("wasm_host.trial", [], task, timeout_s=4 * abi.COMPILE_CPU_MAX)
    return _replies(done.stdout), f"{done.reason}, status {done.status}"


def _replies(data: bytes) -> list[Reply]:
    """Length-prefixed replies, as far as they are whole."""
    replies, at = [], 0
    while at + 4 <= len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "little")
        if end > len(data):
            break
        replies.append(msgspec.msgpack.decode(data[at + 4 : end], type=Reply))
        at = end
    return replies


def _child_main() -> None:
    """The child: a list of `Question` on stdin, each one's `Reply` on stdout as soon as it is known."""
    child.restrain(memory=_MEMORY, cpu_s=abi.COMPILE_CPU_MAX)
    from wasm_host import paths  # noqa: PLC0415 - the engine is loaded under the limits, and only in the child

    questions = msgspec.msgpack.decode(
        sys.stdin.buffer.read(), type=list[Question], dec_hook=lambda kind, value: kind(value)
    )
    runtime = paths.serving().runtime
    prepared: dict[tuple[Path, int], Prepared] = {}
    for asked in questions:
        key = asked.artifact, asked.memory
        if key not in prepared:
            prepared[key] = runtime.prepare(_code(asked.artifact), asked.memory)
        data = msgspec.msgpack.encode(_ask_one(asked, runtime, prepared[key]))
        sys.stdout.buffer.write(len(data).to_bytes(4, "little") + data)
        sys.stdout.buffer.flush()


def _code(artifact: Path) -> bytes:
    code = read_artifact(artifact)
    if code is None:
        raise SystemExit(f"the artifact {artifact.name} is gone or damaged")
    return code


def _ask_one(asked: Question, runtime: Runtime, prepared: Prepared) -> Reply:
    nanos: list[int] = []
    until = time.perf_counter() + _BUDGET_S
    while not nanos or (len(nanos) < asked.calls and time.perf_counter() < until):
        begin = time.perf_counter_ns()
        result = execute(runtime, prepared, asked.request, asked, now_ms=asked.now_ms, seed=asked.seed)
        nanos.append(time.perf_counter_ns() - begin)
    fault = result.fault
    return Reply(
        fault=fault.code if fault else "",
        message=fault.message if fault else "",
        answer=result.answer,
        fuel=result.fuel,
        pages=result.pages,
        log=result.log,
        path=runtime.name,
        nanos=tuple(nanos),
    )


if __name__ == "__main__":
    _child_main()
