from random import Random

import pytest

from core.calibration import (
    AT_LEAST,
    LAST,
    LEAST_TOKENS,
    MAX_MODELS,
    Calibration,
    corrected,
    factor,
    factor_of,
    ratio,
)
from core.messages import Usage


def learned(*percent: int, model: str = "claude-x-1") -> Calibration:
    """A calibration that saw so many reported tokens for each hundred counted."""
    calibration = Calibration()
    for each in percent:
        calibration.learn(model, 1000, Usage(input=each * 10))
    return calibration


def test_all_that_was_read_counts_cached_or_not() -> None:
    assert ratio(1000, Usage(input=100, cache_read=1000, cache_write=200, output=9999)) == 1300


@pytest.mark.parametrize(
    ("counted", "reported"), [(LEAST_TOKENS - 1, 300), (1000, 0), (1000, 599), (1000, 3001), (0, 500)]
)
def test_what_says_nothing_of_a_tokenizer_is_no_ratio(counted: int, reported: int) -> None:
    assert ratio(counted, Usage(input=reported)) is None


def test_a_factor_needs_some_answers() -> None:
    assert factor([1300] * (AT_LEAST - 1)) == 1.0
    assert factor([1300] * AT_LEAST) == 1.3


def test_reports_that_leave_out_a_cached_prefix_do_not_move_it() -> None:
    random = Random(1)  # noqa: S311 (no secret)
    seen = [random.randrange(128, 133) for _ in range(13)] + [61] * 12
    random.shuffle(seen)
    assert 1.28 <= factor_of(learned(*seen).factors, "claude-x-1") <= 1.32


def test_a_tokenizer_that_was_replaced_is_followed() -> None:
    calibration = learned(*[100] * 100, *[140] * (LAST // 2 + 1))
    assert factor_of(calibration.factors, "claude-x-1") == 1.4


def test_what_is_learned_holds_for_the_model_whoever_offers_it() -> None:
    factors = learned(*[120] * 3, model="anthropic/claude-sonnet-4.5").factors
    for name in ("claude-sonnet-4-5", "anthropic,claude-sonnet-4-5", "claude-sonnet-4-5-20250929"):
        assert factor_of(factors, name) == 1.2
    assert factor_of(factors, "claude-opus-4-5") == factor_of({}, "claude-sonnet-4-5") == 1.0


def test_the_first_name_that_has_a_factor_counts() -> None:
    factors = {"a": 1.5, "b": 1.2}
    assert factor_of(factors, "", "x", "b", "a") == 1.2


def test_a_decision_keeps_the_factors_that_it_began_with() -> None:
    calibration = learned(*[120] * 3)
    before = calibration.factors
    for _ in range(LAST):
        calibration.learn("claude-x-1", 1000, Usage(input=1500))
    assert factor_of(before, "claude-x-1") == 1.2
    assert factor_of(calibration.factors, "claude-x-1") == 1.5


def test_models_are_bounded_and_who_answered_longest_ago_goes_first() -> None:
    calibration = Calibration()
    for number in range(MAX_MODELS + 5):
        calibration.learn(f"m{number}", 1000, Usage(input=1200))
        calibration.learn("kept", 1000, Usage(input=1200))
    assert len(calibration.ratios) == MAX_MODELS
    assert "kept" in calibration.ratios
    assert "m0" not in calibration.ratios
    calibration.learn("x" * 300, 1000, Usage(input=1200))
    assert max(map(len, calibration.ratios)) < 300
    assert max(map(len, calibration.ratios.values())) <= LAST


def test_what_was_kept_is_judged_again() -> None:
    kept = {"good": (1200,) * 99, "bad": (0, 10**9, -5), **{f"m{n}": (1200,) for n in range(MAX_MODELS)}}
    calibration = Calibration(kept)
    assert len(calibration.ratios) <= MAX_MODELS
    assert all(0 < len(ratios) <= LAST for name, ratios in calibration.ratios.items() if name != "bad")
    assert Calibration({"good": (1200,) * 99}).ratios == {"good": (1200,) * LAST}
    assert Calibration({"bad": (0, 10**9)}).factors == {}


def test_tokens_are_whole() -> None:
    assert corrected(1001, 1.3) == 1301
