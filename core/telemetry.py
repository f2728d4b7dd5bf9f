"""Every name that leaves the proxy as a metric, a header or a span, once. Names only: who counts is in `metrics`."""

from typing import Final, Literal, NamedTuple

from wasm_host.breaker import STATES
from wasm_host.health import QUARANTINE

BREAKER_STATES: Final = (*STATES, QUARANTINE)
CONNECTION_STATES: Final = ("acquired", "idle", "waiting")


class Metric(NamedTuple):
    """One metric as Prometheus names it, a counter without its `_total`. `buckets` are upper bounds, without `+Inf`."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


REQUESTS: Final = Metric("terraphim_requests", "counter", "Requests answered.", ("endpoint", "status"))
REQUEST_SECONDS: Final = Metric(
    "terraphim_request_seconds",
    "histogram",
    "Time from the first byte in to the last byte out.",
    ("endpoint",),
    (0.005, 0.02, 0.1, 0.5, 1, 5, 20, 60, 300),
)
IN_FLIGHT: Final = Metric("terraphim_in_flight", "gauge", "Requests under way.")
DECISIONS: Final = Metric("terraphim_decisions", "counter", "Decisions by phase.", ("phase",))
TOKENS: Final = Metric("terraphim_tokens", "counter", "Tokens, as reported.", ("kind",))
COST: Final = Metric("terraphim_cost_micro_usd", "counter", "What requests cost.")
UNPRICED: Final = Metric("terraphim_unpriced_requests", "counter", "Requests of which a part has no known price.")

ATTEMPTS: Final = Metric("terraphim_attempts", "counter", "Attempts at providers.", ("provider", "outcome"))
RETRIES: Final = Metric("terraphim_retries", "counter", "Further attempts, by what went before.", ("reason", "action"))
RETRIES_REFUSED: Final = Metric("terraphim_retries_refused", "counter", "Retries that the budget had no room for.")
TARGET_BREAKER: Final = Metric(
    "terraphim_target_breaker", "gauge", "1 for the state of a target's breaker.", ("target", "state")
)
KEY_RESTS: Final = Metric(
    "terraphim_key_rests", "counter", "Keys that were refused or told to wait.", ("provider", "why")
)
UPSTREAM_CONNECTIONS: Final = Metric(
    "terraphim_upstream_connections",
    "gauge",
    "Connections to providers: taken by requests, idle, and requests that wait for one.",
    ("state",),
)

RULE_OUTCOMES: Final = Metric("terraphim_rule_outcomes", "counter", "Outcomes of rules.", ("rule", "outcome"))
RULE_FUEL: Final = Metric("terraphim_rule_fuel", "counter", "Instructions that rules executed.", ("rule",))
RULE_SECONDS: Final = Metric(
    "terraphim_rule_seconds",
    "histogram",
    "Time that a rule ran for a request.",
    ("rule",),
    (0.00005, 0.0002, 0.001, 0.005, 0.02, 0.1, 0.5, 2),
)
RULE_QUEUE_SECONDS: Final = Metric(
    "terraphim_rule_queue_seconds",
    "histogram",
    "Time that a request waited for its rules beside their own time.",
    (),
    (0.0001, 0.0005, 0.002, 0.01, 0.05, 0.2, 1, 5),
)
RULE_BREAKER: Final = Metric(
    "terraphim_rule_breaker", "gauge", "1 for the state of a rule's breaker.", ("rule", "state")
)
RULE_SHARE: Final = Metric(
    "terraphim_rule_share", "gauge", "Per cent of the sessions that a rule decides for.", ("rule",)
)
ROLLOUT_CALLS: Final = Metric(
    "terraphim_rollout_calls", "counter", "Calls of rules that are rolled out.", ("rule", "kind")
)
ROLLOUT_MOVES: Final = Metric(
    "terraphim_rollout_moves", "counter", "Promotions, roll-backs and switches.", ("rule", "action", "automatic")
)
RULE_WORKERS: Final = Metric("terraphim_rule_workers", "gauge", "Worker processes that answer.")
RULE_WORKER_EXITS: Final = Metric("terraphim_rule_worker_exits", "counter", "Worker processes that ended.", ("cause",))
RULE_HARDENING: Final = Metric("terraphim_rule_hardening", "gauge", "1 if this layer holds the workers.", ("layer",))

REFUSED: Final = Metric("terraphim_refused", "counter", "Requests and connections refused, by limit.", ("reason",))
LIMITED: Final = Metric("terraphim_limited", "counter", "Requests that a limit refused.", ("limit", "scope"))
RESERVATIONS: Final = Metric("terraphim_reservations", "gauge", "Requests under way that hold something of a limit.")
CONNECTIONS: Final = Metric("terraphim_connections", "gauge", "Open connections.", ("phase",))
TASKS: Final = Metric("terraphim_tasks", "gauge", "Tasks of the event loop.")

CACHE: Final = Metric("terraphim_cache", "counter", "Requests to targets whose answers are kept.", ("outcome",))
CACHE_KEPT: Final = Metric("terraphim_cache_kept", "counter", "Answers that were kept.")
CACHE_BYTES: Final = Metric("terraphim_cache_bytes", "gauge", "Bytes of answers kept in memory.")

REDIS_DOWN: Final = Metric("terraphim_redis_down", "gauge", "1 while Redis is left alone.")
REDIS_COMMANDS: Final = Metric("terraphim_redis_commands", "counter", "Commands to Redis.", ("outcome",))
REDIS_SECONDS: Final = Metric(
    "terraphim_redis_seconds",
    "histogram",
    "Time that a command to Redis took.",
    (),
    (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1),
)
REDIS_DROPPED: Final = Metric(
    "terraphim_redis_writes_dropped", "gauge", "Writes after an answer that never reached Redis."
)

RECORDS: Final = Metric("terraphim_records", "counter", "Usage records written and lost.", ("outcome",))
DECISION_RECORDS: Final = Metric(
    "terraphim_decision_records", "counter", "Decision records written and lost.", ("outcome",)
)
LOG_DROPPED: Final = Metric("terraphim_log_lines_dropped", "gauge", "Log lines dropped.")

RELOADS: Final = Metric("terraphim_reloads", "counter", "Reloads.", ("outcome",))
PROBLEMS: Final = Metric(
    "terraphim_problems", "gauge", "Problems of the configuration, rules and taxonomy that there are."
)
SNAPSHOT: Final = Metric("terraphim_snapshot", "gauge", "1 for the current snapshot.", ("id",))

#: All of them, in the order of this file.
METRICS: Final = tuple(value for value in list(globals().values()) if isinstance(value, Metric))

HEADER_PREFIX: Final = "x-terraphim-"
#: What a header says of a decision, in the order in which `decision_headers` sends them.
DECISION_HEADERS: Final = tuple(
    f"{HEADER_PREFIX}{name}".encode()
    for name in ("provider", "model", "phase", "reason", "snapshot", "request-id", "attempts", "simulated", "cache")
)
