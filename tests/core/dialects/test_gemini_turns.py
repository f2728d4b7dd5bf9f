import json
from typing import Any

import pytest

from core.dialects import CLIENTS, PROVIDERS
from core.dialects.gemini_carried import STAND_IN
from core.dialects.sealing import seal
from core.exchange import Candidate, Target

NEW, OLD = "gemini-3-flash", "gemini-2.5-flash"


def asked(model: str = NEW, **fields: Any) -> Any:
    """The body for an Anthropic request."""
    given = {"model": "m", "max_tokens": 1000, "messages": [{"role": "user", "content": "hi"}]} | fields
    request = CLIENTS["anthropic"].decode_request(json.dumps(given).encode())
    return json.loads(PROVIDERS["gemini"].encode_request(request, Candidate(Target("p", model))))


def call(id: str = "c1", name: str = "f") -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": name, "input": {"a": 1}}


def result(id: str = "c1", **fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id, "content": "r"} | fields


def told(model: str = NEW, *turns: Any) -> list[Any]:
    """The contents for turns of an Anthropic client, the user's first."""
    roles = ("user", "assistant")
    messages = [{"role": roles[number % 2], "content": turn} for number, turn in enumerate(turns)]
    contents: list[Any] = asked(model, messages=messages)["contents"]
    return contents


def test_calls_and_results_stand_together_in_one_order() -> None:
    contents = told(
        NEW, "go", [call("a", "f"), call("b", "g")], [{"type": "text", "text": "also"}, result("b"), result("a")]
    )
    assert contents[1]["parts"] == [
        {"functionCall": {"id": "a", "name": "f", "args": {"a": 1}}, "thoughtSignature": STAND_IN},
        {"functionCall": {"id": "b", "name": "g", "args": {"a": 1}}},
    ]
    assert contents[2]["parts"] == [
        {"functionResponse": {"id": "a", "name": "f", "response": {"output": "r"}}},
        {"functionResponse": {"id": "b", "name": "g", "response": {"output": "r"}}},
        {"text": "also"},
    ]


def test_chat_results_of_several_messages_are_one_turn() -> None:
    function = {"type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": None, "tool_calls": [function | {"id": "a"}, function | {"id": "b"}]},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "user", "content": "and?"},
    ]
    request = CLIENTS["openai"].decode_request(json.dumps({"model": "m", "messages": messages}).encode())
    contents = json.loads(PROVIDERS["gemini"].encode_request(request, Candidate(Target("p", OLD))))["contents"]
    assert [turn["role"] for turn in contents] == ["user", "model", "user"]
    assert [next(iter(part)) for part in contents[2]["parts"]] == ["functionResponse", "functionResponse", "text"]


def test_a_call_without_its_result_and_a_result_without_its_call_are_told() -> None:
    contents = told(NEW, "go", [call("a"), call("b")], [result("b"), result("z"), result("b", content="again")])
    assert contents[1]["parts"][0] == {"text": '[f was called with {"a": 1}, and gave no result]'}
    assert contents[1]["parts"][1]["functionCall"]["id"] == "b"
    assert [next(iter(part)) for part in contents[2]["parts"]] == ["functionResponse", "text", "text"]
    assert contents[2]["parts"][2] == {"text": "[the result of a tool call that is not shown: again]"}


def test_a_failed_tool_and_one_that_gave_nothing() -> None:
    contents = told(OLD, "go", [call("a"), call("b")], [result("a", is_error=True), result("b", content=[])])
    responses = [part["functionResponse"]["response"] for part in contents[2]["parts"]]
    assert responses == [{"error": "r"}, {"output": ""}]


PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
INLINE = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}


def test_pictures_in_results_stand_in_them_where_the_model_takes_them() -> None:
    turns = ("go", [call("a")], [result("a", content=[{"type": "text", "text": "see"}, PICTURE])])
    (new,) = told(NEW, *turns)[2]["parts"]
    assert new["functionResponse"]["parts"] == [INLINE]
    response, text, picture = told(OLD, *turns)[2]["parts"]
    assert response["functionResponse"]["response"] == {"output": "see"}
    assert (text["text"], picture) == ("What f gave besides (a):", INLINE)


@pytest.mark.parametrize(
    ("source", "part"),
    [
        (
            {"type": "url", "url": "https://x/a.webp?q=1"},
            {"fileData": {"mimeType": "image/webp", "fileUri": "https://x/a.webp?q=1"}},
        ),
        ({"type": "url", "url": "https://x/a"}, {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://x/a"}}),
    ],
)
def test_a_picture_by_its_address(source: Any, part: Any) -> None:
    assert told(NEW, [{"type": "image", "source": source}])[0]["parts"] == [part]


def test_documents() -> None:
    pdf = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="}}
    url = {"type": "document", "source": {"type": "url", "url": "https://x/a"}}
    text = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}}
    assert told(NEW, [pdf, url, text])[0]["parts"] == [
        {"inlineData": {"mimeType": "application/pdf", "data": "AA=="}},
        {"fileData": {"mimeType": "application/pdf", "fileUri": "https://x/a"}},
        {"text": "words"},
    ]


