"""A terminal marker reaches the client only if the provider sent it: every fault of a stream, in both dialects, passed
through and translated, fed whole, byte by byte and cut at each byte.
"""

import msgspec
import pytest
from streams import fed_in_every_way

from core.dialects.anthropic import Anthropic
from core.dialects.base import Dialect, Origin
from core.dialects.openai_chat import OpenAIChat
from core.dialects.relay import make_relay
from core.messages import Message, Request

ANTHROPIC, OPENAI = Anthropic(), OpenAIChat(lambda: 1.7e9, lambda: "made")
DIALECTS: dict[str, Dialect] = {"anthropic": ANTHROPIC, "openai": OPENAI}
CLIENTS = pytest.mark.parametrize("client", [ANTHROPIC, OPENAI], ids=lambda dialect: dialect.name)
REQUEST = Request(dialect="any", raw=b"{}", model="m", messages=[Message(role="user", content=[])], include_usage=True)


def event(name: str, **fields: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode({"type": name, **fields}))


def chunk(delta: object = None, finish: str | None = None, **fields: object) -> bytes:
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    return b"data: %s\n\n" % msgspec.json.encode({"id": "c", "choices": [choice], **fields})


# Anthropic's, piece by piece.
START = event("message_start", message={"id": "m", "model": "x", "usage": {"input_tokens": 7, "output_tokens": 1}})
OPEN = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
SAY = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "hi"})
CLOSE = event("content_block_stop", index=0)
REASON = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 5})
STOP = event("message_stop")
ERROR = event("error", error={"type": "overloaded_error", "message": "busy"})
BEGUN = START + OPEN + SAY
ENDING = CLOSE + REASON + STOP
TOOL = event("content_block_start", index=0, content_block={"type": "tool_use", "id": "t", "name": "f", "input": {}})
HALF = event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": '{"a": "b'})
# OpenAI's.
ROLE = chunk({"role": "assistant", "content": ""})
HI = chunk({"content": "hi"})
FINISH = chunk(finish="stop")
USAGE = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5}}\n\n'
DONE = b"data: [DONE]\n\n"
CALL = chunk({"tool_calls": [{"index": 0, "id": "t", "function": {"name": "f", "arguments": '{"a": "b'}}]})

GOOD = {"anthropic": BEGUN + ENDING, "openai": ROLE + HI + FINISH + USAGE + DONE}
#: The end of the provider's own word that the answer is whole.
MARKED = {"anthropic": len(GOOD["anthropic"]), "openai": len(ROLE + HI + FINISH)}


def odd(stream: bytes, *changes: tuple[bytes, bytes]) -> bytes:
    for old, new in changes:
        assert old in stream
        stream = stream.replace(old, new)
    return stream


