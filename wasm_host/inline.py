"""Runs rules in this process, for modules that the operator trusts not to break the engine.

Every call has a fresh instance, fuel, a deadline and a memory limit; nothing that a rule does raises here.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from wasm_host.answer import Outcome, conclude
from wasm_host.compiler import read_artifact
from wasm_host.guest import Fault, Prepared, Result, Runtime, execute
from wasm_host.projection import project
from wasm_host.rule import Rule

_NOTHING: Final = Result(b"", None, 0, 0, "")


class InlineRunner:
    """Asks rules in order. May be used by several threads at once. `clock` gives nanoseconds.

    `runtime` is the way to the engine; `paths` chooses it unless it is given.
    """

    def __init__(self, *, clock: Callable[[], int] = time.perf_counter_ns, runtime: Runtime | None = None) -> None:
        from wasm_host import paths  # noqa: PLC0415 - the engine is loaded by who runs rules

        self._clock = clock
        self._runtime = runtime or paths.serving().runtime
        self._ready: dict[tuple[str, int], Prepared] = {}

    def prepare(self, rules: Iterable[Rule]) -> None:
        """Load these rules' machine code, and forget all other: call it when a new set is about to serve.

        Without it, code is loaded by the first call. `guest.Fault` if an artifact cannot be loaded.
        """
        self._ready = {_key(rule): self._load(rule) for rule in rules}

    def run(self, rules: Sequence[Rule], view: Mapping[str, Any], targets: frozenset[str]) -> list[Outcome]:
        """One outcome for each rule that was asked, in order; the last one decides, or none does. Never raises.

        `view` has the shape of `abi.EXAMPLE`; `targets` are the configured `provider,model`s.
        """
        outcomes: list[Outcome] = []
        requests: dict[str, bytes | None] = {}
        for rule in rules:
            outcome = self._ask(rule, view, targets, requests)
            outcomes.append(outcome)
            if outcome.decides:
                break
        return outcomes

    def _ask(
        self, rule: Rule, view: Mapping[str, Any], targets: frozenset[str], requests: dict[str, bytes | None]
    ) -> Outcome:
        begin = self._clock()
        try:
            if rule.view_key not in requests:
                requests[rule.view_key] = project(rule.plan, view, rule.config)
            result = self._call(rule, requests[rule.view_key], view)
        except Fault as fault:
            result = _NOTHING._replace(fault=fault)
        except Exception as exc:  # noqa: BLE001 - a rule's fault must never be a request's
            result = _NOTHING._replace(fault=Fault("crash", f"the host failed: {type(exc).__name__}"))
        return conclude(rule, result, targets, (self._clock() - begin) // 1000)

    def _call(self, rule: Rule, request: bytes | None, view: Mapping[str, Any]) -> Result:
        if request is None:
            raise Fault("skipped", f"oversize: the request is over {rule.plan.limit} bytes for this rule")
        key = _key(rule)
        prepared = self._ready.get(key) or self._ready.setdefault(key, self._load(rule))
        now_ms, seed = view.get("now_ms", 0), view.get("seed", 0)
        return execute(self._runtime, prepared, request, rule.settings.limits, now_ms=now_ms, seed=seed)

    def _load(self, rule: Rule) -> Prepared:
        code = read_artifact(rule.compiled.artifact)
        if code is None:
            raise Fault("crash", f"the artifact of rule {rule.name} is gone or damaged: reload the plugins")
        return self._runtime.prepare(code, rule.settings.limits.memory)


def _key(rule: Rule) -> tuple[str, int]:
    """One module may serve rules with different limits, which may need different engines."""
    return rule.sha256, rule.settings.limits.memory
