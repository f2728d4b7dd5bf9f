from typing import Any

import msgspec
import pytest
from facts import features

from core.exchange import Features, Target
from core.routing.gate import check
from core.schema import ModelCard

TARGET = Target("anthropic", "m")


def gate(card: ModelCard, *, native_search: bool = True, **facts: Any) -> Any:
    return check(features(**facts), TARGET, card, native_search=native_search)


def test_an_ordinary_request_passes_a_target_of_which_nothing_is_known() -> None:
    verdict = gate(ModelCard())
    assert verdict.candidate.target == TARGET
    assert verdict.candidate.unverified == ("context_window",)


@pytest.mark.parametrize(
    ("card", "facts", "why"),
    [
        (ModelCard(context_window=1000), {"token_count": 1001}, "context window of 1000 tokens is too small for 1001"),
        (ModelCard(images=False), {"images": 1}, "cannot do images"),
        (ModelCard(tools=False), {"tools": ("Read",)}, "cannot do tools"),
        (ModelCard(web_search=False), {"server_web_search": True}, "cannot do web_search"),
    ],
)
def test_a_hard_need_refuses(card: ModelCard, facts: dict[str, Any], why: str) -> None:
    verdict = gate(card, **facts)
    assert verdict.candidate is None
    assert verdict.failures == (why,)


@pytest.mark.parametrize("need", [{"images": 2}, {"tools": ("Read",)}, {"server_web_search": True}])
def test_an_unknown_ability_passes_unverified(need: dict[str, Any]) -> None:
    verdict = gate(ModelCard(context_window=200_000), **need)
    assert len(verdict.candidate.unverified) == 1


def test_a_dialect_without_server_tools_cannot_search() -> None:
    assert gate(ModelCard(web_search=True), native_search=False, server_web_search=True).candidate is None


@pytest.mark.parametrize(
    ("card", "asked", "limit"),
    [
        (ModelCard(max_output=8192), 128_000, 8192),
        (ModelCard(max_output=8192), 4096, None),
        (ModelCard(max_output=8192), None, None),
        (ModelCard(context_window=10_000), 9_500, 9_000),
        (ModelCard(context_window=10_000, max_output=2_000), 9_500, 2_000),
    ],
)
def test_output_is_clamped(card: ModelCard, asked: int | None, limit: int | None) -> None:
    assert gate(card, max_tokens=asked, token_count=1_000).candidate.max_tokens == limit


def test_thinking_is_dropped_with_a_note_where_it_cannot_be() -> None:
    verdict = gate(ModelCard(thinking=False), thinking=True)
    assert verdict.candidate.drop_thinking
    assert "thinking dropped" in verdict.notes
    assert not gate(ModelCard(), thinking=True).candidate.drop_thinking


def test_features_are_frozen() -> None:
    with pytest.raises(AttributeError):
        features().model = "x"  # type: ignore[misc]
    assert isinstance(features(), Features)
    assert msgspec.json.encode(features())
