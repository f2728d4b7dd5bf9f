import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.rolegraph.text import Offsets, fold, is_boundary, lower, normalise, strip_code

SPACED = st.text(alphabet="aBİΣß \t\n\r\x85\u00a0\u3000\u2028", max_size=40)


def test_no_character_changes_the_length_when_lowered() -> None:
    """What `lower` relies on, for every code point of this Python's Unicode."""
    every = "".join(chr(code) for code in range(sys.maxunicode + 1))
    assert len(lower(every)) == len(every)
    assert [character for character in every if len(character.lower()) != 1] == ["İ"]


def test_every_white_space_folds_to_a_space() -> None:
    every = [chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace()]
    assert {fold(lower(f"a{character}b")) for character in every} == {" a b"}


@settings(deadline=None, derandomize=True, database=None)
@given(SPACED)
def test_folded_text_is_the_words_with_one_space_before_each(text: str) -> None:
    words = text.replace("İ", "i").lower().split()
    assert fold(lower(text)).rstrip() == "".join(f" {word}" for word in words)
    assert normalise(text) == " ".join(words)


@settings(deadline=None, derandomize=True, database=None)
@given(SPACED)
def test_offsets_lead_back_to_the_same_character(text: str) -> None:
    lowered = lower(text)
    folded = fold(lowered)
    offsets = Offsets(lowered)
    for index, character in enumerate(folded):
        if character != " ":
            assert lowered[offsets.original(index)] == character


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("a", "b", False),
        ("a", "_", False),
        ("1", "a", False),
        ("é", "a", False),
        ("а", "б", False),
        ("a", "\u0301", False),
        ("क", "\u093f", False),
        ("a", " ", True),
        ("a", "-", True),
        ("a", "😀", True),
        ("a", "用", True),
        ("用", "模", True),
        ("ス", "a", True),
        ("사", "용", True),
    ],
)
def test_boundaries(left: str, right: str, expected: bool) -> None:
    assert is_boundary(left, right) is expected
    assert is_boundary(right, left) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no code", "no code"),
        ("a\n```py\nuse gemini\n```\nb", "a\n```py\n          \n```\nb"),
        ("~~~\nx\n```\ny\n~~~\nz", "~~~\n \n   \n \n~~~\nz"),
        ("````\n```\nx\n````\ny", "````\n   \n \n````\ny"),
        ("```\nnever closed", "```\n            "),
        ("`` inline ``` code", "`` inline ``` code"),
        ("```not `a` fence\nx", "```not `a` fence\nx"),
        ("   ```\nx\n   ```\ny", "   ```\n \n   ```\ny"),
    ],
)
def test_fenced_code_is_blanked_in_place(text: str, expected: str) -> None:
    assert strip_code(text) == expected


@settings(deadline=None, derandomize=True, database=None)
@given(st.text(alphabet="`~ \nab", max_size=60))
def test_stripping_code_keeps_every_offset(text: str) -> None:
    stripped = strip_code(text)
    assert len(stripped) == len(text)
    assert all(after in (before, " ") for before, after in zip(text, stripped, strict=True))
