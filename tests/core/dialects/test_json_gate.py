import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dialects.json_gate import MAX_CONTAINERS, MAX_DEPTH, fields
from core.errors import BadRequest

VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))


def nested(depth: int) -> bytes:
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


def test_the_deepest_allowed_body_is_read_and_one_deeper_is_not() -> None:
    assert list(fields(nested(MAX_DEPTH))) == ["a"]
    with pytest.raises(BadRequest, match="deeper than 64"):
        fields(nested(MAX_DEPTH + 1))


@pytest.mark.parametrize("depth", [1000, 100_000])
def test_very_deep_bodies_are_refused_without_recursion(depth: int) -> None:
    with pytest.raises(BadRequest, match="deeper than 64"):
        fields(b'{"a":' + b"[" * depth + b"]" * depth + b"}")


def test_brackets_in_strings_are_no_structure() -> None:
    text = json.dumps({"a": "[" * 500 + '\\"' + "{" * 500 + "\\", "b": '"'}).encode()
    assert set(fields(text)) == {"a", "b"}


def test_very_many_containers_are_refused() -> None:
    with pytest.raises(BadRequest, match="objects and arrays"):
        fields(b'{"a":[' + b"[]," * MAX_CONTAINERS + b"[]]}")


@pytest.mark.parametrize("body", [b'{"a":1,"a":2}', b'{"a":1,"a":1}', b'{"a":1,"\\u0061":2}'])
def test_a_key_given_twice_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="same key twice"):
        fields(body)


@given(st.dictionaries(st.text(), VALUES, max_size=5), st.sampled_from([None, 1]))
def test_every_sound_object_is_read(value: dict[str, Any], indent: int | None) -> None:
    found = fields(json.dumps(value, indent=indent).encode())
    assert {key: json.loads(bytes(raw)) for key, raw in found.items()} == value


@given(st.binary(max_size=60))
def test_any_bytes_that_are_no_object_are_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match=r"^body: "):
        fields(b"[" + body)
