"""Reasoning entries that come in pieces, and go back as they were."""

from core.dialects.openai_reasoning import Details, blocks_of, returned
from core.messages import Block


def test_an_entry_whose_signature_came_late_goes_back_once() -> None:
    details = Details()
    details.add([{"type": "reasoning.text", "text": "Hm.", "index": 0}])
    first = details.take("Hm.")
    details.add([{"type": "reasoning.text", "signature": "S", "index": 0}])
    late = details.take()
    thought = Block(type="thinking", thinking="Hm.", signature=f"tp1.p.{first}")
    blocks = [thought, Block(type="redacted_thinking", data=f"tp1.p.{late}")]
    assert returned(blocks, "p") == [{"type": "reasoning.text", "text": "Hm.", "index": 0, "signature": "S"}]
    assert returned(blocks, "other") == []


def test_encrypted_entries_of_one_index_stay_apart() -> None:
    details = Details()
    entries = [{"type": "reasoning.encrypted", "data": data, "index": 0} for data in ("a", "b")]
    details.add(entries)
    assert returned([Block(type="redacted_thinking", data=f"tp1.p.{details.take()}")], "p") == entries


def test_what_entries_say_again_is_read_once() -> None:
    entry = {"type": "reasoning.text", "text": "Hm.", "signature": "S"}
    assert [(block.thinking, block.signature) for block in blocks_of([entry], "Hm.")] == [("Hm.", "S")]
    hidden = {"type": "reasoning.encrypted", "data": "E"}
    assert [block.type for block in blocks_of([hidden], "Hm.")] == ["thinking", "redacted_thinking"]