def test_a_conversation_begins_with_the_user_and_alternates() -> None:
    messages = [
        {"role": "assistant", "content": "I"},
        {"role": "assistant", "content": "say"},
        {"role": "user", "content": "a"},
        {"role": "system", "content": "mind"},
        {"role": "user", "content": []},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": ""}]},
        {"role": "user", "content": "b"},
    ]
    contents = asked(messages=messages)["contents"]
    assert [(turn["role"], [part["text"] for part in turn["parts"]]) for turn in contents] == [
        ("user", ["Continue."]),
        ("model", ["I", "say"]),
        ("user", ["a", "<system-reminder>\nmind\n</system-reminder>", "b"]),
    ]


def test_instructions_alone_are_the_user_s_turn() -> None:
    body = {"model": "m", "messages": [{"role": "system", "content": "be brief"}]}
    request = CLIENTS["openai"].decode_request(json.dumps(body).encode())
    wire = json.loads(PROVIDERS["gemini"].encode_request(request, Candidate(Target("p", NEW))))
    assert (wire["contents"], "systemInstruction" in wire) == (
        [{"role": "user", "parts": [{"text": "be brief"}]}],
        False,
    )


def redacted(payload: str, provider: str = "p") -> dict[str, Any]:
    return {"type": "redacted_thinking", "data": seal(provider, payload)}


def thinking(payload: str, provider: str = "p") -> dict[str, Any]:
    return {"type": "thinking", "thinking": "hm", "signature": seal(provider, payload)}


def model_parts(*content: Any, model: str = NEW) -> list[Any]:
    ids = [block["id"] for block in content if block["type"] == "tool_use"]
    parts: list[Any] = told(model, "go", list(content), [result(id) for id in ids] or "go on")[1]["parts"]
    return parts


WORDS = {"type": "text", "text": "a"}


@pytest.mark.parametrize(
    ("content", "signatures"),
    [
        ([thinking("call.c1.S"), call()], {"c1": "S"}),
        ([redacted("call.c1.S"), WORDS, call()], {"c1": "S"}),
        ([redacted("call.c2.T"), redacted("call.c1.S"), call(), call("c2")], {"c1": "S", "c2": "T"}),
        ([call(), call("c2")], {"c1": STAND_IN, "c2": None}),
        ([redacted("call.c2.T"), call(), call("c2")], {"c1": STAND_IN, "c2": "T"}),
        ([redacted("call.c1.S", provider="other"), call()], {"c1": STAND_IN}),
        ([redacted("call.c1."), redacted("call.c1"), redacted("x.c1.S"), redacted(""), call()], {"c1": STAND_IN}),
        ([{"type": "redacted_thinking", "data": "call.c1.S"}, call()], {"c1": STAND_IN}),
    ],
)
def test_a_call_gets_its_signature_back_or_the_stand_in(content: list[Any], signatures: dict[str, Any]) -> None:
    calls = [part for part in model_parts(*content) if "functionCall" in part]
    assert {part["functionCall"]["id"]: part.get("thoughtSignature") for part in calls} == signatures


def test_earlier_models_get_no_stand_in() -> None:
    assert "thoughtSignature" not in model_parts(call(), model=OLD)[0]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([WORDS, redacted("text.S")], [{"text": "a", "thoughtSignature": "S"}]),
        ([WORDS, redacted("tail.S")], [{"text": "a"}, {"text": "", "thoughtSignature": "S"}]),
        (
            [WORDS, redacted("text.S"), redacted("text.T"), {"type": "text", "text": "b"}],
            [{"text": "a", "thoughtSignature": "S"}, {"text": "b", "thoughtSignature": "T"}],
        ),
        # as chat clients send them: reasoning first
        ([redacted("text.S"), WORDS], [{"text": "a", "thoughtSignature": "S"}]),
        ([redacted("tail.S"), WORDS], [{"text": "a"}, {"text": "", "thoughtSignature": "S"}]),
        ([redacted("tail.S")], [{"text": "", "thoughtSignature": "S"}]),
        ([thinking("own.S"), WORDS], [{"text": "hm", "thought": True, "thoughtSignature": "S"}, {"text": "a"}]),
        ([redacted("own.S"), WORDS], [{"text": "", "thought": True, "thoughtSignature": "S"}, {"text": "a"}]),
        ([thinking(""), thinking("call.c9.S"), WORDS], [{"text": "a"}]),
        ([redacted('part.{"toolCall":{"id":"t"}}'), WORDS], [{"toolCall": {"id": "t"}}, {"text": "a"}]),
        (
            [redacted('part.{"functionCall":{"name":"f"}}'), redacted("part.[1]"), redacted("part.{"), WORDS],
            [{"text": "a"}],
        ),
    ],
)
def test_a_signature_of_text_goes_back_where_it_was(content: list[Any], expected: list[Any]) -> None:
    assert model_parts(*content) == expected
