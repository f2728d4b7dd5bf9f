"""Random neutral streams: legal by construction, with every block type and delta that all parts can write."""

import json
from collections.abc import Sequence

from hypothesis import strategies as st

from core.messages import (
    Block,
    BlockDelta,
    BlockStart,
    BlockStop,
    MessageDelta,
    MessageStart,
    MessageStop,
    Ping,
    StreamEvent,
    Usage,
)

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
TOKENS = st.integers(0, 1_000_000)
USAGES = st.builds(Usage, input=TOKENS, output=TOKENS, cache_read=TOKENS, cache_write=TOKENS)
ARGUMENTS = st.dictionaries(WORDS, WORDS | st.integers() | st.lists(WORDS, max_size=2), max_size=3)


@st.composite
def blocks(draw: st.DrawFn, index: int) -> list[StreamEvent]:
    kind = draw(st.sampled_from(["text", "thinking", "tool_use"]))
    if kind == "tool_use":
        block = Block(type=kind, id=f"call_{index}", name=draw(st.sampled_from(["Read", "mcp__a__b"])))
        whole = json.dumps(draw(ARGUMENTS), ensure_ascii=draw(st.booleans()))
        cut = draw(st.integers(0, len(whole)))
        pieces = [BlockDelta(index, "input_json", piece) for piece in (whole[:cut], whole[cut:]) if piece]
    elif kind == "thinking":
        block = Block(type=kind, signature="")
        pieces = [BlockDelta(index, "thinking", text) for text in draw(st.lists(WORDS, min_size=1, max_size=3))]
    else:
        block = Block(type=kind)
        pieces = [BlockDelta(index, "text", text) for text in draw(st.lists(WORDS, min_size=1, max_size=3))]
    return [BlockStart(index, block), *pieces, BlockStop(index)]


@st.composite
def streams(draw: st.DrawFn, reasons: Sequence[str] = ("end_turn", "max_tokens", "refusal")) -> list[StreamEvent]:
    """A whole stream. Neighbouring blocks differ in type: only Anthropic can tell two texts in a row from one."""
    body: list[StreamEvent] = []
    index, last, tool_used = 0, "", False
    for _ in range(draw(st.integers(0, 5))):
        block = draw(blocks(index))
        opened = block[0]
        assert isinstance(opened, BlockStart)
        kind = opened.block.type
        if kind == last and kind != "tool_use":
            continue
        tool_used |= kind == "tool_use"
        body += block
        if draw(st.booleans()):
            body.append(Ping())
        index, last = index + 1, kind
    reason = "tool_use" if tool_used else draw(st.sampled_from(reasons))
    usage = draw(USAGES)
    return [MessageStart("msg_1", "model-x", Usage()), *body, MessageDelta(reason, None, usage), MessageStop()]
