"""The oracle believes nobody: what it calls complete, honest, and a violation."""

import json
from typing import Any

import pytest

from prove import chain
from prove.faultd_table import May
from prove.oracle import Case, Kind, judge
from prove.oracle_http import Broken, End, Reader, Reply, events
from prove.oracle_reading import CLIENTS, AnthropicClient, OpenAIClient

Json = dict[str, Any]
NONCE, OTHER = "0123456789ab", "ba9876543210"
WORDS = chain.content(chain.Shape(text=3), NONCE)
JSON = [("content-type", "application/json")]
SSE = [("content-type", "text/event-stream")]
START: Json = {"type": "message_start", "message": {}}
OPEN: Json = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
STOP: Json = {"type": "content_block_stop", "index": 0}
ENDING: Json = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
END: Json = {"type": "message_stop"}
ERROR: Json = {"type": "error", "error": {"type": "api_error", "message": "it broke"}}
REFUSAL = json.dumps(ERROR).encode()


def case(may: May = May.EITHER, *, streamed: bool = True, client: int = 0) -> Case:
    return Case(CLIENTS[client], streamed, NONCE, WORDS, may, (b"sk-secret",))


def delta(text: str, index: int = 0) -> Json:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}}


def sse(*values: Json) -> bytes:
    return b"".join(b"event: %s\ndata: %s\n\n" % (str(v["type"]).encode(), json.dumps(v).encode()) for v in values)


def reply(body: bytes, end: End = End.CLEAN, status: int = 200, headers: list[tuple[str, str]] = SSE) -> Reply:
    return Reply(status, headers, body, end)


GOOD = (START, OPEN, delta(WORDS.text), STOP, ENDING, END)
PARTS = (START, OPEN, delta(WORDS.text[:40]))


def test_a_whole_stream_is_complete() -> None:
    assert judge(case(May.COMPLETE), reply(sse(*GOOD))).kind is Kind.COMPLETE
    assert judge(case(May.ERROR), reply(sse(*GOOD))).why == "a complete answer that the provider never gave"


def test_a_prefix_an_error_and_a_cut_are_honest() -> None:
    for end in (End.CUT, End.RESET):
        assert judge(case(May.ERROR), reply(sse(*PARTS, ERROR), end)).kind is Kind.HONEST_ERROR
    assert "a good answer was lost" in judge(case(May.COMPLETE), reply(sse(*PARTS, ERROR), End.CUT)).why


@pytest.mark.parametrize(
    ("body", "end", "why"),
    [
        (sse(*PARTS, ERROR), End.CLEAN, "a clean end after the error event"),
        (sse(*PARTS), End.CLEAN, "silent end (clean)"),
        (sse(*PARTS), End.CUT, "silent end (cut)"),
        (sse(*PARTS), End.HANG, "hangs"),
        (sse(*GOOD), End.CUT, "a terminal marker, then cut"),
        (sse(*GOOD, END), End.CLEAN, "message_stop after the end"),
        (sse(*PARTS, ERROR, delta("x")), End.CUT, "content_block_delta after the end"),
        (sse(*PARTS, STOP, ENDING, END), End.CLEAN, "the words are not those"),
        (sse(START, OPEN, delta("x" + WORDS.text), ERROR), End.CUT, "no prefix"),
        (sse(START, OPEN, delta(chain.links(OTHER, "t", 2)), ERROR), End.CUT, f"foreign words, of {{'{OTHER}'}}"),
        (sse(START, delta("x")), End.CUT, "content_block_delta in state open"),
        (sse(START, OPEN, delta("x", 1)), End.CUT, "a delta for block 1 in block 0"),
        (sse(START, ENDING | {"delta": {}}), End.CUT, "without a stop_reason"),
        (sse(START, {"type": "error", "error": {}}), End.CUT, "error without type"),
        (b"event: ping\ndata: {]\n\n", End.CUT, "not JSON"),
        (b'event: ping\ndata: {"type":"error"}\n\n', End.CUT, "with data of type 'error'"),
        (sse(*PARTS, ERROR) + b"sk-secret", End.CUT, "a secret"),
        (b"\xff\n\n", End.CUT, "not UTF-8"),
    ],
)
def test_what_no_honest_proxy_sends(body: bytes, end: End, why: str) -> None:
    verdict = judge(case(), reply(body, end))
    assert (verdict.kind, why in verdict.why) == (Kind.VIOLATION, True), verdict


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (reply(REFUSAL, status=502, headers=JSON), ""),
        (reply(REFUSAL, End.CUT, 502, JSON), "status 502, then cut"),
        (reply(REFUSAL, status=302, headers=JSON), "status 302"),
        (reply(REFUSAL, status=502), "an error of type"),
        (reply(b"{}", status=502, headers=JSON), "no error"),
        (reply(REFUSAL, status=502, headers=[*JSON, ("set-cookie", "a=b")]), "header set-cookie"),
        (reply(REFUSAL, status=429, headers=[*JSON, ("retry-after", "-5")]), "retry-after: -5"),
        (reply(REFUSAL, status=429, headers=[*JSON, ("x-id", "sk-secret")]), "a secret"),
        (reply(b"", End.CUT, 0, []), "no answer: cut"),
        (reply(sse(*GOOD), headers=JSON), "a stream of type"),
    ],
)
def test_heads_and_refusals(found: Reply, why: str) -> None:
    verdict = judge(case(), found)
    assert (verdict.kind is Kind.HONEST_ERROR) == (not why)
    assert why in verdict.why


