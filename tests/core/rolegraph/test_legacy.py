import pytest

from core.rolegraph.legacy import legacy_score, legacy_score_at


@pytest.mark.parametrize(
    ("match", "query", "expected"),
    [
        ("plan mode", "I want to go to plan mode", 0.337),
        ("extended context", "extended context window", 0.696),
        ("visual analysis", "visual analysis", 1.0),
    ],
)
def test_golden_scores(match: str, query: str, expected: float) -> None:
    start = query.index(match)
    assert round(legacy_score(match, start, query.lower()), 3) == expected
    assert round(legacy_score_at(query, start, start + len(match)), 3) == expected


def test_lengths_are_bytes_of_the_lowered_text() -> None:
    # é is two bytes, and İ three when lowered: the match starts at byte 7 of 16.
    assert legacy_score_at("é İ PLAN mode", 4, 13) == pytest.approx(9 / 16 * (1 - 0.1 * 7 / 16))


def test_a_lone_surrogate_has_a_length_too() -> None:
    assert legacy_score_at("\ud800 plan", 2, 6) == pytest.approx(4 / 8 * (1 - 0.1 * 4 / 8))


def test_it_decays_with_the_prompt_as_the_default_score_must_not() -> None:
    assert legacy_score_at("plan mode" + " x" * 5000, 0, 9) < 0.001
