"""Every name that leaves the proxy as a metric, a header or a span, once. Names only: who counts is in `metrics`."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal, NamedTuple

from wasm_host.breaker import STATES
from wasm_host.health import QUARANTINE

BREAKER_STATES: Final = (*STATES, QUARANTINE)
CONNECTION_STATES: Final = ("acquired", "idle", "waiting")

#: What a label may say that comes from outside: a name of the configuration, a reason or a status, or else `other`.
#: `any`: there is one series at a time, whatever it is called.
Kind = Literal["target", "provider", "model", "rule", "client", "reason", "status", "any"]
_TARGET: Final[dict[str, Kind]] = {"target": "target"}
_PROVIDER: Final[dict[str, Kind]] = {"provider": "provider"}
_RULE: Final[dict[str, Kind]] = {"rule": "rule"}
_CLIENT: Final[dict[str, Kind]] = {"client": "client"}


class Metric(NamedTuple):
    """One metric as Prometheus names it: a counter without its `_total`, an info without its `_info`.

    `open` names the labels whose values come from outside. `buckets` are upper bounds, without `+Inf`. `merge` says
    what several processes' gauges are together.
    """

    name: str
    type: Literal["counter", "gauge", "histogram", "info"]
    help: str
    labels: tuple[str, ...] = ()
    open: Mapping[str, Kind] = {}
    buckets: tuple[float, ...] = ()
    merge: Literal["sum", "max", "min"] = "sum"

    @property
    def shown(self) -> str:
        """The name as people know it."""
        return self.name + {"counter": "_total", "info": "_info"}.get(self.type, "")

    @property
    def unit(self) -> str:
        return next((unit for unit in ("seconds", "bytes") if self.name.endswith(f"_{unit}")), "")


# Requests

REQUESTS: Final = Metric(
    "terraphim_requests", "counter", "Requests answered.", ("endpoint", "status"), {"status": "status"}
)
REQUEST_SECONDS: Final = Metric(
    "terraphim_request_seconds",
    "histogram",
    "Time from the first byte in to the last byte out.",
    ("endpoint",),
    buckets=(0.005, 0.02, 0.1, 0.5, 1, 5, 20, 60, 300),
)
IN_FLIGHT: Final = Metric("terraphim_in_flight", "gauge", "Requests under way.")
DECISIONS: Final = Metric(
    "terraphim_decisions", "counter", "Decisions, by who made them and why.", ("phase", "reason"), {"reason": "reason"}
)
DECISION_SECONDS: Final = Metric(
    "terraphim_decision_seconds",
    "histogram",
    "Time from a request's arrival until it was decided: its body, its tokens and its rules included.",
    (),
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
TOKENS: Final = Metric("terraphim_tokens", "counter", "Tokens, as providers report them.", ("target", "kind"), _TARGET)
COST: Final = Metric("terraphim_cost_micro_usd", "counter", "What requests cost.", ("target",), _TARGET)
UNPRICED: Final = Metric("terraphim_unpriced_requests", "counter", "Requests of which a part has no known price.")

# As OpenTelemetry's semantic conventions for generative AI name them ("Semantic conventions for generative AI
# metrics"), in Prometheus' spelling, with the buckets that they advise.

_OPERATION: Final = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")
_OPERATION_KINDS: Final[dict[str, Kind]] = {"gen_ai_provider_name": "provider", "gen_ai_request_model": "model"}
_SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
#: The convention's names of providers that it knows, where a configuration would call them otherwise.
GEN_AI_PROVIDERS: Final = {"gemini": "gcp.gemini", "mistral": "mistral_ai", "moonshot": "moonshot_ai", "xai": "x_ai"}
GEN_AI_OPERATION: Final = "chat"
GEN_AI_TOKENS: Final = Metric(
    "gen_ai_client_token_usage",
    "histogram",
    "Number of input and output tokens used by one request to a provider.",
    (*_OPERATION, "gen_ai_token_type"),
    _OPERATION_KINDS,
    tuple(4.0**power for power in range(14)),
)
GEN_AI_SECONDS: Final = Metric(
    "gen_ai_client_operation_duration_seconds",
    "histogram",
    "Time of one attempt at a provider, from the request to the end of its answer.",
    (*_OPERATION, "error_type"),
    _OPERATION_KINDS | {"error_type": "status"},
    _SECONDS,
)
GEN_AI_FIRST: Final = Metric(
    "gen_ai_server_time_to_first_token_seconds",
    "histogram",
    "Time from a request's arrival until the first content of its stream went to the client.",
    _OPERATION,
    _OPERATION_KINDS,
    (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10),
)
GEN_AI_PER_TOKEN: Final = Metric(
    "gen_ai_server_time_per_output_token_seconds",
    "histogram",
    "Time for each output token of a stream after its first content.",
    _OPERATION,
    _OPERATION_KINDS,
    (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5),
)
GEN_AI_CHUNK: Final = Metric(
    "gen_ai_client_operation_time_per_output_chunk_seconds",
    "histogram",
    "Time that was waited for a provider between two chunks of content.",
    _OPERATION,
    _OPERATION_KINDS,
    _SECONDS,
)

# Targets

ATTEMPTS: Final = Metric(
    "terraphim_attempts", "counter", "Attempts at targets.", ("target", "outcome"), _TARGET | {"outcome": "status"}
)
FALLBACKS: Final = Metric(
    "terraphim_fallbacks",
    "counter",
    "Requests that another target answered than the one that was decided.",
    ("target", "answered_by"),
    _TARGET | {"answered_by": "target"},
)
PASSED_OVER: Final = Metric(
    "terraphim_passed_over",
    "counter",
    "Targets that were not asked although it was their turn.",
    ("target", "why"),
    _TARGET,
)
RETRIES: Final = Metric("terraphim_retries", "counter", "Further attempts, by what went before.", ("reason", "action"))
RETRIES_REFUSED: Final = Metric("terraphim_retries_refused", "counter", "Retries that the budget had no room for.")
TARGET_BREAKER: Final = Metric(
    "terraphim_target_breaker",
    "gauge",
    "1 for the state of a target's breaker.",
    ("target", "state"),
    _TARGET,
    merge="max",
)
KEY_RESTS: Final = Metric(
    "terraphim_key_rests", "counter", "Keys that were refused or told to wait.", ("provider", "why"), _PROVIDER
)
UPSTREAM_CONNECTIONS: Final = Metric(
    "terraphim_upstream_connections",
    "gauge",
    "Connections to providers: taken by requests, idle, and requests that wait for one.",
    ("state",),
)

# Rules

RULE_OUTCOMES: Final = Metric("terraphim_rule_outcomes", "counter", "Outcomes of rules.", ("rule", "outcome"), _RULE)
RULE_FUEL: Final = Metric("terraphim_rule_fuel", "counter", "Instructions that rules executed.", ("rule",), _RULE)
RULE_SECONDS: Final = Metric(
    "terraphim_rule_seconds",
    "histogram",
    "Time that a rule ran for a request.",
    ("rule",),
    _RULE,
    (0.00005, 0.0002, 0.001, 0.005, 0.02, 0.1, 0.5, 2),
)
RULE_QUEUE_SECONDS: Final = Metric(
    "terraphim_rule_queue_seconds",
    "histogram",
    "Time that a request waited for its rules beside their own time.",
    buckets=(0.0001, 0.0005, 0.002, 0.01, 0.05, 0.2, 1, 5),
)
RULE_BREAKER: Final = Metric(
    "terraphim_rule_breaker", "gauge", "1 for the state of a rule's breaker.", ("rule", "state"), _RULE, merge="max"
)
RULE_SHARE: Final = Metric(
    "terraphim_rule_share",
    "gauge",
    "Per cent of the sessions that a rule decides for.",
    ("rule",),
    _RULE,
    merge="max",
)
ROLLOUT_CALLS: Final = Metric(
    "terraphim_rollout_calls", "counter", "Calls of rules that are rolled out.", ("rule", "kind"), _RULE
)
ROLLOUT_MOVES: Final = Metric(
    "terraphim_rollout_moves", "counter", "Promotions, roll-backs and switches.", ("rule", "action", "automatic"), _RULE
)
RULE_WORKERS: Final = Metric("terraphim_rule_workers", "gauge", "Worker processes that answer.")
RULE_WORKER_EXITS: Final = Metric("terraphim_rule_worker_exits", "counter", "Worker processes that ended.", ("cause",))
RULE_HARDENING: Final = Metric(
    "terraphim_rule_hardening", "gauge", "1 if this layer holds the workers.", ("layer",), merge="min"
)

# Clients

REFUSED: Final = Metric("terraphim_refused", "counter", "Requests and connections refused, by limit.", ("reason",))
LIMITED: Final = Metric("terraphim_limited", "counter", "Requests that a limit refused.", ("limit", "scope"))
RESERVATIONS: Final = Metric("terraphim_reservations", "gauge", "Requests under way that hold something of a limit.")
BUDGET_LIMIT: Final = Metric(
    "terraphim_budget_limit_micro_usd",
    "gauge",
    "What a client may spend in the period that runs.",
    ("client", "period"),
    _CLIENT,
    merge="max",
)
BUDGET_SPENT: Final = Metric(
    "terraphim_budget_spent_micro_usd",
    "gauge",
    "What a client has spent in the period that runs, as far as its process knows.",
    ("client", "period"),
    _CLIENT,
    merge="max",
)
CONNECTIONS: Final = Metric("terraphim_connections", "gauge", "Open connections.", ("phase",))
TASKS: Final = Metric("terraphim_tasks", "gauge", "Tasks of the event loop.")

# What is kept

SESSIONS: Final = Metric("terraphim_sessions", "gauge", "Sessions that are remembered in memory.", merge="max")
SESSION_READS: Final = Metric(
    "terraphim_session_reads", "counter", "Requests of a session, and whether something was known of it.", ("outcome",)
)
CACHE: Final = Metric("terraphim_cache", "counter", "Requests to targets whose answers are kept.", ("outcome",))
CACHE_KEPT: Final = Metric("terraphim_cache_kept", "counter", "Answers that were kept.")
CACHE_BYTES: Final = Metric("terraphim_cache_bytes", "gauge", "Bytes of answers kept in memory.", merge="max")
REDIS_DOWN: Final = Metric("terraphim_redis_down", "gauge", "1 while Redis is left alone.", merge="max")
REDIS_COMMANDS: Final = Metric("terraphim_redis_commands", "counter", "Commands to Redis.", ("outcome",))
REDIS_SECONDS: Final = Metric(
    "terraphim_redis_seconds",
    "histogram",
    "Time that a command to Redis took.",
    buckets=(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1),
)
REDIS_DROPPED: Final = Metric(
    "terraphim_redis_writes_dropped", "counter", "Writes after an answer that never reached Redis."
)
RECORDS: Final = Metric("terraphim_records", "counter", "Usage records written and lost.", ("outcome",))
DECISION_RECORDS: Final = Metric(
    "terraphim_decision_records", "counter", "Decision records written and lost.", ("outcome",)
)
LOG_DROPPED: Final = Metric("terraphim_log_lines_dropped", "counter", "Log lines dropped.")
SPANS: Final = Metric("terraphim_spans", "counter", "Spans of traces exported and lost.", ("outcome",))

# Configuration

RELOADS: Final = Metric("terraphim_reloads", "counter", "Reloads.", ("outcome",))
RELOAD_SECONDS: Final = Metric(
    "terraphim_reload_seconds",
    "histogram",
    "Time that a reload took, from the first look into a file until it served or was refused.",
    (),
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
RELOADED: Final = Metric(
    "terraphim_last_reload_success_timestamp_seconds",
    "gauge",
    "When the configuration that serves was found to be good (Unix time).",
    merge="max",
)
RELOAD_FAILED: Final = Metric(
    "terraphim_reload_failed", "gauge", "1 while the files are refused and an older configuration serves.", merge="max"
)
PROBLEMS: Final = Metric(
    "terraphim_problems",
    "gauge",
    "Problems of the configuration, rules and taxonomy that there are.",
    merge="max",
)
SNAPSHOT: Final = Metric(
    "terraphim_snapshot", "gauge", "1 for the current snapshot.", ("id",), {"id": "any"}, merge="max"
)

# The process

BUILD: Final = Metric(
    "terraphim_build", "info", "What runs.", ("version", "python", "wasmtime", "simulated"), merge="max"
)
PROCESSES: Final = Metric("terraphim_processes", "gauge", "Processes that serve this address.")
SERIES: Final = Metric("terraphim_metric_series", "gauge", "Series of metrics that are kept.", merge="max")
SCRAPE_SECONDS: Final = Metric(
    "terraphim_scrape_seconds",
    "histogram",
    "Time that it took to make the text of the metrics.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
# Prometheus' own names ("Process metrics" of its guide for client libraries).
PROCESS_CPU: Final = Metric("process_cpu_seconds", "counter", "Total user and system CPU time spent in seconds.")
PROCESS_RESIDENT: Final = Metric("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.")
PROCESS_VIRTUAL: Final = Metric("process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.")
PROCESS_START: Final = Metric(
    "process_start_time_seconds", "gauge", "Start time of the latest process since unix epoch in seconds.", merge="max"
)
PROCESS_FDS: Final = Metric("process_open_fds", "gauge", "Number of open file descriptors.")
PROCESS_MAX_FDS: Final = Metric("process_max_fds", "gauge", "Maximum number of open file descriptors.", merge="min")

#: All of them, in the order of this file.
METRICS: Final = tuple(value for value in list(globals().values()) if isinstance(value, Metric))

HEADER_PREFIX: Final = "x-terraphim-"
#: What a header says of a decision, in the order in which `decision_headers` sends them.
DECISION_HEADERS: Final = tuple(
    f"{HEADER_PREFIX}{name}".encode()
    for name in ("provider", "model", "phase", "reason", "snapshot", "request-id", "attempts", "simulated", "cache")
)


class Attribute(StrEnum):
    """What spans say: names of OpenTelemetry's semantic conventions, and ours."""

    METHOD = "http.request.method"
    ROUTE = "http.route"
    PATH = "url.path"
    SCHEME = "url.scheme"
    STATUS = "http.response.status_code"
    ERROR = "error.type"
    ADDRESS = "server.address"
    PORT = "server.port"
    OPERATION = "gen_ai.operation.name"
    PROVIDER = "gen_ai.provider.name"
    MODEL = "gen_ai.request.model"
    STREAM = "gen_ai.request.stream"
    MAX_TOKENS = "gen_ai.request.max_tokens"
    CONVERSATION = "gen_ai.conversation.id"
    FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
    FINISH = "gen_ai.response.finish_reasons"
    INPUT = "gen_ai.usage.input_tokens"
    OUTPUT = "gen_ai.usage.output_tokens"
    CACHE_READ = "gen_ai.usage.cache_read.input_tokens"
    CACHE_WRITE = "gen_ai.usage.cache_write.input_tokens"
    REASONING = "gen_ai.usage.reasoning.output_tokens"
    REQUEST_ID = "terraphim.request_id"
    SNAPSHOT = "terraphim.snapshot"
    CLIENT = "terraphim.client"
    AGENT = "terraphim.agent"
    REQUESTED = "terraphim.requested"
    TOKENS = "terraphim.tokens"
    PHASE = "terraphim.phase"
    REASON = "terraphim.reason"
    SCORE = "terraphim.score"
    SCENARIOS = "terraphim.scenarios"
    SCENARIO = "terraphim.scenario"
    DECIDED = "terraphim.decided"
    CANDIDATES = "terraphim.candidates"
    TARGET = "terraphim.target"
    OUTCOME = "terraphim.outcome"
    WHY = "terraphim.why"
    CONCEPT = "terraphim.concept"
    RULE = "terraphim.rule"
    FUEL = "terraphim.fuel"
    SHADOW = "terraphim.shadow"
    KEY = "terraphim.key"
    SIMULATED = "terraphim.simulated"
    CACHE = "terraphim.cache"
    COST = "terraphim.cost_micro_usd"


#: Events of spans: a step of a decision, and the first content of a stream.
SPAN_STEP: Final = "terraphim.step"
SPAN_FIRST_CONTENT: Final = "terraphim.first_content"
