"""What docs/security.md promises, and what this process has counted that bears on it. Pure.

A promise is proved by `python -m prove`, not by a counter: a counter says what happened here. One that must be zero and
is not is a reason to look; the others say how often something was held.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, NamedTuple

from core import telemetry
from core.telemetry import Metric


class Counter(NamedTuple):
    """Those of a metric whose `label` has this value, or another one if it begins with `!`."""

    metric: Metric
    must: Literal["zero", "any"] = "any"
    label: str = ""
    value: str = ""

    def means(self, labels: Sequence[str]) -> bool:
        """Whether a series with these labels is one of them."""
        if not self.label:
            return True
        said = labels[self.metric.labels.index(self.label)]
        return said != self.value[1:] if self.value.startswith("!") else said == self.value

    @property
    def name(self) -> str:
        """As Prometheus would be asked for it."""
        suffix = "_total" if self.metric.type == "counter" else ""
        op, value = ("!=", self.value[1:]) if self.value.startswith("!") else ("=", self.value)
        return f"{self.metric.name}{suffix}" + (f'{{{self.label}{op}"{value}"}}' if self.label else "")


#: Reads a metric's series: labels in their order, and the number first.
Read = Callable[[Metric], Sequence[tuple[tuple[str, ...], tuple[float, ...]]]]

_OUTCOMES, _REFUSED = telemetry.RULE_OUTCOMES, telemetry.REFUSED

#: By the names of docs/security.md, in its order.
PROMISES: Final[dict[str, tuple[str, tuple[Counter, ...]]]] = {
    "attacks": (
        "A hostile module is refused with a reason, and requests beside it do not wait.",
        (Counter(telemetry.RULE_WORKER_EXITS, "any", "cause", "!closed"),),
    ),
    "kills": (
        "Workers that die are back, and no request fails for it.",
        (Counter(telemetry.RULE_WORKER_EXITS, "any", "cause", "!closed"), Counter(telemetry.RULE_WORKERS)),
    ),
    "storm": (
        "Whatever happens to the plugins folder, only whole modules run.",
        (Counter(telemetry.RELOADS, "any", "outcome", "failed"),),
    ),
    "answers": (
        "Whatever a rule answers, only a configured target is asked.",
        (Counter(_OUTCOMES, "any", "outcome", "refused"), Counter(_OUTCOMES, "any", "outcome", "route")),
    ),
    "leaks": ("What a rule saw of a prompt reaches no header, log line, metric or error.", ()),
    "rollout": (
        "A rule that does not hold its limits goes back to shadow by itself, and no request fails.",
        (
            Counter(telemetry.ROLLOUT_MOVES, "any", "action", "rollback"),
            Counter(telemetry.ROLLOUT_CALLS, "any", "kind", "fault"),
        ),
    ),
    "backtest": ("A backtest says what the rule will do live.", ()),
    "endurance": ("A worker's memory stays what it is.", ()),
    "never_read": (
        "Clients that never read cost little, and are cut off.",
        (Counter(_REFUSED, "any", "reason", "write_s"),),
    ),
    "drips": (
        "Clients that send a head or a body in drips are refused at their deadline.",
        (Counter(_REFUSED, "any", "reason", "header_s"), Counter(_REFUSED, "any", "reason", "body_s")),
    ),
    "overload": (
        "What is over a cap is told so while those inside are served, and a flood is a few lines of the log.",
        (Counter(_REFUSED), Counter(telemetry.LOG_DROPPED, "zero")),
    ),
    "disconnect": (
        "A client that leaves stops its provider.",
        (Counter(telemetry.ATTEMPTS, "any", "outcome", "cancelled"),),
    ),
    "cancels": (
        "Clients that leave leave nothing behind.",
        (Counter(telemetry.ATTEMPTS, "any", "outcome", "cancelled"), Counter(telemetry.IN_FLIGHT)),
    ),
    "nonces": ("Nobody reads another one's words.", ()),
    "mixed": ("The proxy's memory does not grow with what it has done.", (Counter(telemetry.TASKS),)),
    "reloads": (
        "Files change and break while they are used: nothing fails, and a broken one is named.",
        (
            Counter(telemetry.RELOADS, "any", "outcome", "swapped"),
            Counter(telemetry.RELOADS, "any", "outcome", "failed"),
            Counter(telemetry.PROBLEMS),
        ),
    ),
    "addresses": (
        "No spelling of a forbidden address is connected to.",
        (Counter(telemetry.ATTEMPTS, "any", "outcome", "refused"),),
    ),
    "truth": (
        "A client gets the whole answer, or an error that says so: a success is never made up.",
        (
            Counter(telemetry.ATTEMPTS, "any", "outcome", "cut"),
            Counter(telemetry.ATTEMPTS, "any", "outcome", "stalled"),
        ),
    ),
    "translation": ("No byte of an answer is lost, doubled or invented between any client and any provider.", ()),
    "sdks": ("Who asks with an official SDK gets the whole answer, or that SDK's own API error.", ()),
    "outage": (
        "A provider that is down is left alone, and a fallback serves meanwhile.",
        (
            Counter(telemetry.RETRIES),
            Counter(telemetry.RETRIES_REFUSED),
            Counter(telemetry.TARGET_BREAKER, "any", "state", "open"),
        ),
    ),
    "redis": (
        "Whatever Redis does, every request is answered.",
        (Counter(telemetry.REDIS_DOWN, "zero"), Counter(telemetry.REDIS_DROPPED, "zero")),
    ),
    "corpus": (
        "Whatever bytes a client sends get one answer, and weigh little.",
        (Counter(telemetry.REQUESTS, "any", "status", "400"), Counter(_REFUSED, "zero", "reason", "bug")),
    ),
    "smuggling": (
        "A request that two parsers may read differently is refused.",
        (Counter(_REFUSED, "any", "reason", "malformed"), Counter(_REFUSED, "any", "reason", "pipelined")),
    ),
    "records": (
        "No usage record is lost or doubled, and what cannot be written is counted.",
        (
            Counter(telemetry.RECORDS, "any", "outcome", "written"),
            Counter(telemetry.RECORDS, "zero", "outcome", "lost"),
        ),
    ),
    "ledger": (
        "A record of a decision that was changed, taken away or moved is named.",
        (
            Counter(telemetry.DECISION_RECORDS, "any", "outcome", "written"),
            Counter(telemetry.DECISION_RECORDS, "zero", "outcome", "lost"),
        ),
    ),
    "limits": (
        "Proxies that share a Redis let no more through than the limits say.",
        (Counter(telemetry.LIMITED), Counter(telemetry.RESERVATIONS)),
    ),
    "budgets": (
        "Requests at the same time never spend more than a hard budget.",
        (Counter(telemetry.UNPRICED), Counter(telemetry.COST)),
    ),
    "purity": ("A decision is a pure function of its recorded inputs.", (Counter(telemetry.DECISIONS),)),
    "replays": ("What was decided is decided again from its record, bit by bit.", ()),
    "canaries": ("No key reaches an answer, the log, a metric, a page or a record.", ()),
    "drain": ("A stop cuts nobody silently.", (Counter(telemetry.IN_FLIGHT),)),
    "restart": ("A rolling restart on one port loses no connection and no request.", ()),
    "replicas": ("Proxies that share a Redis are restarted one after the other, and nothing is lost.", ()),
}


def shown(read: Read) -> list[dict[str, Any]]:
    """Every promise with its counters, as far as there are any."""
    return [
        {
            "name": name,
            "text": text,
            "counters": [_counted(counter, read) for counter in counters],
            "proof": f"python -m prove --only {name}",
        }
        for name, (text, counters) in PROMISES.items()
    ]


def _counted(counter: Counter, read: Read) -> dict[str, Any]:
    value = round(sum(numbers[0] for labels, numbers in read(counter.metric) if counter.means(labels)))
    return {
        "metric": counter.name,
        "value": value,
        "must": counter.must,
        "ok": counter.must == "any" or value == 0,
    }
