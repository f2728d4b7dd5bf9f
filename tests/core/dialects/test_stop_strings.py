import pytest
from msgspec import Raw

from core.dialects import CLIENTS, PROVIDERS, whole
from core.dialects.stop_strings import CutAtStop, cutting
from core.exchange import Candidate, Target
from core.grammar import Grammar
from core.messages import Block, Request, Response, StreamEvent
from core.preparing import prepare
from core.transformers import Chain

CALL = Block(type="tool_use", id="c", name="f", input=Raw(b'{"a":1}'))


def cut(stops: list[str], content: list[Block], piece: int) -> Response:
    """The answer as a stream in pieces of so many characters, cut; what comes of it is legal."""
    reason = "tool_use" if any(block.type == "tool_use" for block in content) else "end_turn"
    events: list[StreamEvent] = whole.events(Response(id="m", model="x", content=content, stop_reason=reason), piece)
    after = whole.through([CutAtStop(stops)], events)
    grammar = Grammar()
    for event in after:
        grammar.check(event)
    return whole.collected(after)


def texts(answer: Response) -> list[str]:
    return [block.text for block in answer.content if block.type == "text"]


@pytest.mark.parametrize("piece", [0, 1, 2, 3, 5])
@pytest.mark.parametrize(
    ("stops", "text", "kept", "matched"),
    [
        (["</block>"], "<block>no</block> more", "<block>no", "</block>"),
        (["</block>"], "<block>no</bloc", "<block>no</bloc", None),
        (["aab"], "aaab!", "a", "aab"),
        (["abc", "b"], "xabc", "xa", "b"),
        (["☃"], "snow☃man", "snow", "☃"),
        (["stop"], "nothing", "nothing", None),
        (["stop"], "stop", "", "stop"),
        (["\n\nHuman:"], "a\n\nHum\n\nHuman: b", "a\n\nHum", "\n\nHuman:"),
    ],
)
def test_text_ends_at_the_first_stop_string(
    stops: list[str], text: str, kept: str, matched: str | None, piece: int
) -> None:
    answer = cut(stops, [Block(type="text", text=text)], piece)
    assert ("".join(texts(answer)), answer.stop_sequence) == (kept, matched)
    assert answer.stop_reason == ("stop_sequence" if matched else "end_turn")


def test_what_follows_goes_to_nobody() -> None:
    answer = cut(["STOP"], [Block(type="text", text="a STOP b"), CALL, Block(type="text", text="c")], 1)
    assert (texts(answer), len(answer.content), answer.stop_reason) == (["a "], 1, "stop_sequence")


def test_what_came_before_stays_as_it_is() -> None:
    thinking = Block(type="thinking", thinking="STOP here?", signature="s")
    answer = cut(["STOP"], [thinking, CALL, Block(type="text", text="a STOP b")], 2)
    assert answer.content[:2] == [thinking, CALL]
    assert (texts(answer), answer.stop_sequence) == (["a "], "STOP")


def test_a_stop_string_is_not_put_together_from_two_blocks() -> None:
    answer = cut(["STOP"], [Block(type="text", text="ST"), CALL, Block(type="text", text="OP")], 1)
    assert (texts(answer), answer.stop_reason) == (["ST", "OP"], "tool_use")


@pytest.mark.parametrize(
    ("dialect", "count", "needed"),
    [
        ("openai-responses", 0, False),
        ("openai-responses", 1, True),
        ("openai", 4, False),
        ("openai", 5, True),
        ("anthropic", 9, False),
    ],
)
def test_only_what_the_provider_is_not_told_is_cut_here(dialect: str, count: int, needed: bool) -> None:
    request = Request(dialect="any", raw=b"{}", model="m", messages=[], stop=[f"s{number}" for number in range(count)])
    assert (cutting(request, dialect) is not None) is needed


@pytest.mark.parametrize(("provider", "needed"), [("openai-responses", True), ("anthropic", False)])
def test_a_request_brings_the_change_along(provider: str, needed: bool) -> None:
    body = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],"stop_sequences":["</block>"]}'
    request = CLIENTS["anthropic"].decode_request(body)
    candidate = Candidate(Target("p", "m"))
    ready = prepare(request, CLIENTS["anthropic"], PROVIDERS[provider], candidate, Chain(), "http://127.0.0.1")
    assert any(isinstance(change, CutAtStop) for change in ready.changes) is needed
