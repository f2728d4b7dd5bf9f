from msgspec import Raw

from core.dialects.blocks import Blocks
from core.messages import Block, BlockDelta, BlockStart, BlockStop


def test_pieces_of_one_kind_are_one_block() -> None:
    blocks = Blocks()
    assert blocks.add_text("text", "a") == [BlockStart(0, Block(type="text")), BlockDelta(0, "text", "a")]
    assert blocks.add_text("text", "") == []
    assert blocks.add_text("text", "b") == [BlockDelta(0, "text", "b")]
    assert blocks.close() == [BlockStop(0)]
    assert blocks.close() == []
    assert not blocks.tool_used


def test_another_kind_closes_the_open_block() -> None:
    blocks = Blocks()
    blocks.add_text("thinking", "hm")
    assert blocks.add_text("text", "a")[:2] == [BlockStop(0), BlockStart(1, Block(type="text"))]
    assert blocks.add_call("c1", "get", Raw(b'{"a":1}')) == [
        BlockStop(1),
        BlockStart(2, Block(type="tool_use", id="c1", name="get")),
        BlockDelta(2, "input_json", '{"a":1}'),
        BlockStop(2),
    ]
    assert blocks.tool_used
    assert blocks.add_text("text", "b")[0] == BlockStart(3, Block(type="text"))
