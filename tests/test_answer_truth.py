"""A whole answer is one only if it says so itself: faults of answers that are not streamed, passed through and
translated.
"""

import pytest

from core.dialects import CLIENTS
from core.errors import UpstreamFailed
from core.messages import Request, Usage

MESSAGE = (
    b'{"id":"m","type":"message","role":"assistant","model":"x","content":[{"type":"text","text":"hi"}],'
    b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":5}}'
)
COMPLETION = (
    b'{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":5}}'
)
RESPONSE = (
    b'{"id":"r","object":"response","status":"completed","output":[{"type":"message","id":"msg_1","role":"assistant",'
    b'"status":"completed","content":[{"type":"output_text","text":"hi"}]}],"usage":{"input_tokens":7,"output_tokens":5}}'
)
GOOD = {"anthropic": MESSAGE, "openai": COMPLETION, "openai-responses": RESPONSE}
REQUEST = Request(dialect="any", raw=b"{}", model="m", messages=[])
CASES = pytest.mark.parametrize("provider", GOOD)


def without(body: bytes, old: bytes, new: bytes = b"") -> bytes:
    assert old in body
    return body.replace(old, new)


BROKEN = [
    ("anthropic", b""),
    ("anthropic", b"<html>busy</html>"),
    ("anthropic", b"[]"),
    ("anthropic", b"null"),
    ("anthropic", b"{}"),
    ("anthropic", MESSAGE + b"x"),
    ("anthropic", MESSAGE + MESSAGE),
    ("anthropic", b"\x1f\x8b\x08" + MESSAGE),
    ("anthropic", b"data: " + MESSAGE + b"\n\n"),
    ("anthropic", without(MESSAGE, b'"end_turn"', b"null")),
    ("anthropic", without(MESSAGE, b'"end_turn"', b'""')),
    ("anthropic", without(MESSAGE, b'"stop_reason":"end_turn",')),
    ("anthropic", without(MESSAGE, b'"content":[{"type":"text","text":"hi"}],')),
    ("anthropic", without(MESSAGE, b'[{"type":"text","text":"hi"}]', b"null")),
    ("anthropic", b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'),
    ("anthropic", b'{"error":{"message":"busy"}}'),
    ("openai", b""),
    ("openai", b"<html>busy</html>"),
    ("openai", b"[]"),
    ("openai", b"{}"),
    ("openai", COMPLETION + b"x"),
    ("openai", b"data: " + COMPLETION + b"\n\n"),
    ("openai", b'{"choices":[]}'),
    ("openai", without(COMPLETION, b',"finish_reason":"stop"')),
    ("openai", without(COMPLETION, b'"stop"', b"null")),
    ("openai", without(COMPLETION, b'"stop"', b'""')),
    ("openai", without(COMPLETION, b'"stop"', b'"error"')),
    ("openai", without(COMPLETION, b'"stop"', b'"abort"')),
    ("openai", without(COMPLETION, b'"message":{"role":"assistant","content":"hi"},')),
    ("openai", without(COMPLETION, b'"index":0', b'"index":1')),
    ("openai", without(COMPLETION, b'"finish_reason"', b'"error":{"code":429,"message":"x"},"finish_reason"')),
    ("openai", b'{"error":{"message":"busy","code":503}}'),
    ("openai", b'{"error":"busy"}'),
    ("openai", b'{"object":"error","message":"busy","code":500}'),
    ("openai-responses", b""),
    ("openai-responses", b"<html>busy</html>"),
    ("openai-responses", b"[]"),
    ("openai-responses", b"{}"),
    ("openai-responses", COMPLETION),
    ("openai-responses", RESPONSE + b"x"),
    ("openai-responses", without(RESPONSE, b'"object":"response",')),
    ("openai-responses", without(RESPONSE, b'"status":"completed","output"', b'"output"')),
    ("openai-responses", without(RESPONSE, b'"status":"completed","output"', b'"status":"queued","output"')),
    ("openai-responses", without(RESPONSE, b'"status":"completed","output"', b'"status":"in_progress","output"')),
    ("openai-responses", without(RESPONSE, b'"status":"completed","output"', b'"status":"cancelled","output"')),
    ("openai-responses", without(RESPONSE, b'"status":"completed","output"', b'"status":"failed","output"')),
    ("openai-responses", without(RESPONSE, b'"object"', b'"error":{"code":"server_error","message":"x"},"object"')),
    ("openai-responses", RESPONSE.partition(b'"output"')[0] + b'"output":null}'),
    ("openai-responses", b'{"error":{"message":"busy","code":503}}'),
    ("openai-responses", b'{"error":"busy"}'),
]


@pytest.mark.parametrize(("provider", "body"), BROKEN)
def test_what_does_not_say_that_it_is_whole_is_an_error(provider: str, body: bytes) -> None:
    with pytest.raises(UpstreamFailed) as caught:
        CLIENTS[provider].decode_response(body)
    assert caught.value.status >= 400
    assert caught.value.stage == "answered"


@CASES
def test_no_cut_of_a_good_answer_is_an_answer(provider: str) -> None:
    for at in range(len(GOOD[provider])):
        with pytest.raises(UpstreamFailed):
            CLIENTS[provider].decode_response(GOOD[provider][:at])


@CASES
def test_white_space_around_an_answer_is_no_fault(provider: str) -> None:
    """DeepSeek sends blank lines until the answer is there."""
    assert CLIENTS[provider].decode_response(b"\n\n \r\n" + GOOD[provider] + b"\n").stop_reason == "end_turn"


@CASES
@pytest.mark.parametrize("value", [b"-5", b"1e30", b'"many"', b"null", b"[5]", b"100000001", b"5.5", b"true"])
def test_an_answer_is_not_lost_for_a_count_that_cannot_be(provider: str, value: bytes) -> None:
    body = without(GOOD[provider], b'tokens":5', b'tokens":' + value)
    assert CLIENTS[provider].decode_response(body).usage == Usage(input=7)
    client = CLIENTS["openai" if provider == "anthropic" else "anthropic"]
    shown = client.encode_response(CLIENTS[provider].decode_response(body), REQUEST)
    assert b'tokens":' + value not in shown.partition(b"usage")[2]


@CASES
@pytest.mark.parametrize("value", [b"null", b'"none"', b"[]", b"7"])
def test_nor_for_a_bill_that_is_none(provider: str, value: bytes) -> None:
    body = GOOD[provider].partition(b'"usage":')[0] + b'"usage":' + value + b"}"
    assert CLIENTS[provider].decode_response(body).usage == Usage()


def test_details_of_a_bill_that_cannot_be() -> None:
    odd = b'{"prompt_tokens":7,"prompt_tokens_details":[1],"completion_tokens_details":{"reasoning_tokens":-1}}'
    body = COMPLETION.partition(b'"usage":')[0] + b'"usage":' + odd + b"}"
    assert CLIENTS["openai"].decode_response(body).usage == Usage(input=7)


def test_a_call_that_was_cut_by_the_limit_keeps_its_reason() -> None:
    call = b'{"role":"assistant","tool_calls":[{"id":"t","function":{"name":"f","arguments":"{\\"a\\": \\"b"}}]}'
    body = without(COMPLETION, b'{"role":"assistant","content":"hi"}', call)
    response = CLIENTS["openai"].decode_response(without(body, b'"stop"', b'"length"'))
    assert response.stop_reason == "max_tokens"
    assert bytes(response.content[0].input) == b'{"arguments":"{\\"a\\": \\"b"}'
