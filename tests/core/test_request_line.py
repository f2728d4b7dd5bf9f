import msgspec
import pytest
from exchanges import FEATURES, bare, full_exchange

from core.exchange import Cost
from core.request_line import level_of, log_fields
from core.session import mark_of


def test_the_whole_decision_is_on_the_line() -> None:
    exchange = full_exchange()
    assert exchange.inputs is not None
    assert log_fields(exchange, 0.1234567) == {
        "event": "request",
        "request_id": "req_1",
        "endpoint": "/v1/messages",
        "status": 200,
        "ms": 123.46,
        "snapshot": "aaaaaaaaaaaa",
        "trace_id": "00000000000000000000000000000001",
        "span_id": "0000000000000002",
        "error": "api_error: after the first byte",
        "decided_ms": 0.46,
        "first_ms": 33.21,
        "client": "laptop",
        "requested": "auto",
        "tokens": 70,
        "stream": True,
        "agent": "claude-code",
        "class": "main",
        "session": {
            "id": mark_of(exchange.inputs.features),
            "turns": 3,
            "home": "anthropic,claude-sonnet-4-6",
        },
        "phase": "custom",
        "reason": "rule:careful",
        "score": 700,
        "tags": {"team": "a"},
        "scenarios": ("thinking",),
        "decided": "anthropic,claude-sonnet-4-6",
        "candidates": ["openrouter,a/b"],
        "removed": [["ollama,small", ["cannot do tools"]], ["gone,x", "provider is not configured"]],
        "rules": [["curious", "shadow:abstain", 10, 20], ["careful", "route", 30, 40]],
        "concepts": [["research", 900]],
        "provider": "openrouter",
        "model": "a/b",
        "attempts": [["anthropic,claude-sonnet-4-6", "529", 12.3, 1], ["openrouter,a/b", "cut", 56.8, 2]],
        "passed_over": [["ollama,small", "breaker"]],
        "simulated": True,
        "cache": "miss",
        "usage": {"input": 1, "output": 2, "cache_read": 3, "cache_write": 4},
        "lost": {"input": 5, "output": 6, "cache_read": 0},
        "cost_micro_usd": 1,
    }


def test_the_humans_words_are_not() -> None:
    exchange = full_exchange()
    assert exchange.inputs is not None
    assert "human" in exchange.inputs.features.last_user
    assert b"human" not in msgspec.json.encode(log_fields(exchange, 1.0))


def test_what_is_not_known_is_left_out() -> None:
    assert log_fields(bare(status=401, error="authentication_error"), 0.001) == {
        "event": "request",
        "request_id": "req_1",
        "endpoint": "/v1/messages",
        "status": 401,
        "ms": 1.0,
        "snapshot": "aaaaaaaaaaaa",
        "error": "authentication_error",
    }


def test_a_cost_that_nobody_knows_is_null() -> None:
    exchange = full_exchange()
    exchange.cost = Cost(5, unpriced=True)
    assert log_fields(exchange, 1.0)["cost_micro_usd"] is None


@pytest.mark.parametrize(
    ("status", "error", "level"),
    [
        (200, "", "info"),
        (200, "stalled: after the first byte", "warning"),
        (400, "invalid_request_error", "info"),
        (429, "rate_limit_error", "info"),
        (499, "client_left", "info"),
        (500, "api_error", "warning"),
        (529, "overloaded_error", "warning"),
    ],
)
def test_what_failed_here_or_at_a_provider_is_a_warning(status: int, error: str, level: str) -> None:
    assert level_of(bare(status=status, error=error)) == level


def test_of_a_models_name_as_much_is_said_as_one_may_be_long() -> None:
    """What a client sends there may be as long as a body."""
    for name, said in (("m" * 256, "m" * 256), ("m" * 1_000_000, "m" * 256 + "…[+999744 characters]")):
        exchange = full_exchange(msgspec.structs.replace(FEATURES, model=name))
        assert log_fields(exchange, 0.1)["requested"] == said
