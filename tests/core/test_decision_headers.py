import pytest

from core.decision_headers import decision_headers, header_text
from core.exchange import Attempt, Candidate, Decision, Exchange, Target

TARGET = Target("openai", "gpt-5")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("gpt-5", "gpt-5"),
        ("a\r\nset-cookie: b", "a??set-cookie: b"),
        ("modèle", "mod?le"),
        ("\x7f\x00", "??"),
        ("x" * 300, "x" * 256),
        ("é" * 300, "?" * 256),
    ],
)
def test_a_value_cannot_end_its_header(value: str, shown: str) -> None:
    assert header_text(value) == shown


def test_what_is_not_known_yet_is_left_out() -> None:
    assert decision_headers(Exchange("req_1", "/v1/messages", "anthropic")) == [(b"x-terraphim-request-id", b"req_1")]


def test_an_answer_says_who_gave_it_and_why() -> None:
    decision = Decision("pattern", "concept:use_gpt", (Candidate(Target("groq", "llama")),), "a" * 12)
    exchange = Exchange("req_1", "/v1/messages", "anthropic", snapshot="a" * 64, decision=decision, simulated=True)
    exchange.answered_by = TARGET
    exchange.attempts = [Attempt(Target("groq", "llama"), "529", 1.0), Attempt(TARGET, "ok", 1.0)]
    assert dict(decision_headers(exchange)) == {
        b"x-terraphim-provider": b"openai",
        b"x-terraphim-model": b"gpt-5",
        b"x-terraphim-phase": b"pattern",
        b"x-terraphim-reason": b"concept:use_gpt",
        b"x-terraphim-snapshot": b"a" * 12,
        b"x-terraphim-request-id": b"req_1",
        b"x-terraphim-attempts": b"2",
        b"x-terraphim-simulated": b"1",
    }
