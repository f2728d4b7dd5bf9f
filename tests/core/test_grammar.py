import itertools

import pytest

from core.grammar import DONE, FAILED, KINDS, TABLE, Grammar, GrammarViolation, Order, diagram
from core.messages import (
    Block,
    BlockDelta,
    BlockStart,
    BlockStop,
    MessageDelta,
    MessageStart,
    MessageStop,
    Ping,
    StreamError,
    StreamEvent,
    Usage,
)

START = MessageStart("m", "x", Usage())
TEXT = BlockStart(0, Block(type="text"))
TOOL = BlockStart(0, Block(type="tool_use", id="t", name="f"))
END = MessageDelta("end_turn", None, Usage())
WHOLE: list[StreamEvent] = [START, TEXT, BlockDelta(0, "text", "a"), BlockStop(0), END, MessageStop()]


def run(events: list[StreamEvent]) -> Grammar:
    grammar = Grammar()
    for event in events:
        grammar.check(event)
    return grammar


def test_a_whole_message_is_legal() -> None:
    assert run(WHOLE).state == DONE


@pytest.mark.parametrize("at", range(len(WHOLE)))
def test_a_ping_is_legal_anywhere_before_the_end(at: int) -> None:
    assert run([*WHOLE[:at], Ping(), *WHOLE[at:]]).state == DONE


@pytest.mark.parametrize("at", range(len(WHOLE)))
def test_an_error_ends_a_stream_anywhere(at: int) -> None:
    grammar = run([*WHOLE[:at], StreamError("api_error", "x")])
    assert grammar.state == FAILED
    with pytest.raises(GrammarViolation, match="expected nothing"):
        grammar.check(Ping())


@pytest.mark.parametrize("at", range(len(WHOLE)))
def test_no_event_may_be_left_out_or_doubled(at: int) -> None:
    # A block may be empty, so its delta may be left out and doubled.
    if isinstance(WHOLE[at], BlockDelta):
        return
    for wrong in (WHOLE[:at] + WHOLE[at + 1 :], WHOLE[: at + 1] + WHOLE[at:]):
        try:
            ended = run(wrong).state == DONE
        except GrammarViolation:
            ended = False
        assert not ended


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([START, BlockStart(1, Block(type="text"))], "index 1 where 0 is due"),
        ([START, TEXT, BlockDelta(1, "text", "a")], "index 1 where 0 is due"),
        ([START, TEXT, BlockStop(1)], "index 1 where 0 is due"),
        ([START, TEXT, BlockStop(0), TEXT], "index 0 where 1 is due"),
        ([START, TEXT, BlockDelta(0, "input_json", "{")], "input_json delta in a text block"),
        ([START, TOOL, BlockDelta(0, "text", "a")], "text delta in a tool_use block"),
        ([START, TEXT, BlockStart(1, Block(type="text"))], "expected ping, block_delta"),
        ([START, END, END], "a second message_delta"),
        ([START, MessageDelta("tool_use", None, Usage())], "without a tool_use block"),
        ([START, TOOL, BlockStop(0), END], "end_turn after a tool_use block"),
    ],
)
def test_what_is_illegal_is_named(events: list[StreamEvent], why: str) -> None:
    with pytest.raises(GrammarViolation, match=why):
        run(events)


def test_a_violation_says_state_and_event() -> None:
    with pytest.raises(GrammarViolation) as caught:
        run([START, MessageStop()])
    assert (caught.value.state, caught.value.event) == ("OPEN", "message_stop")


def test_a_call_cut_by_max_tokens_is_legal() -> None:
    assert run([START, TOOL, BlockStop(0), MessageDelta("max_tokens", None, Usage()), MessageStop()]).state == DONE


def test_blocks_of_unknown_types_may_have_any_delta() -> None:
    run([START, BlockStart(0, Block(type="future")), BlockDelta(0, "text", "a")])


def test_order_and_grammar_agree_on_every_short_sequence() -> None:
    """The guard of passed-through streams is the same table."""
    for kinds in itertools.product(set(KINDS.values()), repeat=3):
        order, state = Order(), "START"
        for kind in kinds:
            if kind not in TABLE[state]:
                with pytest.raises(GrammarViolation):
                    order.step(kind)
                break
            order.step(kind)
            state = TABLE[state][kind]
            assert order.state == state


def test_the_diagram_draws_every_transition_of_the_table() -> None:
    drawn = diagram()
    for state, row in TABLE.items():
        lines = [line.split() for line in drawn.splitlines() if line.startswith(f"{state} ")]
        assert [(line[1], line[3]) for line in lines if "->" in line] == list(row.items())
