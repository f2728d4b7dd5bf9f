"""An exchange in which everything is known, for tests of what is told of requests."""

from facts import features

from core.exchange import (
    Attempt,
    Candidate,
    Cost,
    Decision,
    Exchange,
    Features,
    Found,
    Inputs,
    SessionState,
    Step,
    Target,
)
from core.messages import Usage
from core.trace import Trace
from wasm_host.answer import Outcome

TARGET = Target("anthropic", "claude-sonnet-4-6")
SPARE, SMALL = Target("openrouter", "a/b"), Target("ollama", "small")
FEATURES = features(
    model="auto", stream=True, token_count=70, agent="claude-code", request_class="main", session_id="s",
    last_user="the human's words",
)  # fmt: skip
DECISION = Decision(
    phase="custom",
    reason="rule:careful",
    candidates=(Candidate(TARGET), Candidate(SPARE)),
    snapshot="a" * 12,
    score=700,
    tags={"team": "a"},
    scenarios=("thinking",),
    trace=(
        Step("gate", "removed", {"target": str(SMALL), "why": ["cannot do tools"]}),
        Step("custom", "skipped", {"rule": "broken", "message": "breaker"}),
        Step("custom", "decided", {"rule": "careful", "message": "the human's words"}),
        Step("fallback", "skipped", {"target": "gone,x", "why": "provider is not configured"}),
    ),
    asked=(
        Outcome(rule="curious", code="abstain", fuel=10, micros=20, shadow=True, log="the human's words"),
        Outcome(rule="careful", code="route", route=str(TARGET), fuel=30, micros=40, message="the human's words"),
    ),
    matches=(Found("research.md", "research", "pattern", 900, 50, ((0, 5, "the human's words"),)),),
)


def full_exchange(facts: Features = FEATURES) -> Exchange:
    """Two attempts, the second of which answered, in a stream that broke off."""
    exchange = Exchange("req_1", "/v1/messages", "anthropic", "a" * 64, "laptop", DECISION, SPARE)
    exchange.attempts = [Attempt(TARGET, "529", 12.34, 1), Attempt(SPARE, "cut", 56.78, 2)]
    exchange.passed_over = [(SMALL, "breaker")]
    exchange.usage = Usage(input=1, output=2, cache_read=3, cache_write=4)
    exchange.lost = Usage(input=5, output=6)
    exchange.simulated, exchange.status, exchange.error = True, 200, "api_error: after the first byte"
    exchange.cache, exchange.cost = "miss", Cost(1)
    exchange.decided_ms, exchange.first_ms = 0.456, 33.21
    exchange.trace = Trace("0" * 31 + "1", "0" * 15 + "2", None)
    exchange.inputs = Inputs(facts, SessionState(turns=3, home=str(TARGET)))
    return exchange


def bare(**facts: object) -> Exchange:
    """One that came to nothing: no decision, no answer."""
    exchange = Exchange("req_1", "/v1/messages", "anthropic", "a" * 64)
    for name, value in facts.items():
        setattr(exchange, name, value)
    return exchange
