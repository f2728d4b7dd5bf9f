import json
from typing import Any

import pytest
from msgspec import Raw

from core.dialects.loopback import Facts, answer, events
from core.grammar import DONE, Grammar
from core.messages import BlockDelta, Message, MessageDelta, Request, Response, Tool, ToolChoice

FACTS = Facts("req_1", "pattern", "concept:plan_mode", "deepseek", "deepseek-reasoner", input_tokens=12)
SCHEMA = Raw(b'{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}')
TOOLS = [Tool(name="web_search", type="web_search_20250305"), Tool(name="get", input_schema=SCHEMA)]


def ask(**fields: Any) -> Response:
    messages = [Message(role="user", content=[])]
    return answer(Request(dialect="anthropic", raw=b"{}", model="m", messages=messages, **fields), FACTS)


def test_the_answer_says_how_the_request_was_routed() -> None:
    response = ask()
    text = response.content[0].text
    for fact in ("Simulated", "deepseek,deepseek-reasoner", "pattern", "concept:plan_mode"):
        assert fact in text
    assert (response.model, response.stop_reason, response.usage.input) == ("deepseek-reasoner", "end_turn", 12)
    assert response.usage.output == -(-len(text) // 4)


@pytest.mark.parametrize("choice", [ToolChoice(type="any"), ToolChoice(type="tool", name="get")])
def test_a_forced_tool_is_called_with_an_instance_of_its_schema(choice: ToolChoice) -> None:
    response = ask(tools=TOOLS, tool_choice=choice)
    call = response.content[0]
    assert (call.type, call.name, response.stop_reason) == ("tool_use", "get", "tool_use")
    assert json.loads(bytes(call.input)) == {"city": "example"}


def test_a_tool_that_is_merely_offered_is_not_called() -> None:
    assert ask(tools=TOOLS, tool_choice=ToolChoice(type="auto")).content[0].type == "text"


def test_a_structured_answer_is_an_instance_of_its_schema() -> None:
    assert json.loads(ask(answer_schema=SCHEMA).content[0].text) == {"city": "example"}


def test_max_tokens_cuts_the_answer() -> None:
    response = ask(max_tokens=3)
    assert (response.stop_reason, response.usage.output, len(response.content[0].text)) == ("max_tokens", 3, 12)


@pytest.mark.parametrize("fields", [{}, {"tools": TOOLS, "tool_choice": ToolChoice(type="any")}, {"max_tokens": 1}])
def test_the_stream_is_legal_and_says_the_same(fields: dict[str, Any]) -> None:
    response = ask(**fields)
    grammar, stream = Grammar(), events(response)
    for event in stream:
        grammar.check(event)
    assert grammar.state == DONE
    whole = "".join(event.data for event in stream if isinstance(event, BlockDelta))
    assert whole == (response.content[0].text or bytes(response.content[0].input).decode())
    assert MessageDelta(response.stop_reason, None, response.usage) in stream


def test_the_same_request_id_gives_the_same_answer_and_another_another_id() -> None:
    assert ask() == ask()
    other = answer(Request(dialect="openai", raw=b"", model="", messages=[]), Facts("req_2", "", "", "", ""))
    assert other.id != ask().id