#: Odd, and nevertheless whole.
WHOLE = {
    "anthropic": {
        "CR": GOOD["anthropic"].replace(b"\n", b"\r"),
        "CRLF": GOOD["anthropic"].replace(b"\n", b"\r\n"),
        "BOM": b"\xef\xbb\xbf" + GOOD["anthropic"],
        "comments": b": hello\n\n" + BEGUN + b": {still here}\n:\n\n" + ENDING,
        "no space after the colon": odd(GOOD["anthropic"], (b"data: ", b"data:"), (b"event: ", b"event:")),
        "several data lines": odd(GOOD["anthropic"], (b',"index":0', b',\ndata: "index":0')),
        "line separators in text": odd(GOOD["anthropic"], (b'"hi"', '"h\u2028\u0085i"'.encode())),
        "NUL in an id": odd(GOOD["anthropic"], (b"event: content", b"id: a\0b\nevent: content")),
        "fields without a colon": odd(GOOD["anthropic"], (b"event: content", b"retry\nnonsense\nevent: content")),
        "no event lines": odd(GOOD["anthropic"], *[(b"event: %s\n" % name, b"") for name in (b"message_start",)]),
        "the standard's event name": odd(GOOD["anthropic"], (b"event: content_block_delta", b"event: message")),
        "type at the end": odd(
            GOOD["anthropic"],
            (b'{"type":"content_block_delta","index":0,', b'{"index":0,'),
            (b'"text":"hi"}}', b'"text":"hi"},"type":"content_block_delta"}'),
        ),
        "spaces in JSON": odd(GOOD["anthropic"], (b'":', b'": '), (b',"', b', "')),
        "unknown events": BEGUN + b"event: news\ndata: not even JSON\n\n" + ENDING,
        "pings everywhere": b"".join(
            event("ping") + piece for piece in (START, OPEN, SAY, event("ping"), CLOSE, REASON, STOP)
        ),
        "an empty event": BEGUN + b"data:\n\n" + ENDING,
        "events after the terminal": GOOD["anthropic"] + SAY + ERROR,
        "two terminals": GOOD["anthropic"] + STOP,
        "two whole streams": GOOD["anthropic"] * 2,
        "a tool call cut by max_tokens": START + TOOL + HALF + odd(ENDING, (b"end_turn", b"max_tokens")),
        "a call whose name was never closed": START + TOOL + odd(ENDING, (b"end_turn", b"tool_use")),
        **{
            f"usage {value.decode()}": odd(GOOD["anthropic"], (b'"output_tokens":5', b'"output_tokens":' + value))
            for value in (b"-5", b"1e30", b'"many"', b"null", b"[1]", b"5.0", b"99999999999999999999999")
        },
        "usage missing": odd(GOOD["anthropic"], (b',"usage":{"output_tokens":5}', b"")),
        "usage no object": odd(GOOD["anthropic"], (b'"usage":{"output_tokens":5}', b'"usage":"none"')),
    },
    "openai": {
        "CR": GOOD["openai"].replace(b"\n", b"\r"),
        "CRLF": GOOD["openai"].replace(b"\n", b"\r\n"),
        "BOM": b"\xef\xbb\xbf" + GOOD["openai"],
        "comments": b": OPENROUTER PROCESSING\n\n" * 3 + ROLE + HI + b": x\n\n" + FINISH + b": x\n\n" + DONE,
        "no space after the colon": GOOD["openai"].replace(b"data: ", b"data:"),
        "line separators in text": odd(GOOD["openai"], (b'"hi"', '"h\u2028\u0085i"'.encode())),
        "several data lines": odd(GOOD["openai"], (b',"choices"', b',\ndata: "choices"')),
        "an empty event": ROLE + HI + b"data:\n\ndata: \n\n" + FINISH + DONE,
        "no [DONE]": ROLE + HI + FINISH,
        "[DONE] without its blank line": ROLE + HI + FINISH + b"data: [DONE]",
        "chunks after the terminal": GOOD["openai"] + HI,
        "two [DONE]": GOOD["openai"] + DONE,
        "two finish_reasons": ROLE + HI + FINISH + chunk(finish="length") + DONE,
        "content after finish_reason": ROLE + HI + FINISH + chunk({"content": "more"}) + DONE,
        "a choice nobody asked for": ROLE + HI + odd(HI, (b'"index":0', b'"index":1')) + FINISH + DONE,
        "a tool call cut by max_tokens": ROLE + CALL + chunk(finish="length") + DONE,
        **{
            f"usage {value.decode()}": odd(GOOD["openai"], (b'"completion_tokens":5', b'"completion_tokens":' + value))
            for value in (b"-5", b"1e30", b'"many"', b"null", b"[1]", b"5.0")
        },
        "usage missing": ROLE + HI + FINISH + DONE,
        "usage no object": odd(GOOD["openai"], (b'{"prompt_tokens":7,"completion_tokens":5}', b"true")),
    },
}

