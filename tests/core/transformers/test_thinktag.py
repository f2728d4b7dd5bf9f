"""Thinking between tags, in whatever pieces the text comes."""

from hypothesis import given
from hypothesis import strategies as st

from core.dialects.whole import collected, through
from core.grammar import Grammar
from core.messages import (
    Block,
    BlockDelta,
    BlockStart,
    BlockStop,
    MessageDelta,
    MessageStart,
    MessageStop,
    StreamEvent,
    Usage,
)
from core.transformers.thinktag import ThinkTag

PARTS = st.lists(
    st.sampled_from(["<think>", "</think>", "<", "</", "think", ">", " ", "\n", "a", "b c", "é"]), max_size=9
)


def answer(pieces: list[str], *, call: bool = False) -> list[StreamEvent]:
    """One text in these pieces, perhaps followed by a call."""
    tool: list[StreamEvent] = [BlockStart(1, Block(type="tool_use", id="t", name="f")), BlockStop(1)] if call else []
    text: list[StreamEvent] = [BlockDelta(0, "text", piece) for piece in pieces]
    end: list[StreamEvent] = [MessageDelta("tool_use" if call else "end_turn", None, Usage()), MessageStop()]
    start: list[StreamEvent] = [MessageStart("m", "x", Usage()), BlockStart(0, Block(type="text"))]
    return [*start, *text, BlockStop(0), *tool, *end]


def seen(pieces: list[str], *, inside: bool = False, call: bool = False) -> list[tuple[str, str]]:
    """Type and text of each block, of a stream that is shown to be legal."""
    grammar = Grammar()
    events = through([ThinkTag("think", inside=inside)], answer(pieces, call=call))
    for event in events:
        grammar.check(event)
    assert grammar.state == "DONE"
    return [(block.type, block.text or block.thinking) for block in collected(events).content]


@given(PARTS, st.booleans())
def test_the_pieces_make_no_difference(parts: list[str], inside: bool) -> None:
    text = "".join(parts)
    whole = seen([text], inside=inside)
    assert seen(list(text), inside=inside) == whole
    assert seen(parts, inside=inside) == whole


@given(PARTS)
def test_nothing_but_the_tags_and_the_space_beside_them_is_lost(parts: list[str]) -> None:
    text = "".join(parts)
    before, opened, rest = text.partition("<think>")
    thinking, closed, after = rest.partition("</think>")
    expected = (
        text if not opened else before.rstrip() + (thinking.strip() if closed else thinking.lstrip()) + after.lstrip()
    )
    assert "".join(said for _, said in seen([text])) == expected


@given(PARTS)
def test_a_call_stays(parts: list[str]) -> None:
    assert seen(parts, call=True)[-1] == ("tool_use", "")


def test_each_part_is_what_it_is() -> None:
    assert seen(["a <think> b </think> c <think>"]) == [("text", "a"), ("thinking", "b"), ("text", "c <think>")]
    assert seen(["b</think>c"], inside=True) == [("thinking", "b"), ("text", "c")]
