"""What `top` shows, kept up to date by the admin plane's events. Pure: times are arguments."""

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

#: Requests that are remembered, and seconds that rates and percentiles look back.
MOST: Final = 1000
SPAN_S: Final = 60


def quantile(values: Sequence[float], share: float) -> float | None:
    """The nearest rank; None of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))] if ordered else None


class Figures:
    """Of one proxy. `take` is given every event; whatever an event lacks or has too much does no harm."""

    def __init__(self) -> None:
        self.overview: dict[str, Any] = {}
        self.requests: OrderedDict[str, dict[str, Any]] = OrderedDict()  # the newest last
        self.targets: list[dict[str, Any]] = []
        self.rules: list[dict[str, Any]] = []
        self.lost = 0
        self._ticks: deque[tuple[float, int, int]] = deque(maxlen=SPAN_S + 1)

    def take(self, name: str, data: Mapping[str, Any]) -> None:
        """An event of `/admin/events`, or what `/admin/NAME` says."""
        if not isinstance(data, dict):
            return
        if name in {"hello", "reload"}:
            if data.get("started_ms") != self.overview.get("started_ms"):
                self._ticks.clear()  # another process: its counts begin anew
                self.requests.clear()
            self.overview = dict(data)
        elif name == "request":
            self._request(dict(data))
        elif name == "tick":
            self._tick(data)
        elif name == "lost":
            self.lost += _number(data.get("count"))
        elif name == "requests":
            for each in reversed(_tables(data.get(name))):  # the newest came first
                self._request(each)
        elif name == "providers":
            self.targets = [target for each in _tables(data.get(name)) for target in _tables(each.get("targets"))]
        elif name == "rules":
            self.rules = _tables(data.get(name))

    def _request(self, summary: dict[str, Any]) -> None:
        self.requests[str(summary.get("id"))] = summary
        if len(self.requests) > MOST:
            self.requests.popitem(last=False)

    def _tick(self, data: Mapping[str, Any]) -> None:
        at = _number(data.get("now_ms")) / 1000
        self._ticks.append((at, _number(data.get("requests")), _number(data.get("errors"))))
        self.overview |= {"now_ms": data.get("now_ms"), "in_flight": data.get("in_flight")}
        self.overview["requests"] = {"total": data.get("requests"), "errors": data.get("errors")}

    def summary(self, now_ms: float) -> dict[str, Any]:
        """The figures of the head line, as JSON values; None where nothing is known."""
        recent = [each for each in self.requests.values() if _number(each.get("at_ms")) > now_ms - SPAN_S * 1000]
        done = [each for each in recent if each.get("state") == "done"]
        took = [float(each["ms"]) for each in done if isinstance(each.get("ms"), int | float)]
        first = [float(each["first_ms"]) for each in done if isinstance(each.get("first_ms"), int | float)]
        spent = [each.get("cost_micro_usd") for each in self.requests.values() if each.get("state") == "done"]
        total = self.overview.get("requests")
        counts = total if isinstance(total, dict) else {}
        return {
            "requests": counts.get("total"),
            "errors": counts.get("errors"),
            "requests_per_s": self._rate(1),
            "errors_per_s": self._rate(2),
            "in_flight": self.overview.get("in_flight"),
            "ms_p50": quantile(took, 0.5),
            "ms_p95": quantile(took, 0.95),
            "first_ms_p50": quantile(first, 0.5),
            "spent_micro_usd": sum(cost for cost in spent if isinstance(cost, int)),
            "unpriced": sum(cost is None for cost in spent),
            "of": len(spent),
        }

    def _rate(self, which: int) -> float | None:
        """A second, between the first and the last tick that are remembered."""
        if len(self._ticks) < 2:
            return None
        first, last = self._ticks[0], self._ticks[-1]
        return max(0.0, (last[which] - first[which]) / max(last[0] - first[0], 1e-3))


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and abs(value) < 1e18 else 0


def _tables(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
