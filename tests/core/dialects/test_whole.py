import pytest
from msgspec import Raw

from core.dialects.whole import changed, collected, events
from core.grammar import DONE, Grammar
from core.messages import Block, BlockDelta, Response, StreamEvent, Usage

ANSWER = Response(
    id="msg_1",
    model="m",
    content=[
        Block(type="thinking", thinking="so", signature="sig"),
        Block(type="text", text="hello"),
        Block(type="redacted_thinking", data="dark"),
        Block(type="tool_use", id="call_1", name="get", input=Raw(b'{"a": 1}')),
        Block(type="tool_use", id="call_2", name="now", input=Raw(b"{}")),
        Block(type="web_search_tool_result", tool_use_id="srv_1"),
        Block(type="text", text=""),
    ],
    stop_reason="tool_use",
    usage=Usage(input=3, output=4),
)


@pytest.mark.parametrize("piece", [0, 1, 3])
def test_an_answer_is_the_same_after_both_ways(piece: int) -> None:
    grammar, stream = Grammar(), events(ANSWER, piece)
    for event in stream:
        grammar.check(event)
    assert grammar.state == DONE
    assert collected(stream) == ANSWER


def test_a_call_without_arguments_has_an_empty_object() -> None:
    stream = [event for event in events(ANSWER) if not (isinstance(event, BlockDelta) and event.data == "{}")]
    assert bytes(collected(stream).content[4].input) == b"{}"


class _Loud:
    def take(self, event: StreamEvent) -> list[StreamEvent]:
        if isinstance(event, BlockDelta) and event.kind == "text":
            return [BlockDelta(event.index, "text", event.data.upper()), BlockDelta(event.index, "text", "!")]
        return [event]


def test_changes_are_made_one_after_the_other() -> None:
    assert changed(ANSWER, [_Loud(), _Loud()]).content[1].text == "HELLO!!!"
    assert ANSWER.content[1].text == "hello"
    assert changed(ANSWER, []) is ANSWER
