import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dialects.splice import Edit, splice

LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner))


@pytest.mark.parametrize(
    ("text", "edits", "expected"),
    [
        (b' { "a" : 1 , "b":2 } ', {"a": b"9"}, b' { "a" : 9 , "b":2 } '),
        (b'{ "a" : 1 , "b":2 }', {"a": None}, b'{ "b":2 }'),
        (b'{ "a" : 1 , "b":2 }', {"b": None}, b'{ "a" : 1 }'),
        (b'{"a":1}', {"a": None}, b"{}"),
        (b"{}", {"a": b"1"}, b'{"a":1}'),
        (b'{"a":1}', {"b": b"2"}, b'{"a":1,"b":2}'),
        (b'{"a":1}', {"a": None, "b": b"2"}, b'{"b":2}'),
        (b'{"a":[1, 2 ,3]}', {"a": {1: None}}, b'{"a":[1 ,3]}'),
        (b'{"a":[1, 2]}', {"a": {0: None, 1: None}}, b'{"a":[]}'),
        (b'{"a":{"b":{"c":"\\u00e9"}}}', {"a": {"b": {"c": b"0"}}}, b'{"a":{"b":{"c":0}}}'),
        (b'{"a":"x"}', {"a": bytes.upper}, b'{"a":"X"}'),
        (b'{"a":1}', {"b": None}, b'{"a":1}'),
    ],
)
def test_only_what_is_edited_changes(text: bytes, edits: dict[str | int, Edit], expected: bytes) -> None:
    assert splice(text, edits) == expected


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=5), st.data(), st.sampled_from([None, 2]))
def test_a_splice_says_what_the_edited_object_says(
    value: dict[str, Any], data: st.DataObject, indent: int | None
) -> None:
    keys = st.sampled_from([*value, "new"])
    edits: dict[str | int, Edit] = data.draw(st.dictionaries(keys, st.none() | st.just(b"[1]"), max_size=4))
    expected: dict[str | int, Any] = {
        key: [1] if key in edits else old for key, old in value.items() if edits.get(key, b"") is not None
    }
    expected |= {key: [1] for key, edit in edits.items() if edit is not None}
    text = json.dumps(value, indent=indent).encode()
    assert json.loads(splice(text, edits)) == expected


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=5), st.sampled_from([None, 2]))
def test_no_edit_changes_no_byte(value: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(value, indent=indent).encode()
    assert splice(text, {"not there": None}) == text