#: Not whole, whatever it looks like.
BROKEN = {
    "anthropic": {
        "nothing": b"",
        "only comments": b": hello\n\n" * 3,
        "HTML": b"<html>\n\n<body>Bad gateway</body></html>\n\n",
        "a JSON error": b'{"type":"error","error":{"type":"api_error","message":"x"}}',
        "clean end without marker": BEGUN,
        "clean end before the marker": BEGUN + CLOSE + REASON,
        "no stop_reason": odd(BEGUN + ENDING, (b'"end_turn"', b"null")),
        "no message_delta": BEGUN + CLOSE + STOP,
        "terminal first": STOP + BEGUN + ENDING,
        "terminal inside a block": BEGUN + STOP,
        "half a terminal": BEGUN + CLOSE + REASON + b'event: message_stop\ndata: {"type":"mess\n\n',
        "a terminal without data": BEGUN + CLOSE + REASON + b"event: message_stop\n\n",
        "a terminal with empty data": BEGUN + CLOSE + REASON + b"event: message_stop\ndata:\n\n",
        "a terminal of another type": BEGUN + CLOSE + REASON + b'event: message_stop\ndata: {"type":"ping"}\n\n',
        "a terminal without its blank line": (BEGUN + ENDING)[:-1],
        "a terminal in a comment": BEGUN + CLOSE + REASON + b": " + STOP.replace(b"\ndata", b"\n: data"),
        "delta before its block": START + SAY + ENDING,
        "delta before the start": SAY + START + ENDING,
        "wrong index": START + OPEN + odd(SAY, (b'"index":0', b'"index":3')) + ENDING,
        "wrong index of a block": START + odd(OPEN, (b'"index":0', b'"index":1')) + SAY + ENDING,
        "wrong index of an end": BEGUN + odd(CLOSE, (b'"index":0', b'"index":1')) + REASON + STOP,
        "two starts": START + START + OPEN + SAY + ENDING,
        "bad JSON in a delta": START + OPEN + odd(SAY, (b'"hi"}}', b'"hi')) + ENDING,
        "no JSON in a delta": START + OPEN + SAY + odd(SAY, (b'"text":"hi"', b'"text":')) + ENDING,
        "not UTF-8": START + OPEN + odd(SAY, (b"hi", b"h\xff")) + ENDING,
        "bad JSON without a name": BEGUN + b'data: {"type":"content_bl\n\n' + ENDING,
        "[DONE] in its place": BEGUN + CLOSE + DONE,
        "error": BEGUN + ERROR,
        "error, then success": BEGUN + ERROR + ENDING,
        "error before content": ERROR,
        "error of another dialect": BEGUN + b'data: {"error":{"message":"x","type":"server_error"}}\n\n' + ENDING,
        "error that is null": BEGUN + b'event: error\ndata: {"type":"error","error":null}\n\n' + ENDING,
        "a tool call cut in half": START + TOOL + HALF,
        "a tool call without an id": START + odd(TOOL, (b'"id":"t",', b"")) + odd(ENDING, (b"end_turn", b"tool_use")),
        "a tool call without a name": START + odd(TOOL, (b'"name":"f"', b'"name":""')) + ENDING,
    },
    "openai": {
        "nothing": b"",
        "only comments": b": OPENROUTER PROCESSING\n\n" * 3,
        "HTML": b"<html>\n\n<body>Bad gateway</body></html>\n\n",
        "a JSON error": b'{"error":{"message":"x"}}',
        "clean end without marker": ROLE + HI,
        "[DONE] without finish_reason": ROLE + HI + DONE,
        "[DONE] first": DONE + ROLE + HI + FINISH,
        "finish_reason of another choice": ROLE + HI + odd(FINISH, (b'"index":0', b'"index":1')) + DONE,
        "an empty finish_reason": ROLE + HI + chunk(finish="") + DONE,
        "finish_reason without its blank line": (ROLE + HI + FINISH)[:-1],
        "finish_reason in a comment": ROLE + HI + b": " + FINISH,
        "finish_reason in the text": ROLE + chunk({"content": '"finish_reason":"stop"'}),
        "bad JSON": ROLE + HI + b'data: {"choices":[{"index":0,"del\n\n' + FINISH + DONE,
        "no JSON": ROLE + HI + b'data: {"a":}\n\n' + FINISH + DONE,
        "not UTF-8": ROLE + HI + odd(HI, (b"hi", b"h\xff")) + FINISH + DONE,
        "not UTF-8 in a member that nobody reads": ROLE + HI + b'data: {"x":"\xff"}\n\n' + FINISH + DONE,
        "bad JSON first": b'data: {"choices":[{"index":0,"del\n\n' + FINISH + DONE,
        "error": ROLE + HI + b'data: {"error":{"message":"x","code":502}}\n\n',
        "error, then success": ROLE + HI + b'data: {"error":{"message":"x","code":502}}\n\n' + FINISH + DONE,
        "error by its name": ROLE + HI + b'event: error\ndata: {"message":"x"}\n\n' + FINISH + DONE,
        "error in a choice": ROLE
        + HI
        + b'data: {"choices":[{"index":0,"error":{"message":"x","code":429}}]}\n\n'
        + DONE,
        "finish_reason error": ROLE + HI + chunk(finish="error") + DONE,
        "finish_reason abort": ROLE + HI + chunk(finish="abort") + DONE,
        "a tool call cut in half": ROLE + CALL,
        "error before content": ROLE + b'data: {"error":{"message":"x","code":502}}\n\n',
    },
}


