"""For authors of rules: what a module is, and what it does with one request.

No guest runs in the caller's process: `inspect` compiles in the compiler's child, requests are asked in `trial`'s.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from wasm_host import abi, asking, trial
from wasm_host.answer import Outcome
from wasm_host.casework import complete, target_names
from wasm_host.compiler import Facts
from wasm_host.preflight import Refusal
from wasm_host.projection import project
from wasm_host.registry import NO_POLICY, load_file
from wasm_host.rule import Rule
from wasm_host.trial import Reply
from wasm_host.trust import Policy

#: The most calls of one request, for a measurement.
CALLS_MAX: Final = 100_000


class Report(Struct, frozen=True, kw_only=True):
    """What a rule did with a request. `percent` relates what was used to its limits.

    `nanos` are those of each call in order, without loading the code; `request` is what the rule saw, and
    `answer` what it said before it was judged. `path` is the way to the engine that served.
    """

    outcome: Outcome
    nanos: tuple[int, ...]
    percent: dict[str, float]
    request: str
    answer: bytes
    path: str
    notes: tuple[str, ...]


def inspect(
    path: Path, *, cache: Path, operator: Mapping[str, Any] | None = None, policy: Policy = NO_POLICY
) -> Rule | Refusal:
    """The rule that `path` (and the manifest beside it) makes under the operator's table, or why it is refused.

    What a lock beside it or `policy` say against it is one of its notes.
    """
    return load_file(path, operator or {}, cache=cache, policy=policy)


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

    `request` has the shape of `abi.EXAMPLE` (see `casework.misshapen`); what it lacks is taken from there, and its
    `config` is laid over the operator's. The rule may name the `targets`, and those in the request or, where it has
    none, in its `routes`.
    """
    rule = inspect(path, cache=cache, operator=with_config(operator or {}, request))
    if isinstance(rule, Refusal):
        return rule
    view = complete(request, {*targets, *(rule.settings.routes or ())})
    return ask(rule, view, target_names(view) | frozenset(targets), calls=calls)


def ask(rule: Rule, view: Mapping[str, Any], targets: frozenset[str], *, calls: int = 1) -> Report:
    """Ask a rule for its decision on a whole request, `calls` times (`CALLS_MAX` at most), each in a fresh instance."""
    seen = project(rule.plan, view, rule.config)
    reply = Reply()
    if seen is not None:
        [reply] = trial.ask([trial.question(rule, seen, view, calls=max(1, min(calls, CALLS_MAX)))])
    return _report(rule, seen, reply, targets)


def with_config(operator: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """The operator's table with a request's `config`, if it has one, laid over its own."""
    return overlay(operator, {"config": request["config"]} if request.get("config") else {})


def overlay(operator: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """The operator's table with `table` laid over it, `config` key by key."""
    merged = {**operator, **table}
    below, above = operator.get("config"), table.get("config")
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        merged["config"] = {**below, **above}
    return merged


def outcome_of(rule: Rule, reply: Reply | None, targets: frozenset[str]) -> Outcome:
    """The reply, judged; None stands for a request that was too large to be shown to the rule."""
    message = f"oversize: the request is over {rule.plan.limit} bytes for this rule"
    reply = reply or Reply(fault="skipped", message=message)
    return asking.outcome(rule, reply.result(), targets)


def _report(rule: Rule, seen: bytes | None, reply: Reply, targets: frozenset[str]) -> Report:
    limits = rule.settings.limits
    outcome = outcome_of(rule, None if seen is None else reply, targets)
    return Report(
        outcome=outcome,
        nanos=reply.nanos,
        percent={
            "fuel": round(100 * reply.fuel / limits.fuel, 2),
            "memory": round(100 * reply.pages * abi.PAGE / limits.memory, 2),
            "request": round(100 * len(seen or b"") / rule.plan.limit, 2),
            "time": round(100 * min(reply.nanos, default=0) / (limits.timeout_ms * 1_000_000), 2),
        },
        request=(seen or b"").decode(errors="replace"),
        answer=reply.answer,
        path=reply.path,
        notes=rule.notes,
    )


def percentile(values: Sequence[int], percent: float) -> int:
    """The smallest of the values that at least `percent` per cent of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * percent // 100) - 1)]


def facts_of(rule: Rule) -> dict[str, Any]:
    """Everything known of a rule as plain values, for printing: facts, settings, what it sees, limits, notes."""
    facts: Facts = rule.compiled.facts
    return {
        "name": rule.name,
        "shape": facts.shape,
        "pure": facts.pure,
        "trust": rule.trust,
        "facts": msgspec.to_builtins(facts),
        "artifact_bytes": rule.compiled.artifact.stat().st_size,
        "settings": {key: value for key, value in msgspec.to_builtins(rule.settings).items() if key != "limits"},
        "limits": limits_of(rule),
        "sees": sorted(rule.plan.wants()),
        "ungranted": list(rule.plan.ungranted),
        "notes": list(rule.notes),
    }


def limits_of(rule: Rule) -> dict[str, dict[str, int]]:
    """Each settable limit: what is in force for this rule, the default, and the most an operator may set."""
    force = msgspec.to_builtins(rule.settings.limits) | {"request": rule.plan.limit}
    return {
        name: {"in_force": force[name], "default": limit.default, "cap": limit.cap}
        for name, limit in abi.LIMITS.items()
    }
