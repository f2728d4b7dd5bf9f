import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dialects.json_gate import BYTES, CONTAINERS, MAX_CONTAINERS, MAX_DEPTH, MAX_KEYS, fields
from core.errors import BadRequest

VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))


def nested(depth: int) -> bytes:
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


def test_the_deepest_allowed_body_is_read_and_one_deeper_is_not() -> None:
    assert list(fields(nested(MAX_DEPTH))) == ["a"]
    with pytest.raises(BadRequest, match="deeper than 64"):
        fields(nested(MAX_DEPTH + 1))


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'[{"a":', b"}]"), (b'{"a":[', b"]}")])
def test_levels_of_either_kind_count_alike(opening: bytes, closing: bytes) -> None:
    pairs = (MAX_DEPTH - 2) // len(opening.translate(None, b'"a:'))
    assert list(fields(b'{"a":' + opening * pairs + b"[]" + closing * pairs + b"}")) == ["a"]
    with pytest.raises(BadRequest, match="deeper than 64"):
        fields(b'{"a":' + opening * pairs + b"[[]]" + closing * pairs + b"}")


@pytest.mark.parametrize(("depth", "said"), [(1000, "deeper than 64"), (100_000, "objects and arrays")])
def test_very_deep_bodies_are_refused_without_recursion(depth: int, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        fields(b'{"a":' + b"[" * depth + b"]" * depth + b"}")


def test_brackets_in_strings_are_no_structure() -> None:
    text = json.dumps({"a": "[" * 500 + '\\"' + "{" * 500 + "\\", "b": '"'}).encode()
    assert set(fields(text)) == {"a", "b"}


def test_very_many_containers_are_refused() -> None:
    with pytest.raises(BadRequest, match="objects and arrays"):
        fields(b'{"a":[' + b"[]," * MAX_CONTAINERS + b"[]]}" + b" " * MAX_CONTAINERS * BYTES)


@pytest.mark.parametrize("room", [0, 6_000_000])
def test_as_many_containers_as_there_is_text_for(room: int) -> None:
    def body(containers: int) -> bytes:
        return b'{"a":[' + b",".join([b"{}"] * containers) + b'],"b":"' + b"x" * room + b'"}'

    allowed = CONTAINERS
    for _ in range(40):  # more of them are more text, and so allow a few more: this settles
        allowed = CONTAINERS + len(body(allowed)) // BYTES - 2
    assert set(fields(body(allowed))) == {"a", "b"}
    with pytest.raises(BadRequest, match=f"more than {CONTAINERS + len(body(allowed + 1)) // BYTES} objects"):
        fields(body(allowed + 1))


def test_a_body_has_so_many_keys_and_no_more_however_many_are_inside() -> None:
    inside = b'{"a:[{":' + b",".join(b'{"":0}' for _ in range(5)).join((b"[", b"]")) + b"}"
    members = [b'"\\"%d":%b' % (number, inside) for number in range(MAX_KEYS)]
    assert len(fields(b"{" + b",".join(members[: MAX_KEYS // 8]) + b"}")) == MAX_KEYS // 8
    flat = [b'"%d:{":0' % number for number in range(MAX_KEYS + 1)]
    assert len(fields(b" {" + b",".join(flat[:MAX_KEYS]) + b"}")) == MAX_KEYS
    with pytest.raises(BadRequest, match=f"more than {MAX_KEYS} keys"):
        fields(b" {" + b",".join(flat) + b"}")
    nested = b'{"a":{' + b",".join(flat) + b"}}"
    assert list(fields(nested)) == ["a"]


@pytest.mark.parametrize("at", [6, (1 << 20) - 2, (1 << 20) - 1, 1 << 20, (1 << 20) + 5])
@pytest.mark.parametrize("bad", [b"\xff", b"\xe2\x82", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf"])
def test_not_utf_8_wherever_it_stands(at: int, bad: bytes) -> None:
    good = b'{"a":"' + b"x" * (at - 6)
    with pytest.raises(BadRequest, match=f"not UTF-8 at byte {at};"):
        fields(good + bad + b'xx"}')
    assert list(fields(good + "€\U0001f600".encode() + b'"}')) == ["a"]


def test_a_character_that_breaks_off_at_the_end() -> None:
    with pytest.raises(BadRequest, match="not UTF-8 at byte 6;"):
        fields(b'{"a":"\xe2\x82')


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
