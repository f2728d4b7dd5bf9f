"""What the rules' host does, as metrics and log lines."""

from collections.abc import Callable, Sequence

from core.metrics import Metrics
from wasm_host.answer import Outcome
from wasm_host.host import Observer
from wasm_host.pool import Change

Report = Callable[[dict[str, object], str], None]


class RuleEvents(Observer):
    """Counts everything, and says what an operator should know."""

    def __init__(
        self, metrics: Metrics, report: Report, took: Callable[[Sequence[Outcome]], None] = lambda _: None
    ) -> None:
        """`took` is told of what was asked, too."""
        self._metrics, self._took = metrics, took
        self._report = report
        self._states: dict[str, str] = {}

    def asked(self, outcomes: Sequence[Outcome], queue_s: float) -> None:
        self._metrics.ruled(outcomes, queue_s)
        self._took(outcomes)

    def breaker(self, rule: str, state: str, reason: str = "") -> None:
        before, self._states[rule] = self._states.get(rule, "closed"), state
        self._metrics.breaker(rule, state)
        if state != before:
            level = "info" if state == "closed" else "warning"
            fields: dict[str, object] = {"event": "rule_breaker", "rule": rule, "state": state}
            self._report(fields | ({"reason": reason} if reason else {}), level)

    def gone(self, rule: str) -> None:
        self._states.pop(rule, None)
        self._metrics.breaker_gone(rule)

    def worker(self, change: Change) -> None:
        if change.event == "ready":
            self._metrics.workers.inc()
            if change.path != "native":
                self._report({"event": "rule_path", "path": change.path}, "warning")
            for layer, held in change.layers.items():
                self._metrics.hardening.labels(layer).set(held == "on")
            return
        if change.event != "failed":
            self._metrics.workers.dec()
            self._metrics.worker_exits.labels(change.event).inc()
        if change.event != "closed":
            self._report({"event": "rule_worker_lost", "cause": change.event, "detail": change.detail}, "warning")
