"""The text of one member, while its object is written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.transformers.json_string import JSONString

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ['"\\', "\\u00e9", "😀\n", '\\"']
)


def read(pieces: list[str]) -> str:
    reader = JSONString("response")
    return "".join(map(reader.feed, pieces)) + reader.end()


@given(TEXT, st.booleans(), st.booleans())
def test_the_text_comes_through_whatever_the_pieces(text: str, escaped: bool, spaced: bool) -> None:
    value = {"response": text, **({"more": 1} if spaced else {})}
    written = json.dumps(value, ensure_ascii=escaped, indent=1 if spaced else None)
    assert read([written]) == text
    assert read(list(written)) == text
    for at in range(len(written)):
        assert read([written[:at], written[at:]]) == text


def test_it_comes_while_it_is_written() -> None:
    reader = JSONString("response")
    assert [reader.feed(piece) for piece in ('{"response": "', "ab", "c\\", 'n"}')] == ["", "ab", "c", "\n"]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("", ""),
        ("{}", ""),
        ('{"other": "x"}', '{"other": "x"}'),
        ('{"x": 1, "response": "late"}', "late"),
        ('{"response": 5}', '{"response": 5}'),
        ("no object", "no object"),
        ('{"response": "cut', "cut"),
        ('{"response": "cut\\u00', "cut"),
    ],
)
def test_nothing_is_lost_of_an_object_of_another_shape(written: str, text: str) -> None:
    assert read([written]) == text
    assert read(list(written)) == text
