import msgspec
import pytest
from exchanges import DECISION, FEATURES, SPARE, TARGET, bare, full_exchange

from core.exchange import Attempt, Exchange, Refusal
from core.redaction import Redactor
from core.schema import ProviderSettings
from core.session import mark_of
from core.spans import Event, Span, closing, inside, number, opening, redacted
from core.spans import parts as parts_of
from core.telemetry import SPAN_FIRST_CONTENT, SPAN_STEP
from core.trace import Asked, Trace, Tried

PROVIDERS = {
    "anthropic": ProviderSettings(dialect="anthropic", base_url="https://api.anthropic.com"),
    "openrouter": ProviderSettings(dialect="openai", base_url="http://127.0.0.1:8080/v1"),
}


def traced(**facts: object) -> Trace:
    trace = Trace("a" * 32, "b" * 16, None, received_ms=0.1)
    trace.asked, trace.tried = [Asked(0.2, 0.4)], [Tried(1.0, 11), Tried(20.0, 12)]
    for name, value in facts.items():
        setattr(trace, name, value)
    return trace


def parts(exchange: Exchange | None = None, trace: Trace | None = None, ms: float = 100.0) -> list[Span]:
    return inside(exchange or full_exchange(), trace or traced(), ms, PROVIDERS)


@pytest.mark.parametrize(
    ("method", "name", "known"), [("POST", "POST /v1/messages", "POST"), ("BREW", "HTTP /v1/messages", "_OTHER")]
)
def test_how_a_request_is_called(method: str, name: str, known: str) -> None:
    found, values = opening(method, "/v1/messages", "req_1")
    assert (found, values["http.request.method"]) == (name, known)


def test_the_whole_of_a_request() -> None:
    values, error = closing(full_exchange())
    assert error == "api_error"
    assert values == {
        "http.response.status_code": 200,
        "error.type": "api_error",
        "terraphim.snapshot": "a" * 12,
        "terraphim.client": "laptop",
        "terraphim.requested": "auto",
        "terraphim.agent": "claude-code",
        "terraphim.phase": "custom",
        "terraphim.reason": "rule:careful",
        "terraphim.decided": str(TARGET),
        "terraphim.target": str(SPARE),
        "terraphim.simulated": True,
        "terraphim.cache": "miss",
        "terraphim.cost_micro_usd": 1,
    }


def test_what_others_made_up_is_cut_or_left_out() -> None:
    """A client may call a model as it likes, and a provider may say anything of why it ended."""
    exchange = full_exchange(msgspec.structs.replace(FEATURES, model="m" * 100_000))
    exchange.attempts[-1] = Attempt(SPARE, "ok", 56.78, 2)
    for said, told in (("tool_use", "tool_use"), ("the user's words", "other")):
        exchange.stop_reason = said
        assert parts(exchange)[-1].values["gen_ai.response.finish_reasons"] == (told,)
    assert closing(exchange)[0]["terraphim.requested"] == "m" * 256 + "…[+99744 characters]"


def test_what_a_client_got_wrong_is_no_error_of_the_span() -> None:
    values, error = closing(bare(status=401, error="authentication_error"))
    assert (values["error.type"], error) == ("authentication_error", "")


def test_a_decision_with_its_rules() -> None:
    decide, *_ = parts()
    assert (decide.name, decide.began_ms, decide.ended_ms, decide.error) == ("decide", 0.1, 0.456, "")
    assert decide.values == {
        "terraphim.phase": "custom",
        "terraphim.reason": "rule:careful",
        "terraphim.decided": str(TARGET),
        "terraphim.scenarios": ("thinking",),
        "terraphim.score": 700,
        "terraphim.tokens": 70,
        "terraphim.candidates": (str(TARGET), str(SPARE)),
        "terraphim.outcome": "decided",
    }
    assert decide.events == (
        Event(
            SPAN_STEP,
            0.456,
            {
                "terraphim.phase": "gate",
                "terraphim.outcome": "removed",
                "terraphim.target": "ollama,small",
                "terraphim.why": ("cannot do tools",),
            },
        ),
        Event(
            SPAN_STEP,
            0.456,
            {"terraphim.phase": "custom", "terraphim.outcome": "skipped", "terraphim.rule": "broken"},
        ),
        Event(
            SPAN_STEP,
            0.456,
            {"terraphim.phase": "custom", "terraphim.outcome": "decided", "terraphim.rule": "careful"},
        ),
        Event(
            SPAN_STEP,
            0.456,
            {
                "terraphim.phase": "fallback",
                "terraphim.outcome": "skipped",
                "terraphim.target": "gone,x",
                "terraphim.why": "provider is not configured",
            },
        ),
    )
    curious, careful = decide.inside
    assert (curious.name, careful.name) == ("rule curious", "rule careful")
    assert [round(at, 3) for at in (curious.began_ms, curious.ended_ms, careful.began_ms, careful.ended_ms)] == [
        0.34, 0.36, 0.36, 0.4,
    ]  # fmt: skip
    assert curious.values["terraphim.shadow"] is True
    assert careful.values == {
        "terraphim.rule": "careful",
        "terraphim.outcome": "route",
        "terraphim.fuel": 30,
        "terraphim.target": str(TARGET),
    }


