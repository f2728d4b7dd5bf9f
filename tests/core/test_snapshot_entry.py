from typing import Any

import msgspec
import pytest
from facts import settings, snapshot

from core.snapshot_entry import WITHHELD, Entry, bare, settings_of, suspicious, why_other

DIGEST = "ab" * 32


def entry(**fields: Any) -> Entry:
    return Entry(**{"digest": DIGEST, "parts": dict(snapshot().parts), "engine": "e", "settings": {}, **fields})


def test_its_name_says_what_it_is_and_not_when_it_served() -> None:
    one = entry(note="x", last_ms=5, served_ms=4, saved_ms=3, by_hand=True)
    assert (one.id, len(one.key), one.name) == (DIGEST[:12], 8, f"{DIGEST[:12]}.{one.key}")
    assert one.key == entry().key
    for other in ({"settings": {"a": 1}}, {"config": "c"}, {"taxonomy": {"a.md": "x"}}, {"plugins": {"a.wat": "x"}}):
        assert entry(**other).key != one.key


def test_it_is_the_same_after_it_was_written() -> None:
    one = entry(taxonomy={"b.md": "1", "a.md": "2"}, config="3", plugins={"x.wat": "4"})
    again = msgspec.json.decode(msgspec.json.encode(one), type=Entry)
    assert again == one
    assert again.key == one.key
    assert one.objects == {"1", "2", "3", "4"}


def test_settings_come_out_as_they_were_given() -> None:
    given = settings(default="openai,gpt-5")
    one = entry(settings=given.model_dump(mode="json", exclude_unset=True), simulated=given.simulated)
    again = settings_of(one)
    assert again == given
    assert again.model_dump(exclude_unset=True) == given.model_dump(exclude_unset=True)


@pytest.mark.parametrize(
    ("named", "left"),
    [
        ({"env": "OPENAI_API_KEY"}, True),
        ({"env": "sk-abcdefgh12345678"}, False),
        ({"file": "/run/secrets/key-0123456789"}, True),
        ({"file": "sk-abcdefgh12345678"}, False),
        ({"env": "sk-abcdefgh12345678", "other": 1}, True),
    ],
)
def test_what_may_be_a_key_is_left_out(named: dict[str, Any], left: bool) -> None:
    table = {"a": [{"b": named}], "c": "sk-abcdefgh12345678"}
    assert bare(table)["a"] == [{"b": named if left else {"env": WITHHELD}}]
    assert bare(table)["c"] == table["c"]
    assert suspicious(table) is not left


def test_why_it_is_another_one_is_said() -> None:
    shot, parts = snapshot(), dict(snapshot().parts)
    other = parts | {"code": "0.0.1 x", "rules": "r", "catalogue": "c", "vocabularies": "v"}
    assert "saved by version 0.0.1 x" in why_other(entry(parts=other), shot, "e")
    del other["code"]
    assert why_other(entry(parts=other), shot, "f") == "its rules ran on e, here is f: install that version of wasmtime"
    assert why_other(entry(parts=other), shot, "e").startswith("the model catalogue and the vocabularies came with")
    assert why_other(entry(parts=parts | {"taxonomy": "t"}), shot, "e").startswith("taxonomy came out differently")
    assert why_other(entry(parts=parts), shot, "e").startswith("its parts came out differently")