def chunks(*values: object) -> bytes:
    return b"".join(b"data: %s\n\n" % (b"[DONE]" if v is None else json.dumps(v).encode()) for v in values)


def piece(text: str, finish: str | None = None) -> Json:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return {"object": "chat.completion.chunk", "choices": [choice]}


def test_openai_streams() -> None:
    whole = chunks(piece(WORDS.text), piece("", "stop"), None)
    openai = case(May.COMPLETE, client=1)
    assert judge(openai, reply(whole)).kind is Kind.COMPLETE
    assert "without a finish_reason" in judge(openai, reply(chunks(piece(WORDS.text), None))).why
    unfinished = reply(chunks(piece(WORDS.text), piece("", "stop")))
    assert "silent end" in judge(openai, unfinished).why
    assert judge(case(client=1), unfinished).kind is Kind.COMPLETE
    failed = chunks(piece(WORDS.text[:5]), {"error": {"message": "it broke"}})
    assert judge(case(client=1), reply(failed, End.CUT)).kind is Kind.HONEST_ERROR
    assert "after the end" in judge(case(client=1), reply(failed + chunks(None), End.CUT)).why


def test_whole_answers() -> None:
    message: Json = {"type": "message", "role": "assistant", "stop_reason": "end_turn"}
    content: Json = {"content": [{"type": "text", "text": WORDS.text}]}
    anthropic, openai = case(streamed=False), case(streamed=False, client=1)
    assert judge(anthropic, reply(json.dumps(message | content).encode(), headers=JSON)).kind is Kind.COMPLETE
    assert "whole answer, then cut" in judge(anthropic, reply(b"{", End.CUT, headers=JSON)).why
    assert "not JSON" in judge(anthropic, reply(b"{", headers=JSON)).why
    assert "content is no list" in judge(anthropic, reply(json.dumps(message).encode(), headers=JSON)).why
    choice = {"index": 0, "message": {"content": WORDS.text[:-1]}, "finish_reason": "stop"}
    short = json.dumps({"object": "chat.completion", "choices": [choice]}).encode()
    assert "77 of 78" in judge(openai, reply(short, headers=JSON)).why


def test_thinking_and_calls_are_read() -> None:
    thinking = {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}}
    think = {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}}
    call = {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use"}}
    input = {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{}"}}
    said = AnthropicClient().stream(events(sse(START, thinking, think, STOP, call, input)))
    assert said.content == chain.Content("hm", "", "{}")
    calls = [{"index": 0, "function": {"arguments": "{}"}}]
    delta = {"reasoning_content": "hm", "tool_calls": calls}
    told = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]}
    assert OpenAIClient().stream(events(chunks(told))).content == chain.Content("hm", "", "{}")


CHUNKED = b"HTTP/1.1 200 OK\r\nA-b: c \r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"
LENGTH = b"HTTP/1.1 404 \r\ncontent-length: 5\r\n\r\nhello"


@pytest.mark.parametrize(("data", "body"), [(CHUNKED, b"hello!"), (LENGTH, b"hello")])
def test_answers_are_read_in_any_pieces(data: bytes, body: bytes) -> None:
    for cut in range(len(data) + 1):
        reader = Reader()
        for part in (data[:cut], data[cut:]):
            reader.feed(part)
        assert (bytes(reader.body), reader.done) == (body, True)
    reader = Reader()
    for at in range(len(data)):
        assert not reader.done
        reader.feed(data[at : at + 1])
    assert (bytes(reader.body), reader.done) == (body, True)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na: b\0c\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na: b\r\n c\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na : b\r\ncontent-length: 0\r\n\r\n",
        CHUNKED + b"H",
        LENGTH + b"HTTP/1.1 200 OK",
        CHUNKED.replace(b"5\r\n", b"zz\r\n"),
        CHUNKED.replace(b"hello", b"hell"),
        b"a" * 70_000,
    ],
)
def test_what_is_no_answer(data: bytes) -> None:
    with pytest.raises(Broken):
        Reader().feed(data)


def test_streams_are_read_as_the_standard_says() -> None:
    assert events(b"\xef\xbb\xbfevent: a\r\ndata:1\r\rdata: 2\ndata:  3\n\n:x\n\ndata: 4\n") == [
        ("a", "1"),
        ("", "2\n 3"),
    ]
    assert events("data: \u2028\x85\n\n".encode()) == [("", "\u2028\x85")]
