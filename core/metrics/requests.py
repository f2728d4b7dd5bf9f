"""What one finished request counts for. It happens on the event loop: a look into a dictionary and an addition each."""

from core import prices, telemetry
from core.exchange import Attempt, Exchange, Target
from core.messages import Usage
from core.metrics.instruments import Instruments
from core.prices import MICRO, Cards
from core.telemetry import GEN_AI_OPERATION, GEN_AI_PROVIDERS


class RequestMetrics:
    """The metrics of requests and attempts."""

    def __init__(self, make: Instruments) -> None:
        self.requests = make.counter(telemetry.REQUESTS)
        self.seconds = make.histogram(telemetry.REQUEST_SECONDS)
        self.decisions = make.counter(telemetry.DECISIONS)
        self.decision_seconds = make.histogram(telemetry.DECISION_SECONDS)
        self.tokens = make.counter(telemetry.TOKENS)
        self.cost = make.counter(telemetry.COST)
        self.unpriced = make.counter(telemetry.UNPRICED)
        self.cache = make.counter(telemetry.CACHE)
        self.gen_ai_tokens = make.histogram(telemetry.GEN_AI_TOKENS)
        self.gen_ai_seconds = make.histogram(telemetry.GEN_AI_SECONDS)
        self.gen_ai_first = make.histogram(telemetry.GEN_AI_FIRST)
        self.gen_ai_per_token = make.histogram(telemetry.GEN_AI_PER_TOKEN)
        self.gen_ai_chunk = make.histogram(telemetry.GEN_AI_CHUNK)
        self.attempts = make.counter(telemetry.ATTEMPTS)
        self.fallbacks = make.counter(telemetry.FALLBACKS)
        self.passed_over = make.counter(telemetry.PASSED_OVER)

    def settled(
        self, exchange: Exchange, seconds: float, card: Cards | None = None, *, explained: bool = False
    ) -> None:
        """Count one finished request. `card` says what targets cost; without it nothing did. If it was only `explained`
        how it would be decided, that was no decision.
        """
        self.requests.labels(exchange.endpoint, str(exchange.status)).inc()
        self.seconds.labels(exchange.endpoint).observe(seconds)
        if exchange.cache:
            self.cache.labels(exchange.cache).inc()
        if exchange.decision is None or explained:
            return
        self._decided(exchange)
        if not exchange.attempts:
            return
        for attempt in exchange.attempts[:-1]:
            self._attempted(attempt, attempt.ms / 1000)
        last = exchange.attempts[-1]
        streamed = 0.0 if exchange.first_ms is None else max(0.0, seconds - exchange.first_ms / 1000)
        self._attempted(last, last.ms / 1000 + streamed)
        self._used(exchange, last.target)
        if exchange.inputs is not None and exchange.inputs.features.stream:
            self._streamed(exchange, last.target, streamed)
        if exchange.cost is not None and card is not None:
            self._paid(exchange, card)

    def _decided(self, exchange: Exchange) -> None:
        decision, answered = exchange.decision, exchange.answered_by
        if decision is None:
            return
        self.decisions.labels(decision.phase, decision.reason).inc()
        if exchange.decided_ms is not None:
            self.decision_seconds.observe(exchange.decided_ms / 1000)
        for target, why in exchange.passed_over:
            self.passed_over.labels(str(target), why).inc()
        if answered is not None and decision.target is not None and answered != decision.target:
            self.fallbacks.labels(str(decision.target), str(answered)).inc()

    def _attempted(self, attempt: Attempt, seconds: float) -> None:
        self.attempts.labels(str(attempt.target), attempt.outcome).inc()
        failed = "" if attempt.outcome == "ok" else attempt.outcome
        self.gen_ai_seconds.labels(*_operation(attempt.target), failed).observe(seconds)

    def _used(self, exchange: Exchange, last: Target) -> None:
        for target, usage, _ in exchange.spent:
            self._tokens(target, usage)
        self._tokens(last, exchange.own)

    def _tokens(self, target: Target, usage: Usage) -> None:
        name = str(target)
        for kind, count in (
            ("input", usage.input),
            ("output", usage.output),
            ("cache_read", usage.cache_read),
            ("cache_write", usage.cache_write),
        ):
            if count:
                self.tokens.labels(name, kind).inc(count)
        if sent := usage.input + usage.cache_read + usage.cache_write:
            self.gen_ai_tokens.labels(*_operation(target), "input").observe(sent)
        if usage.output:
            self.gen_ai_tokens.labels(*_operation(target), "output").observe(usage.output)

    def _streamed(self, exchange: Exchange, target: Target, streamed: float) -> None:
        operation = _operation(target)
        if exchange.first_ms is not None:
            self.gen_ai_first.labels(*operation).observe(exchange.first_ms / 1000)
            if exchange.whole and exchange.usage.output > 1:
                self.gen_ai_per_token.labels(*operation).observe(streamed / (exchange.usage.output - 1))
        if exchange.gaps is not None:
            self.gen_ai_chunk.labels(*operation).add(exchange.gaps.counts, exchange.gaps.total_s)

    def _paid(self, exchange: Exchange, card: Cards) -> None:
        for target, usage, _ in exchange.bill():
            if amount := prices.exact(usage, card(target).price):
                self.cost.labels(str(target)).inc(amount / MICRO)
        if exchange.cost is not None and exchange.cost.unpriced:
            self.unpriced.inc()


def _operation(target: Target) -> tuple[str, str, str]:
    return GEN_AI_OPERATION, GEN_AI_PROVIDERS.get(target.provider, target.provider), target.model
