"""Whole answers: the decoder has wrapped broken arguments before the change sees them."""

import json
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from core.dialects import PROVIDERS
from core.dialects.whole import changed
from core.exchange import Candidate, Target
from core.messages import Message, Request, Tool
from core.transformers import Facts, chain


def mended(arguments: str, schema: bytes = b"{}") -> Any:
    """The input of a call in a whole answer with these arguments."""
    call = {"id": "t", "type": "function", "function": {"name": "f", "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    body = {"id": "c", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    response = PROVIDERS["openai"].decode_response(json.dumps(body).encode())
    request = Request(
        dialect="openai",
        raw=b"{}",
        model="m",
        messages=[Message(role="user", content=[])],
        tools=[Tool(name="f", input_schema=Raw(schema))],
    )
    changes = chain(["enhancetool"]).changes(Facts("openai", request, Candidate(Target("p", "m"))))
    [block] = changed(response, changes).content
    return msgspec.json.decode(block.input)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"a": 1}', {"a": 1}),
        ("{a: 'x',}", {"a": "x"}),
        ('{"a": "cut', {"a": "cut"}),
        ("no arguments at all", {}),
        ("", {}),
        ('{"arguments": "{a: 1}", "b": 2}', {"arguments": "{a: 1}", "b": 2}),
        ('{"arguments": 1}', {"arguments": 1}),
    ],
)
def test_broken_arguments_of_a_whole_answer_are_mended(arguments: str, expected: Any) -> None:
    assert mended(arguments) == expected


def test_a_tools_own_parameter_of_that_name_is_left_alone() -> None:
    schema = b'{"type":"object","properties":{"arguments":{"type":"string"}}}'
    assert mended('{"arguments": "{a: 1}"}', schema) == {"arguments": "{a: 1}"}
