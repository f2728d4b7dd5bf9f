"""Runs rules in this process, for modules that the operator trusts not to break the engine.

Every call has a fresh instance, fuel, a deadline and a memory limit; nothing that a rule does raises here.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from wasmtime import InstancePre, Module

from wasm_host import abi, engine, guest
from wasm_host.answer import Illegal, Outcome, judge
from wasm_host.compiler import read_artifact
from wasm_host.projection import project
from wasm_host.rule import Rule


class InlineRunner:
    """Asks rules in order. May be used by several threads at once. `clock` gives nanoseconds."""

    def __init__(self, *, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        self._clock = clock
        self._ready: dict[str, InstancePre] = {}

    def prepare(self, rules: Iterable[Rule]) -> None:
        """Load these rules' machine code, and forget all other: call it when a new set is about to serve.

        Without it, code is loaded by the first call. `guest.Fault` if an artifact cannot be loaded.
        """
        self._ready = {rule.sha256: self._load(rule) for rule in rules}

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
            fields = self._call(rule, requests[rule.view_key], targets)
        except Exception as exc:  # noqa: BLE001 - a rule's fault must never be a request's
            fields = {"code": "crash", "message": f"the host failed: {type(exc).__name__}"}
        if fields["code"] in abi.FAULTS and rule.settings.fail == "deny":
            fields |= {"deny_status": abi.FAIL_STATUS, "deny_message": f"rule {rule.name} failed"}
        return Outcome(
            rule=rule.name,
            micros=(self._clock() - begin) // 1000,
            saw_text=rule.plan.saw_text,
            shadow=rule.settings.mode == "shadow",
            **fields,
        )

    def _call(self, rule: Rule, request: bytes | None, targets: frozenset[str]) -> dict[str, Any]:
        if request is None:
            return {
                "code": "skipped",
                "message": f"oversize: the request is over {rule.plan.limit} bytes for this rule",
            }
        limits = rule.settings.limits
        prepared = self._ready.get(rule.sha256) or self._ready.setdefault(rule.sha256, self._load(rule))
        with guest.Guest(prepared, fuel=limits.fuel, memory=limits.memory, timeout_ms=limits.timeout_ms) as instance:
            try:
                instance.start()
                fields = judge(instance.ask(request), rule.settings, targets)
            except guest.Fault as fault:
                fields = {"code": fault.code, "message": fault.message}
            except Illegal as exc:
                fields = {"code": "refused", "message": str(exc)}
            return fields | {"fuel": instance.fuel, "log": instance.log}

    @staticmethod
    def _load(rule: Rule) -> InstancePre:
        code = read_artifact(rule.compiled.artifact)
        if code is None:
            raise guest.Fault("crash", f"the artifact of rule {rule.name} is gone or damaged: reload the plugins")
        return guest.prepare(Module.deserialize(engine.shared(), code))
