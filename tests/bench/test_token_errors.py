import json
from typing import Any

import pytest

from bench import token_errors, token_truth
from bench.token_errors import corpus
from core.dialects import CLIENTS
from core.tokens import TokenCounter


def figures(monkeypatch: pytest.MonkeyPatch, percent: int) -> dict[str, tuple[float, str]]:
    """Name to p50 and note of a model that counts so many tokens for each hundred of ours."""
    monkeypatch.setattr(token_truth, "PACKAGES", {"m-1": ""})
    counter, decode = TokenCounter(), CLIENTS["openai"].decode_request

    def counts(model: str, bodies: list[dict[str, Any]]) -> list[int]:
        if model == token_truth.SMOL:
            raise token_truth.NotHereError("not installed")
        requests = [decode(json.dumps(body).encode()) for body in bodies]
        return [counter.count(request) * percent // 100 for request in requests]

    monkeypatch.setattr(token_truth, "counts", counts)
    return {row.name: (row.value, row.note) for row in token_errors.rows()}


def test_a_constant_error_is_learned_even_from_reports_of_which_a_third_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = figures(monkeypatch, 130)
    assert found["m-1"][0] == pytest.approx(100 * 0.3 / 1.3, abs=0.2)
    assert found["m-1, learned"][0] < 0.2
    assert found["m-1, learned, a third halved"][0] < 0.2
    assert "factor 1.3" in found["m-1, learned"][1]


def test_what_has_no_truth_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found = figures(monkeypatch, 100)
    assert found["smollm2: SKIPPED"][1] == "no truth here: not installed"
    assert found["gpt-4o and later, text alone"][0] == 0


def test_the_corpus_is_the_same_each_time_and_of_all_kinds() -> None:
    plain, tools = corpus(tools=False), corpus(tools=True)
    assert plain == corpus(tools=False)
    assert not any("tools" in body for body in plain)
    assert any(message["role"] == "tool" for body in tools for message in body["messages"])
    texts = [message["content"] for body in plain for message in body["messages"]]
    assert all(texts)
    assert any("队列" in text for text in texts)


def test_roles_take_turns_as_strict_templates_want_them() -> None:
    for body in corpus(tools=False):
        roles = [message["role"] for message in body["messages"]][1:]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
