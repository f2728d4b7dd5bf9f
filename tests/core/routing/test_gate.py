from typing import Any

import msgspec
import pytest
from facts import features

from core.exchange import Features, Target
from core.routing.gate import check
from core.schema import ModelCard

TARGET = Target("anthropic", "m")


def gate(
    card: ModelCard,
    *,
    dialect: str = "anthropic",
    search_optional: bool = False,
    tokens: int | None = None,
    **facts: Any,
) -> Any:
    return check(features(**facts), TARGET, card, dialect=dialect, search_optional=search_optional, tokens=tokens)


def test_an_ordinary_request_passes_a_target_of_which_nothing_is_known() -> None:
    verdict = gate(ModelCard())
    assert verdict.candidate.target == TARGET
    assert verdict.candidate.unverified == ("context_window",)


@pytest.mark.parametrize(
    ("card", "facts", "why"),
    [
        (ModelCard(context_window=1000), {"token_count": 1001}, "context window of 1000 tokens is too small for 1001"),
        (
            ModelCard(context_window=9000, max_input=1000),
            {"token_count": 1001},
            "context window of 1000 tokens is too small for 1001",
        ),
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
    verdict = gate(ModelCard(web_search=True), dialect="openai", server_web_search=True)
    assert verdict.failures == ("cannot do web_search",)


def test_a_search_is_left_out_with_a_note_where_the_operator_allows_it_and_more_is_left() -> None:
    left_out = gate(ModelCard(), dialect="openai", search_optional=True, server_web_search=True, tools=("Read",))
    assert left_out.notes == ("web_search left out",)
    assert "web_search" not in left_out.candidate.unverified
    only = gate(ModelCard(), dialect="openai", search_optional=True, server_web_search=True, only_web_search=True)
    assert only.failures == ("cannot do web_search",)


@pytest.mark.parametrize(
    ("model", "only", "failures"),
    [
        ("gemini-2.5-pro", False, ("cannot do web_search",)),
        ("gemini-2.5-pro", True, ()),
        ("gemini-3-pro", False, ()),
    ],
)
def test_a_model_that_searches_only_alone(model: str, *, only: bool, failures: tuple[str, ...]) -> None:
    wanted = features(server_web_search=True, only_web_search=only, tools=("web_search", "f"))
    assert check(wanted, Target("p", model), ModelCard(), dialect="gemini").failures == failures


def test_a_model_that_cannot_search_is_not_sent_a_search_that_its_dialect_carries() -> None:
    card = ModelCard(web_search=False)
    assert gate(card, search_optional=True, server_web_search=True).failures == ("cannot do web_search",)


def test_what_only_a_provider_can_run_is_a_hard_need() -> None:
    needs: dict[str, Any] = {"provider_tools": ("code_execution_20250825",)}
    assert gate(ModelCard(), **needs).candidate is not None
    assert gate(ModelCard(), dialect="openai", **needs).failures == ("cannot do code_execution_20250825",)


@pytest.mark.parametrize(("taken", "refused"), [(None, ()), (True, ()), (False, ("effort", "sampling"))])
def test_what_a_model_refuses_is_told_to_its_dialect(taken: bool | None, refused: tuple[str, ...]) -> None:
    candidate = gate(ModelCard(effort=taken, sampling=taken, thinking_mode="both")).candidate
    assert (candidate.without, candidate.thinking_mode) == (refused, "both")


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


def test_a_target_is_judged_by_its_own_count() -> None:
    card = ModelCard(context_window=1000)
    assert gate(card, token_count=900, tokens=1100).failures == ("context window of 1000 tokens is too small for 1100",)
    passed = gate(card, token_count=900, tokens=800, max_tokens=500)
    assert (passed.candidate.tokens, passed.candidate.max_tokens) == (800, 200)
    assert "counted as 800 tokens" in passed.notes


def test_a_target_that_reads_no_images_passes_if_another_looks_at_them_for_it() -> None:
    eye = Target("seer", "eye")
    verdict = check(features(images=1), TARGET, ModelCard(images=False), dialect="anthropic", images_by=eye)
    assert verdict.candidate is not None
    assert "images are looked at by seer,eye" in verdict.notes
