import msgspec
import pytest
from msgspec import Raw

from core.dialects import CLIENTS
from core.dialects.base import Origin
from core.dialects.relay import make_relay
from core.dialects.sealing import Sealing, is_foreign, is_sealed, opened, seal, sealed_response
from core.dialects.whole import collected, events, through
from core.exchange import Candidate, Target
from core.messages import Block, BlockDelta, BlockStart, BlockStop, Request, Response, StreamEvent

ANTHROPIC, OPENAI = CLIENTS["anthropic"], CLIENTS["openai"]
REASONED = Response(
    id="msg_1",
    model="m",
    content=[
        Block(type="thinking", thinking="so", signature="sig=="),
        Block(type="redacted_thinking", data="dark"),
        Block(type="text", text="hello"),
        Block(type="thinking", thinking="more", signature=""),
        Block(type="tool_use", id="call_1", name="get", input=Raw(b'{"a":1}')),
    ],
    stop_reason="tool_use",
)


def spliced(turn: list[dict[str, str]]) -> bytes:
    """What Anthropic gets of a conversation with this assistant turn."""
    said = [("user", "a"), ("assistant", turn), ("user", "b")]
    messages = [{"role": role, "content": content} for role, content in said]
    body = msgspec.json.encode({"model": "m", "max_tokens": 9, "messages": messages})
    return ANTHROPIC.splice_request(ANTHROPIC.decode_request(body), Candidate(Target("anthropic", "m")))


@pytest.mark.parametrize("payload", ["", "sig==", "a.b.c", "tp1.gemini.x"])
def test_a_seal_opens_for_its_provider_alone(payload: str) -> None:
    sealed = seal("gemini", payload)
    assert is_sealed(sealed)
    assert opened(sealed, "gemini") == payload
    assert opened(sealed, "gemin") is None
    assert opened(sealed, "gemini-2") is None


@pytest.mark.parametrize("value", [None, "", "sig==", "tp2.gemini.x"])
def test_what_is_not_sealed_opens_for_nobody(value: str | None) -> None:
    assert not is_sealed(value)
    assert opened(value, "gemini") is None


def test_a_stream_is_sealed_like_a_whole_answer() -> None:
    whole = sealed_response(REASONED, "p")
    assert [block.signature or block.data for block in whole.content] == ["tp1.p.sig==", "tp1.p.dark", "", "tp1.p.", ""]
    assert collected(through([Sealing("p")], events(REASONED, piece=1))) == whole
    assert REASONED.content[0].signature == "sig=="


def test_the_pieces_of_a_signature_are_sealed_as_one() -> None:
    stream: list[StreamEvent] = [
        BlockStart(0, Block(type="thinking", signature="")),
        BlockDelta(0, "signature", "one"),
        BlockDelta(0, "thinking", "hm"),
        BlockDelta(0, "signature", "two"),
        BlockStop(0),
        BlockStart(1, Block(type="text")),
        BlockStop(1),
    ]
    kept = [stream[0], stream[2], BlockDelta(0, "signature", "tp1.p.onetwo"), *stream[4:]]
    assert through([Sealing("p")], stream) == kept


def test_a_translated_answer_never_gets_to_anthropic_as_its_own() -> None:
    chunk = b'data: {"id":"c","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}\n\n'
    wire = (
        chunk % (b'{"reasoning_content":"hm"}', b"null")
        + chunk % (b'{"content":"hi"}', b'"stop"')
        + b"data: [DONE]\n\n"
    )
    request = Request(dialect="anthropic", raw=b"{}", model="m", messages=[], stream=True)
    frames = make_relay(Origin(OPENAI, "deepseek"), ANTHROPIC, request).feed(wire)
    assert b'"signature":"tp1.deepseek."' in b"".join(frame.data for frame in frames)
    turn = [{"type": "thinking", "thinking": "hm", "signature": "tp1.deepseek."}, {"type": "text", "text": "hi"}]
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": turn},
        {"role": "user", "content": "b"},
    ]
    body = msgspec.json.encode({"model": "m", "max_tokens": 9, "messages": messages})
    sent = ANTHROPIC.splice_request(ANTHROPIC.decode_request(body), Candidate(Target("anthropic", "m")))
    assert b"tp1." not in sent
    assert b"thinking" not in sent
    assert b'{"type":"text","text":"hi"}' in sent


@pytest.mark.parametrize(
    ("block", "foreign"),
    [
        (Block(type="thinking", thinking="a", signature="sig=="), False),
        (Block(type="thinking", thinking="a"), True),
        (Block(type="thinking", thinking="a", signature=seal("p", "sig")), True),
        (Block(type="redacted_thinking", data="dark"), False),
        (Block(type="redacted_thinking", data=seal("p", "dark")), True),
        (Block(type="text", text="tp1.p."), False),
    ],
)
def test_reasoning_that_anthropic_did_not_sign(block: Block, *, foreign: bool) -> None:
    assert is_foreign(block) is foreign


def test_a_turn_of_nothing_but_sealed_reasoning_goes_as_a_whole() -> None:
    sent = spliced([{"type": "redacted_thinking", "data": seal("p", "")}])
    assert [each["role"] for each in msgspec.json.decode(sent)["messages"]] == ["user", "user"]
