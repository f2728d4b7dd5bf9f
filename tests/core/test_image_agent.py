"""The agent's plan and the surgery of its turns, without a provider."""

from typing import Any

import msgspec
import pytest
from asked_images import NESTED, TEXT, image, request
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from neutral import streams

from core.grammar import Grammar
from core.image_agent import MAX_TASK, TOOL, Question, Surgery, following, plan, question, request_about
from core.messages import Block, BlockDelta, BlockStart, MessageDelta, Source, StreamEvent, Tool, Usage


def call(name: str = TOOL, **arguments: Any) -> Block:
    return Block(type="tool_use", id="c1", name=name, input=Raw(msgspec.json.encode(arguments)))


def test_each_image_is_named_once_and_nothing_of_it_is_sent() -> None:
    made = plan(request([TEXT, image("http://a/1")], [NESTED, image("http://a/1")]))
    first, second = (message.content for message in made.request.messages)
    assert [block.text for block in first] == ["look", "[Image #1]"]
    assert isinstance(second[0].content, list)
    assert [block.text for block in second[0].content] == ["x", "[Image #2]"]
    assert second[1].text == "[Image #1]"
    assert [source.url for source in made.images] == ["http://a/1", "http://b/2"]
    assert made.request.stream


def test_the_client_s_tool_of_that_name_keeps_it() -> None:
    asked = msgspec.structs.replace(request([image("http://a/1")]), tools=[Tool(name=TOOL), Tool(name=f"{TOOL}_2")])
    made = plan(asked)
    assert made.tool == f"{TOOL}_3"
    assert [tool.name for tool in made.request.tools] == [TOOL, f"{TOOL}_2", f"{TOOL}_3"]
    assert made.tool in made.request.system[-1].text
    assert len(asked.tools) == 2
    assert asked.system == []


@pytest.mark.parametrize("number", ["2", 2, " #2 ", "Image #2", "[Image #2]", "[image 2]"])
def test_an_image_is_asked_for_by_its_number(number: object) -> None:
    assert question(call(imageId=number, task=" why? "), 2) == Question("c1", 1, "why?")


@pytest.mark.parametrize("number", ["0", "3", "", "x2", "2; rm", -1, "٢" * 40, "1" * 9999])
def test_another_number_is_told_what_there_is(number: object) -> None:
    assert question(call(imageId=number, task="t"), 2).wrong.endswith("a number from 1 to 2.")


def test_a_call_without_sense_is_answered_too() -> None:
    assert question(call(imageId=None), 2).wrong
    assert question(Block(type="tool_use", id="c", name=TOOL, input=Raw(b"[1]")), 2).wrong
    assert question(call(imageId=1), 1).task.startswith("Describe")
    assert len(question(call(imageId=1, task="x" * 99_999), 1).task) == MAX_TASK


def test_the_image_target_gets_the_image_and_the_question_and_nothing_else() -> None:
    asked = request_about(Source(type="url", url="http://a/1"), "which?")
    assert [block.type for block in asked.messages[0].content] == ["image", "text"]
    assert (asked.messages[0].content[1].text, asked.tools, asked.stream) == ("which?", [], False)
    assert asked.tokens > 1000


def test_the_next_turn_has_the_last_one_and_what_was_seen() -> None:
    asked = plan(request([image("http://a/1")])).request
    more = following(asked, [call()], {"c1": ("red", False), "c2": ("no", True)}).messages
    assert [message.role for message in more] == ["user", "assistant", "user"]
    assert [(b.tool_use_id, b.content, b.is_error) for b in more[2].content] == [
        ("c1", "red", None),
        ("c2", "no", True),
    ]
    assert len(asked.messages) == 1


def with_agents_calls(stream: list[StreamEvent]) -> list[StreamEvent]:
    """The same stream with every other of its tools being the agent's."""
    for number, event in enumerate(stream):
        if isinstance(event, BlockStart) and event.block.type == "tool_use" and number % 2:
            event.block.name = TOOL
    return stream


@given(st.lists(streams(), min_size=1, max_size=4))
def test_any_turns_make_one_legal_answer_without_the_agent_s_calls(turns: list[list[StreamEvent]]) -> None:
    surgery, grammar, given_out = Surgery(TOOL), Grammar(), list[StreamEvent]()
    used, words = Usage(), ""
    for turn in turns:
        surgery.begin()
        for event in with_agents_calls(turn):
            words += event.data if isinstance(event, BlockDelta) and event.kind == "text" else ""
            used = used.plus(event.usage) if isinstance(event, MessageDelta) else used
            given_out += surgery.take(event)
        if surgery.client_called:
            break
    given_out += surgery.end()
    for event in given_out:
        grammar.check(event)
    assert grammar.state == "DONE"
    assert not any(isinstance(event, BlockStart) and event.block.name == TOOL for event in given_out)
    heard = (event.data for event in given_out if isinstance(event, BlockDelta) and event.kind == "text")
    assert "".join(heard) == words
    [ending] = [event for event in given_out if isinstance(event, MessageDelta)]
    assert ending.usage == used