def test_rules_that_failed_are_errors_and_those_that_did_not_run_are_no_spans() -> None:
    curious, careful = DECISION.asked
    asked = (
        msgspec.structs.replace(curious, code="fuel", micros=10**6),
        msgspec.structs.replace(careful, code="skipped", message="quarantine"),
    )
    exchange = full_exchange()
    exchange.decision = msgspec.structs.replace(DECISION, asked=asked)
    [failed] = parts(exchange)[0].inside
    assert (failed.error, failed.values["error.type"]) == ("fuel", "fuel")
    assert failed.began_ms == 0.2  # not before it was asked, whatever the worker's clock says


def test_a_refusal_is_a_decision() -> None:
    exchange = full_exchange()
    exchange.attempts = []
    exchange.decision = msgspec.structs.replace(DECISION, candidates=(), refusal=Refusal(400, "the human's words"))
    [decide] = parts(exchange)
    assert (decide.values["terraphim.outcome"], decide.error) == ("refused", "")
    assert "terraphim.decided" not in decide.values


def test_the_attempts() -> None:
    _, first, second = parts()
    assert (first.name, first.began_ms, first.ended_ms, first.id) == ("chat claude-sonnet-4-6", 1.0, 13.34, 11)
    assert (first.error, first.values["error.type"], first.values["terraphim.outcome"]) == ("529", "529", "529")
    assert (first.values["server.address"], first.values["server.port"]) == ("api.anthropic.com", 443)
    assert not [name for name in first.values if name.startswith("gen_ai.usage")]
    assert (second.began_ms, second.ended_ms, second.error) == (20.0, 100.0, "cut")
    assert (second.values["server.address"], second.values["server.port"]) == ("127.0.0.1", 8080)
    assert second.values["gen_ai.response.time_to_first_chunk"] == 0.05678
    assert second.events == (Event(SPAN_FIRST_CONTENT, 76.78, {}),)
    assert second.values["gen_ai.usage.input_tokens"] == 1 + 3 + 4
    assert second.values["gen_ai.conversation.id"] == mark_of(FEATURES)


def test_who_only_played_an_answer_was_no_client() -> None:
    assert not any(span.client for span in parts())
    exchange = full_exchange()
    exchange.simulated = False
    assert [span.client for span in parts(exchange)] == [False, True, True]


def test_an_answer_that_is_no_stream_ends_with_its_attempt() -> None:
    exchange = full_exchange(msgspec.structs.replace(FEATURES, stream=False))
    exchange.attempts = [Attempt(SPARE, "ok", 50.0)]
    [_, only] = parts(exchange, ms=100.0)
    assert (only.ended_ms, only.events) == (51.0, ())
    assert "gen_ai.response.time_to_first_chunk" not in only.values


def test_what_was_never_decided_has_no_parts() -> None:
    assert parts(bare(status=400), traced(asked=[], tried=[])) == []


def test_no_words_of_the_request_are_told() -> None:
    told = msgspec.json.encode([opening("POST", "/v1/messages", "req_1"), closing(full_exchange()), parts()])
    assert b"human" not in told


def test_all_of_a_request() -> None:
    exchange, trace = full_exchange(), traced()
    assert parts_of(exchange, trace, 100.0, PROVIDERS, Redactor()) == (closing(exchange), parts(exchange, trace))
    secret = str(SPARE)
    (values, error), within = parts_of(exchange, trace, 100.0, PROVIDERS, Redactor([secret]))
    assert (error, values["terraphim.target"]) == ("api_error", "[redacted]")
    assert secret.encode() not in msgspec.json.encode((values, within))


def test_there_is_room_for_all_of_it() -> None:
    decide, *attempts = parts()
    assert number(full_exchange()) == 2 + len(decide.inside) + len(attempts)
    assert number(bare(status=400)) >= 1


def test_a_secret_is_taken_out_wherever_it_stands() -> None:
    secret = "a-secret-of-some-length"  # noqa: S105  # it is of no use
    event = Event("e", 1.0, {"a": secret, "b": (secret, "c"), "d": 1})
    span = Span(f"rule {secret}", 0.0, 1.0, {"x": f"y {secret}", "n": 2.5}, (event,), inside=(Span(secret, 0, 1, {}),))
    told = redacted(span, Redactor([secret]))
    assert secret.encode() not in msgspec.json.encode(told)
    assert (told.values, told.events[0].values) == (
        {"x": "y [redacted]", "n": 2.5},
        {"a": "[redacted]", "b": ("[redacted]", "c"), "d": 1},
    )
