"""What a finished request becomes in a trace: plain values, which `otel` makes spans of. Pure.

Names, numbers and codes only: no text of the request or the answer, no key, no URL but hosts of providers. Names and
meanings of `http.*` and `gen_ai.*` are those of OpenTelemetry's semantic conventions (HTTP spans; client inference of
the generative AI conventions, as of 2026-10).
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from core.decision_record import known_end
from core.exchange import Attempt, Decision, Exchange, Step, Target
from core.messages import Usage
from core.names import cut
from core.redaction import Redactor
from core.request_line import level_of
from core.schema import ProviderSettings
from core.session import mark_of
from core.telemetry import GEN_AI_OPERATION, GEN_AI_PROVIDERS, SPAN_FIRST_CONTENT, SPAN_STEP
from core.telemetry import Attribute as Key
from core.trace import Trace
from wasm_host import abi
from wasm_host.answer import Outcome

Value = str | bool | int | float | tuple[str, ...]
Values = dict[str, Value]

#: What of a step's detail is told: names and codes, none of which can carry the request's words.
_DETAILS: Final = {
    "target": Key.TARGET,
    "scenario": Key.SCENARIO,
    "concept": Key.CONCEPT,
    "rule": Key.RULE,
    "why": Key.WHY,
}
#: Methods that are told; any other is `_OTHER` (HTTP spans, "http.request.method").
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})


class Event(NamedTuple):
    """Something that happened, in ms after the request's arrival."""

    name: str
    at_ms: float
    values: Values


class Span(NamedTuple):
    """A part of a request. Times are ms after its arrival. `error` is a code; empty if nothing went wrong.

    `client`: somebody else was asked. `id` is given if somebody was told of it; 0 is any.
    """

    name: str
    began_ms: float
    ended_ms: float
    values: Values
    events: tuple[Event, ...] = ()
    error: str = ""
    client: bool = False
    id: int = 0
    inside: "tuple[Span, ...]" = ()


def opening(method: str, path: str, request_id: str) -> tuple[str, Values]:
    """Name and attributes of a request's own span, as far as they are known when it arrives."""
    known = method if method in _METHODS else "_OTHER"
    name = f"{method if known == method else 'HTTP'} {path}"
    return name, {Key.METHOD: known, Key.ROUTE: path, Key.PATH: path, Key.SCHEME: "http", Key.REQUEST_ID: request_id}


def closing(exchange: Exchange) -> tuple[Values, str]:
    """What is known of a request when it is over, and its error as a code."""
    values: Values = {Key.STATUS: exchange.status, Key.SNAPSHOT: exchange.snapshot[:12]}
    if exchange.client_key:
        values[Key.CLIENT] = exchange.client_key
    if exchange.inputs is not None:
        values[Key.REQUESTED] = cut(exchange.inputs.features.model)
        if exchange.inputs.features.agent:
            values[Key.AGENT] = exchange.inputs.features.agent
    if exchange.decision is not None:
        values |= _decided(exchange.decision)
    if exchange.answered_by is not None:
        values[Key.TARGET] = str(exchange.answered_by)
    if exchange.simulated:
        values[Key.SIMULATED] = True
    if exchange.cache:
        values[Key.CACHE] = exchange.cache
    if exchange.cost is not None and not exchange.cost.unpriced:
        values[Key.COST] = exchange.cost.micros
    error = exchange.error.partition(":")[0]
    if error:
        values[Key.ERROR] = error
    return values, error if level_of(exchange) == "warning" else ""


def _decided(decision: Decision) -> Values:
    values: Values = {Key.PHASE: decision.phase, Key.REASON: decision.reason}
    if decision.target is not None:
        values[Key.DECIDED] = str(decision.target)
    return values


def inside(exchange: Exchange, trace: Trace, ms: float, providers: Mapping[str, ProviderSettings]) -> list[Span]:
    """The parts of a request that took `ms` in all: deciding, with the rules that were asked, and each attempt."""
    spans = []
    if exchange.decision is not None and exchange.decided_ms is not None:
        spans.append(_deciding(exchange.decision, exchange, trace, exchange.decided_ms))
    return [*spans, *_attempts(exchange, trace, ms, providers)]


def number(exchange: Exchange) -> int:
    """How many spans a request will become, or a few more."""
    asked = len(exchange.decision.asked) if exchange.decision is not None else 0
    return 2 + asked + len(exchange.attempts)


def parts(
    exchange: Exchange, trace: Trace, ms: float, providers: Mapping[str, ProviderSettings], known: Redactor
) -> tuple[tuple[Values, str], list[Span]]:
    """All of a request, without any secret, wherever one could have got to."""
    (values, error), within = closing(exchange), inside(exchange, trace, ms, providers)
    if known.clears(str((values, within))):  # which is quicker than to look at each
        return (values, error), within
    return (clean(values, known), error), [redacted(span, known) for span in within]


def redacted(span: Span, known: Redactor) -> Span:
    """The same without any secret."""
    return span._replace(
        name=known.text(span.name),
        values=clean(span.values, known),
        events=tuple(event._replace(values=clean(event.values, known)) for event in span.events),
        inside=tuple(redacted(inner, known) for inner in span.inside),
    )


def clean(values: Values, known: Redactor) -> Values:
    """The values without any secret."""
    return {name: _clean(value, known) for name, value in values.items()}


