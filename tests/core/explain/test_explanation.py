import pytest
from facts import decided, features

from core.errors import BadRequest
from core.exchange import Inputs, TargetState
from core.explain import dialect_of, explanation


@pytest.mark.parametrize(
    ("query", "headers", "body", "dialect"),
    [
        ("", {}, b'{"messages": []}', "openai"),
        ("", {}, b'{"messages": [], "system": "x"}', "anthropic"),
        ("", {"anthropic-version": "2023-06-01"}, b"{}", "anthropic"),
        ("dialect=openai", {"anthropic-version": "2023-06-01"}, b'{"system": "x"}', "openai"),
        ("", {}, b'{"input": "hi"}', "openai-responses"),
        ("", {}, b"not json", "openai"),
    ],
)
def test_the_dialect_of_a_body(query: str, headers: dict[str, str], body: bytes, dialect: str) -> None:
    assert dialect_of(query, headers, body) == dialect


def test_what_is_no_dialect_here_is_said() -> None:
    with pytest.raises(BadRequest):
        dialect_of("dialect=klingon", {}, b"{}")


def test_an_explanation_shows_the_decision_and_no_text() -> None:
    shown = explanation(decided(last_user="a secret plan"), Inputs(features(last_user="a secret plan")))
    assert shown["decision"]["reason"] == "default"
    assert shown["features"]["last_user"] == "13 characters"
    assert "secret" not in str(shown)
    assert "granted" not in shown["features"]


def test_a_refusal_is_shown_as_one() -> None:
    shown = explanation(decided(model="nobody,x"), Inputs(features()))
    assert shown["decision"]["refusal"]["status"] == 404
    assert shown["decision"]["provider"] is None


def test_what_is_known_of_targets_is_shown_if_there_is_anything() -> None:
    assert "targets" not in explanation(decided(), Inputs(features()), states={})
    states = {"groq,llama": TargetState(healthy=False, p50_ms=9), "groq,other": TargetState(budget_left=0)}
    shown = explanation(decided(), Inputs(features()), states=states)
    assert shown["targets"] == {
        "groq,llama": {"healthy": False, "p50_ms": 9},
        "groq,other": {"healthy": True, "budget_left": 0},
    }
