"""Broken JSON objects made sound, whatever pieces they come in; sound ones are left alone."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.transformers.tolerant_json import Tolerant

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ['"', "\\", "},", '",', "a\n", "//"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=4)
MARKS = st.text(st.sampled_from("{}[],:\"'\\/ \n*eE+-.0utx#“\u2028a"), max_size=40)


def mended(pieces: list[str]) -> str:
    tolerant = Tolerant()
    return "".join(map(tolerant.feed, pieces)) + tolerant.end()


def every_way(text: str) -> str:
    """What becomes of the text, having shown that it is the same in every two pieces and in characters."""
    whole = mended([text])
    assert mended(list(text)) == whole
    for at in range(len(text)):
        assert mended([text[:at], text[at:]]) == whole, at
    return whole


@settings(max_examples=40)
@given(OBJECTS, st.booleans(), st.sampled_from([None, 1]), st.sampled_from([(",", ":"), (" , ", " : "), (", ", ": ")]))
def test_a_sound_object_goes_through_as_it_is(
    value: dict[str, Any], escaped: bool, indent: int | None, marks: tuple[str, str]
) -> None:
    text = json.dumps(value, ensure_ascii=escaped, indent=indent, separators=marks)
    assert every_way(text) == text


def test_a_sound_object_is_not_held_back() -> None:
    tolerant = Tolerant()
    text = '{"path": "src/main.py", "text": "a\\nb \\"c\\" d", "n": [1, true]}'
    sent = ""
    for number, character in enumerate(text, 1):
        sent += tolerant.feed(character)
        assert text.startswith(sent)
        # At most a key, a number or word, or a quote with what follows it is waited for.
        assert number - len(sent) <= len('", "text"')
    assert sent == text
    assert tolerant.end() == ""


@given(MARKS)
def test_whatever_comes_out_is_an_object_and_the_same_in_all_pieces(text: str) -> None:
    whole = every_way(text)
    if text.strip():
        assert isinstance(msgspec.json.decode(whole), dict)
    else:
        assert whole == ""


@settings(max_examples=60)
@given(OBJECTS, st.data())
def test_a_broken_object_becomes_one(value: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps({"k": value})
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(MARKS) + text[at + data.draw(st.integers(0, 3)) :]
    assert isinstance(msgspec.json.decode(mended([text]) or "{}"), dict)


@pytest.mark.parametrize("cut", range(1, 40))
def test_an_object_that_was_cut_keeps_what_it_had(cut: int) -> None:
    text = '{"a": "xyz", "b": [1, {"c": true}], "d": 5}'
    whole = msgspec.json.decode(text)
    found = msgspec.json.decode(every_way(text[:cut]))
    for name, value in found.items():
        assert value == whole[name] or name == list(found)[-1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # JSON5
        ("{a: 1, 'b': 'x \"y\" it\\'s', c: [1, 2,], // no\n d: .5, e: 0x1F, f: +3, g: 5., h: -.5e3,}",
         {"a": 1, "b": "x \"y\" it's", "c": [1, 2], "d": 0.5, "e": 31, "f": 3, "g": 5, "h": -500.0}),
        ('{"a": /* no */ 1, "b": "x\\\ny"}', {"a": 1, "b": "xy"}),
        ('{"a": Infinity, "b": NaN, "c": "\\x41"}', {"a": None, "b": None, "c": "A"}),
        # What models get wrong
        ('```json\n{"a": "x"}\n```', {"a": "x"}),
        ('Sure! {"a": "x"} Done.', {"a": "x"}),
        ('{"a": "he said "hi" ok", "b": 1}', {"a": 'he said "hi" ok', "b": 1}),
        ('{"p": "C:\\Users\\dir", "re": "\\d+\\w"}', {"p": "C:\\Users\\dir", "re": "\\d+\\w"}),
        ('{"a": "line\nbreak\ttab"}', {"a": "line\nbreak\ttab"}),
        ('{"a": True, "b": None, "c": undefined}', {"a": True, "b": None, "c": None}),
        ('{"a": hello world, "b": 2}', {"a": "hello world", "b": 2}),
        ('{"a" "b", "c" = 3, "d"; 4}', {"a": "b", "c": 3, "d": "; 4"}),
        ('{"a": [1 2 3], "b": 1 "c": 2}', {"a": [1, 2, 3], "b": 1, "c": 2}),
        ('{"a": 1]}', {"a": 1}),
        ('{"a": [1, {"b": 2}', {"a": [1, {"b": 2}]}),
        ('{"a": [{"b": 1], "c": 2}', {"a": [{"b": 1}], "c": 2}),
        ('{{"a": 1}}', {"a": 1}),
        ("{“a”: “x”}", {"a": "x"}),
        ('{"a": 007}', {"a": "007"}),
        ('{"a": , "b": [,1], }', {"a": None, "b": [1]}),
        ('"{\\"a\\": 1}"', {"a": 1}),
        ('{"a": "\\ud83d\\ude00 \\ud83d \\ude00 \\u12"}', {"a": "😀 \ufffd \ufffd \\u12"}),
        ('"no object"', {}),
        ("[1, 2]", {}),
        ("not at all", {}),
        ('{"a": 1} {"b": 2}', {"a": 1}),
    ],
)  # fmt: skip
def test_what_is_broken_is_mended(text: str, expected: dict[str, Any]) -> None:
    assert msgspec.json.decode(every_way(text)) == expected
