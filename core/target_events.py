"""What happens to targets and keys, as metrics and log lines. A key is named by its position, never by itself."""

from contextlib import suppress

from core.exchange import Target
from core.metrics import Metrics
from core.rule_events import Report
from core.standing import Observer
from wasm_host.breaker import CLOSED, STATES


class TargetEvents(Observer):
    """Counts everything, and says what an operator should know."""

    def __init__(self, metrics: Metrics, report: Report) -> None:
        self._metrics = metrics
        self._report = report
        self._states: dict[Target, str] = {}

    def breaker(self, target: Target, state: str) -> None:
        before, self._states[target] = self._states.get(target, CLOSED), state
        for known in STATES:
            self._metrics.target_breaker.labels(str(target), known).set(known == state)
        if state != before:
            level = "info" if state == CLOSED else "warning"
            self._report({"event": "target_breaker", "target": str(target), "state": state}, level)

    def gone(self, target: Target) -> None:
        self._states.pop(target, None)
        for known in STATES:
            with suppress(KeyError):
                self._metrics.target_breaker.remove(str(target), known)

    def key_rests(self, target: Target, key: int, why: str, rest_s: float) -> None:
        self._metrics.key_rests.labels(target.provider, why).inc()
        fields: dict[str, object] = {"event": "provider_key", "provider": target.provider, "key": key, "why": why}
        self._report(fields | {"target": str(target), "rest_s": round(rest_s, 3)}, "warning")

    def again(self, reason: str, action: str) -> None:
        self._metrics.again.labels(reason, action).inc()

    def exhausted(self) -> None:
        self._metrics.retries_refused.inc()
