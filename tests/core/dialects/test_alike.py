import random
from collections.abc import Iterator

import pytest

from core.dialects import CLIENTS
from core.dialects.alike import Alike
from core.dialects.base import Origin
from core.dialects.frames import Frame
from core.dialects.relay import make_relay
from core.messages import Message, Request
from prove.random_answers import answer
from prove.translation import WIRES

REQUEST = Request(dialect="any", raw=b"{}", model="m", messages=[Message(role="user", content=[])], include_usage=False)
ANTHROPIC = (
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}\n\n'
)
CHAT = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}],"obfuscation":"%s"}\n\n'


def learned(raw: bytes) -> Alike:
    alike = Alike()
    alike.learn(raw)
    return alike


@pytest.mark.parametrize(
    "said", [b"x", b" y z", "☃😀\u2028".encode(), rb"\n\"\\\/\u00e9", b"}]", b'\\"}}', b"\x7f", b"data: x"]
)
def test_other_text_is_alike(said: bytes) -> None:
    assert learned(ANTHROPIC % b"Hel").has(ANTHROPIC % said)
    assert learned(CHAT % (b"Hel", b"aBc")).has(CHAT % (said, b""))


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b'"',
        b"\\",
        rb"\x",
        rb"\u12",
        rb"\ud83d\ude00",
        rb"\udc00",
        b"\n",
        b"\x00",
        b"\xff",
        b'x","y":"',
        b'"}}\n\n',
    ],
)
def test_what_a_parser_must_judge_is_not_alike(said: bytes) -> None:
    assert not learned(ANTHROPIC % b"Hel").has(ANTHROPIC % said)
    assert not learned(CHAT % (b"Hel", b"aBc")).has(CHAT % (said, b"a"))


def test_whatever_else_differs_is_not_alike() -> None:
    first = ANTHROPIC % b"Hel"
    alike = learned(first)
    for other in (
        first[:-1],
        first[1:],
        first + first,
        first + b"data",
        b"",
        b"\n",
        first.replace(b'"index":0', b'"index":1'),
        first.replace(b"text_delta", b"text_other"),
        first.replace(b"\n", b"\r\n"),
        ANTHROPIC % (b"x" * 17_000),
    ):
        assert not alike.has(other), other
    alike.forget()
    assert not alike.has(first)


def test_numbers_of_a_sequence_may_rise() -> None:
    event = b'data: {"type":"response.output_text.delta","sequence_number":%s,"delta":"%s","output_index":0}\n\n'
    alike = learned(event % (b"9", b"a"))
    assert alike.has(event % (b"10", b"b"))
    assert not alike.has(event % (b"010", b"b"))
    assert not alike.has(event % (b"-1", b"b"))
    assert not alike.has((event % (b"10", b"b")).replace(b'"output_index":0', b'"output_index":1'))


@pytest.mark.parametrize(
    "event", [b'data: {"a":1}\n\n', CHAT[:-2] % (b"x", b""), (CHAT % (b"x", b"")).replace(b"\n", b"\r")]
)
def test_there_are_events_that_nothing_is_like(event: bytes) -> None:
    assert not learned(event).has(event)


def test_content_after_the_end_is_hidden_as_ever() -> None:
    last = (CHAT % (b"x", b"")).replace(b"null", b'"stop"')
    relay = make_relay(Origin(CLIENTS["openai"], "p"), CLIENTS["openai"], REQUEST)
    frames = [frame for chunk in (CHAT % (b"w", b""), last, last) for frame in relay.feed(chunk)]
    assert [frame.data for frame in frames] == [CHAT % (b"w", b""), last]


def streams() -> Iterator[tuple[str, list[bytes]]]:
    """Random answers, an event a chunk; most of them with something wrong."""
    for number in range(120):
        rng = random.Random(number)  # noqa: S311
        for name in CLIENTS:
            chunks = [frame.data for frame in WIRES[name].frames(answer(rng), {"model": "m"}, 0)]
            for _ in range(rng.choice((0, 1, 3))):
                at = rng.randrange(len(chunks))
                broken = bytearray(chunks[at])
                where = rng.randrange(len(broken))
                broken[where : where + rng.choice((0, 1, 2))] = rng.choice((b"", b"\xff", b'"', b"\\", b"\n", b"7"))
                halves = [chunks[at][:where], chunks[at][where:]]
                ways: list[list[bytes]] = [[bytes(broken)], [chunks[at], chunks[at]], halves, []]
                chunks[at : at + 1] = rng.choice(ways)
            yield name, chunks


def relayed(name: str, chunks: list[bytes]) -> list[Frame]:
    relay = make_relay(Origin(CLIENTS[name], "p"), CLIENTS[name], REQUEST)
    return [frame for chunk in chunks for frame in relay.feed(chunk)] + relay.end()


def test_every_stream_passes_as_it_would_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given = list(streams())
    found = [relayed(name, chunks) for name, chunks in given]
    seen = 0

    def never(alike: Alike, chunk: bytes) -> bool:
        nonlocal seen
        seen += has(alike, chunk)
        return False

    has = Alike.has
    monkeypatch.setattr(Alike, "has", never)
    assert [relayed(name, chunks) for name, chunks in given] == found
    assert seen > 1000