def relayed(provider: str, client: Dialect, chunks: list[bytes]) -> tuple[list[str], bytes, str]:
    """Kinds of the frames that end the stream, all bytes, and what was used."""
    relay = make_relay(Origin(DIALECTS[provider], "p"), client, REQUEST)
    frames = [frame for chunk in chunks for frame in relay.feed(chunk)] + relay.end()
    ends: list[str] = [frame.kind for frame in frames if frame.kind in {"terminal", "error"}]
    assert not ends or frames[-1].kind == ends[0]
    assert relay.complete == (ends != ["error"])
    return ends, b"".join(frame.data for frame in frames), f"{relay.usage.input} {relay.usage.output}"


def succeeds(client: Dialect, shown: bytes) -> bool:
    """What a client of this dialect takes for success, read as simply as can be."""
    lines = shown.replace(b"\r", b"\n").split(b"\n")
    if client is ANTHROPIC:
        return b"event: message_stop" in lines or b'data: {"type":"message_stop"}' in lines
    return b"data: [DONE]" in lines or any(line[:5] == b"data:" and b'"finish_reason":"stop"' in line for line in lines)


@CLIENTS
@pytest.mark.parametrize(("provider", "fault"), [(name, fault) for name in WHOLE for fault in WHOLE[name]])
def test_what_is_whole_stays_whole(client: Dialect, provider: str, fault: str) -> None:
    ends, shown, used = fed_in_every_way(WHOLE[provider][fault], lambda chunks: relayed(provider, client, chunks))
    assert "error" not in ends
    if DIALECTS[provider] is not client:
        assert ends == ["terminal"]
    marks = (b'"finish_reason":"', b"[DONE]") if client is OPENAI else (b"event: message_stop", b'"stop_reason":"')
    assert all(shown.count(mark) <= 1 for mark in marks)
    assert shown.count(b"hi") + shown.count(b"\\u2028") <= 1
    assert b"more" not in shown
    assert all(0 <= int(count) <= 7 for count in used.split())


@CLIENTS
@pytest.mark.parametrize(("provider", "fault"), [(name, fault) for name in BROKEN for fault in BROKEN[name]])
def test_what_is_not_whole_ends_with_an_error(client: Dialect, provider: str, fault: str) -> None:
    ends, shown = fed_in_every_way(BROKEN[provider][fault], lambda chunks: relayed(provider, client, chunks)[:2])
    assert ends == ["error"]
    assert not succeeds(client, shown)


@CLIENTS
@pytest.mark.parametrize("provider", GOOD)
def test_no_cut_of_a_good_stream_is_a_success(client: Dialect, provider: str) -> None:
    good = GOOD[provider]
    for at in range(len(good)):
        for chunks in ([good[:at]], [good[here : here + 1] for here in range(at)]):
            ends, shown, _ = relayed(provider, client, chunks)
            whole = at >= MARKED[provider]
            assert (ends == ["error"]) is not whole, at
            assert succeeds(client, shown) is whole, at
            if DIALECTS[provider] is client is OPENAI:
                assert b"[DONE]" not in shown, at
