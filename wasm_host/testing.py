"""For authors of rules: what a module is, and what it does with one request.

Neither runs a guest in the caller's process: `inspect` compiles in the compiler's child, `run` asks in another one.
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from wasm_host import abi, child
from wasm_host.answer import Outcome
from wasm_host.compiler import Facts
from wasm_host.preflight import Refusal
from wasm_host.registry import load_file
from wasm_host.rule import Rule

#: CPU seconds and address space of the child that asks: more than any rule may use.
_CPU_S: Final = 10
_MEMORY: Final = abi.COMPILE_MEMORY
_CALLS_MAX: Final = 10_000


class Report(Struct, frozen=True, kw_only=True):
    """What a rule did with a request. `percent` relates what was used to the limits of fuel, request and time.

    `micros` are those of each call in order (the first one also loads the code); `request` is what the rule saw.
    """

    outcome: Outcome
    micros: tuple[int, ...]
    percent: dict[str, float]
    request: str
    notes: tuple[str, ...]


class _Task(Struct):
    rule: Rule
    view: dict[str, Any]
    targets: frozenset[str]
    calls: int


class _Done(Struct):
    outcome: Outcome
    micros: tuple[int, ...]
    request: bytes | None


def inspect(path: Path, *, cache: Path, operator: Mapping[str, Any] | None = None) -> Rule | Refusal:
    """The rule that `path` (and the manifest beside it) makes under the operator's table, or why it is refused."""
    return load_file(path, operator or {}, cache=cache)


def run(
    path: Path,
    request: Mapping[str, Any],
    *,
    cache: Path,
    operator: Mapping[str, Any] | None = None,
    targets: Iterable[str] = (),
    calls: int = 1,
) -> Report | Refusal:
    """Ask the module at `path` for its decision on `request`, `calls` times, each in a fresh instance.

    `request` has the shape of `abi.EXAMPLE`; what it lacks is taken from there. Without `targets`, those in the request
    and in the rule's `routes` are the ones that it may name.
    """
    rule = inspect(path, cache=cache, operator=operator)
    if isinstance(rule, Refusal):
        return rule
    view = complete(request)
    named = frozenset(targets) or frozenset(str(target.get("name")) for target in view["targets"]) | frozenset(
        rule.settings.routes or ()
    )
    task = _Task(rule, view, named, max(1, min(calls, _CALLS_MAX)))
    done = child.run("wasm_host.testing", [], msgspec.msgpack.encode(task, enc_hook=str), timeout_s=60)
    if done.status != 0:
        return Refusal(done.reason, f"the rule took its process with it (status {done.status})", "report this module")
    return _report(rule, msgspec.msgpack.decode(done.stdout, type=_Done))


def complete(request: Mapping[str, Any]) -> dict[str, Any]:
    """`request` with everything that it lacks taken from the example, field by field in `request`."""
    view = abi.EXAMPLE | dict(request)
    given = request.get("request")
    view["request"] = abi.EXAMPLE["request"] | (dict(given) if isinstance(given, Mapping) else {})
    return view


def _report(rule: Rule, done: _Done) -> Report:
    limits = rule.settings.limits
    seen = done.request or b""
    return Report(
        outcome=done.outcome,
        micros=done.micros,
        percent={
            "fuel": round(100 * done.outcome.fuel / limits.fuel, 2),
            "request": round(100 * len(seen) / rule.plan.limit, 2),
            "time": round(100 * min(done.micros) / (limits.timeout_ms * 1000), 2),
        },
        request=seen.decode(errors="replace"),
        notes=rule.notes,
    )


def _child_main() -> None:
    """The child: a `_Task` on stdin, a `_Done` on stdout."""
    child.restrain(memory=_MEMORY, cpu_s=_CPU_S)
    from wasm_host.inline import InlineRunner  # noqa: PLC0415 - the engine is loaded under the limits
    from wasm_host.projection import project  # noqa: PLC0415 - as above

    task = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=_Task, dec_hook=lambda kind, value: kind(value))
    runner, micros = InlineRunner(), []
    for _ in range(task.calls):
        [outcome] = runner.run([task.rule], task.view, task.targets)
        micros.append(outcome.micros)
    done = _Done(outcome, tuple(micros), project(task.rule.plan, task.view, task.rule.config))
    sys.stdout.buffer.write(msgspec.msgpack.encode(done))


def facts_of(rule: Rule) -> dict[str, Any]:
    """Everything known of a rule as plain values, for printing: facts, settings, what it sees, notes."""
    facts: Facts = rule.compiled.facts
    return {
        "name": rule.name,
        "pure": facts.pure,
        "facts": msgspec.to_builtins(facts),
        "settings": msgspec.to_builtins(rule.settings),
        "sees": sorted(rule.plan.wants()),
        "ungranted": list(rule.plan.ungranted),
        "request_limit": rule.plan.limit,
        "notes": list(rule.notes),
    }


if __name__ == "__main__":
    _child_main()