def _clean(value: Value, known: Redactor) -> Value:
    if isinstance(value, tuple):
        return tuple(map(known.text, value))
    return known.text(value) if isinstance(value, str) else value


def _deciding(decision: Decision, exchange: Exchange, trace: Trace, decided_ms: float) -> Span:
    values = _decided(decision) | {Key.SCENARIOS: decision.scenarios}
    if decision.score is not None:
        values[Key.SCORE] = decision.score
    if exchange.inputs is not None:
        values[Key.TOKENS] = exchange.inputs.features.token_count
    values[Key.CANDIDATES] = tuple(str(candidate.target) for candidate in decision.candidates)
    steps = tuple(Event(SPAN_STEP, decided_ms, _step(step)) for step in decision.trace)
    began = min(trace.received_ms or 0.0, decided_ms)
    values[Key.OUTCOME] = "decided" if decision.refusal is None else "refused"
    return Span("decide", began, decided_ms, values, steps, inside=tuple(_rules(decision.asked, trace)))


def _step(step: Step) -> Values:
    values: Values = {Key.PHASE: step.phase, Key.OUTCOME: step.outcome}
    for name, key in _DETAILS.items():
        if (told := step.detail.get(name)) is not None:
            values[key] = tuple(map(str, told)) if isinstance(told, list | tuple) else str(told)
    return values


def _rules(outcomes: tuple[Outcome, ...], trace: Trace) -> Iterator[Span]:
    """Those that ran. How long each took is known, and when the last one's answer was there: they ran one after the
    other, so the others stand before it.
    """
    ran = [outcome for outcome in outcomes if outcome.code != "skipped"]
    if not (trace.asked and ran):
        return
    began = max(trace.asked[0].began_ms, trace.asked[-1].ended_ms - sum(outcome.micros for outcome in ran) / 1000)
    for outcome in ran:
        values: Values = {Key.RULE: outcome.rule, Key.OUTCOME: outcome.code, Key.FUEL: outcome.fuel}
        if outcome.shadow:
            values[Key.SHADOW] = True
        if outcome.route:
            values[Key.TARGET] = outcome.route
        ended = began + outcome.micros / 1000
        error = outcome.code if outcome.code in abi.FAULTS else ""
        yield Span(f"rule {outcome.rule}", began, ended, _with_error(values, error), error=error)
        began = ended


def _with_error(values: Values, error: str) -> Values:
    return values | {Key.ERROR: error} if error else values


def _attempts(exchange: Exchange, trace: Trace, ms: float, providers: Mapping[str, ProviderSettings]) -> Iterator[Span]:
    last = len(exchange.attempts) - 1
    for number, (attempt, tried) in enumerate(zip(exchange.attempts, trace.tried, strict=False)):
        first = tried.began_ms + attempt.ms
        answered = number == last and attempt.target == exchange.answered_by
        streamed = answered and exchange.inputs is not None and exchange.inputs.features.stream
        values = _asked(exchange, attempt.target, providers)
        events: tuple[Event, ...] = ()
        if streamed:
            values[Key.FIRST_CHUNK] = round(attempt.ms / 1000, 6)
            events = (Event(SPAN_FIRST_CONTENT, first, {}),)
        if answered:
            values |= _used(exchange.usage)
            if exchange.stop_reason:
                values[Key.FINISH] = (known_end(exchange.stop_reason),)
        error = "" if attempt.outcome == "ok" else attempt.outcome
        yield Span(
            name=f"{GEN_AI_OPERATION} {attempt.target.model}",
            began_ms=tried.began_ms,
            ended_ms=max(ms, first) if streamed else first,
            values=_with_error(values | _how(attempt), error),
            events=events,
            error=error,
            client=not exchange.simulated,
            id=tried.span_id,
        )


def _asked(exchange: Exchange, target: Target, providers: Mapping[str, ProviderSettings]) -> Values:
    values: Values = {
        Key.OPERATION: GEN_AI_OPERATION,
        Key.PROVIDER: GEN_AI_PROVIDERS.get(target.provider, target.provider),
        Key.MODEL: target.model,
        Key.TARGET: str(target),
    }
    provider = providers.get(target.provider)
    address = urlsplit(provider.base_url) if provider is not None else None
    if address is not None and address.hostname:
        values[Key.ADDRESS] = address.hostname
        values[Key.PORT] = address.port or (443 if address.scheme == "https" else 80)
    if exchange.inputs is not None:
        features = exchange.inputs.features
        values[Key.STREAM] = features.stream
        if features.max_tokens is not None:
            values[Key.MAX_TOKENS] = features.max_tokens
        if features.session_id:
            values[Key.CONVERSATION] = mark_of(features)
    return values


def _how(attempt: Attempt) -> Values:
    values: Values = {Key.OUTCOME: attempt.outcome}
    return values | {Key.KEY: attempt.key} if attempt.key else values


def _used(usage: Usage) -> Values:
    """The convention's input includes what caches gave and took; ours does not."""
    if usage == Usage():
        return {}
    return {
        Key.INPUT: usage.input + usage.cache_read + usage.cache_write,
        Key.OUTPUT: usage.output,
        Key.CACHE_READ: usage.cache_read,
        Key.CACHE_WRITE: usage.cache_write,
        Key.REASONING: usage.reasoning,
    }
