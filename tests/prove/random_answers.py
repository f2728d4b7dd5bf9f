"""Answers that nobody thought of: random words, calls, counts and ends, framed and cut in every legal way; and damaged.

A number always gives the same one.
"""

import random
import re
from typing import Any, Final

from upstream_script import Call, Spent, Step
from upstream_wire import Frame

#: What has broken decoders: the framing's own words, line ends that are none, halves of pairs, what JSON escapes.
_WORDS: Final = (
    "word", " ", "two words", "\n", "\n\n", "\r\n", "\r", "data: x\n\n", "event: message_stop\n", "[DONE]", ": comment",
    '"', "\\", '\\"}', "{", "}]", "\u2028", "\u2029", "\x85", "\x0b\x0c", "\x00", "\x7f", "☃", "😀", "e\u0301",
    "\ufeff", "</think>", "<think>", "finish_reason", '"type":"error"', "null", "x" * 90,
)  # fmt: skip
_NAMES: Final = ("Read", "mcp__server__tool", "a-b", "Z9")
_STOPS: Final = ("", "", "", "max_tokens", "refusal")
#: A longer stream is not fed byte by byte: it would take most of the run's time.
_BYTE_BY_BYTE: Final = 4096
_BOM: Final = b"\xef\xbb\xbf"
_KEEP_ALIVE: Final = (b": keep-alive", b":", b": data: {}")


def answer(rng: random.Random) -> Step:
    """Thinking, text and up to three calls, each of them perhaps not there."""
    calls = tuple(Call(rng.choice(_NAMES), _object(rng, 2)) for _ in range(rng.choice((0, 0, 1, 2, 3))))
    text = _text(rng) if rng.random() < 0.8 or not calls else ""
    think = _text(rng) if rng.random() < 0.4 else ""
    spent = Spent(*(rng.randrange(10_000) for _ in range(4)))
    size = rng.choice((1, 3, 12, 40))
    return Step(text=text, think=think, tools=calls, stop=rng.choice(_STOPS), usage=spent, chunk=size)


def _text(rng: random.Random) -> str:
    return "".join(rng.choice(_WORDS) for _ in range(rng.choice((1, 2, 5, 20))))


def _object(rng: random.Random, depth: int) -> dict[str, Any]:
    return {f"{_text(rng)[:8]}{number}": _value(rng, depth) for number in range(rng.randrange(4))}


def _value(rng: random.Random, depth: int) -> Any:
    ways = (lambda: _text(rng), lambda: rng.randrange(-(10**9), 10**9), lambda: rng.choice((None, True, 0.5, -1e-7)))
    if depth and rng.random() < 0.3:
        return rng.choice(([_value(rng, depth - 1)], _object(rng, depth - 1)))
    return rng.choice(ways)()


def framed(frames: list[Frame], rng: random.Random) -> list[bytes]:
    """The frames in one of the ways that the framing allows: other line ends, comments between, fields to ignore."""
    events = [frame.data for frame in frames]
    if not events[0].startswith((b"data:", b"event:")):
        return _lines(events, rng)
    end = rng.choice((b"\n", b"\n", b"\n", b"\r\n", b"\r"))
    space = rng.choice((b": ", b": ", b":"))
    extra = rng.choice((b"", b"", b"id: 7\n", b"retry: 9\n", b"nonsense\n"))
    framed = []
    for event in events:
        if rng.random() < 0.1:
            framed.append(rng.choice(_KEEP_ALIVE) + end * 2)
        spaced = re.sub(rb"^(data|event): ", rb"\1" + space, event, flags=re.MULTILINE)
        framed.append((extra + spaced).replace(b"\n", end))
    if rng.random() < 0.1:
        framed[0] = _BOM + framed[0]
    return framed


def _lines(lines: list[bytes], rng: random.Random) -> list[bytes]:
    """Lines of JSON: another line end, blank lines between."""
    end, blank = rng.choice((b"\n", b"\n", b"\r\n")), rng.random() < 0.2
    return [line.rstrip(b"\n") + end + (end if blank else b"") for line in lines]


def cut(stream: bytes, rng: random.Random) -> list[bytes]:
    """In chunks: whole, byte by byte, or at some places."""
    way = rng.random()
    if way < 0.1 or len(stream) < 3:
        return [stream]
    if way < 0.2 and len(stream) <= _BYTE_BY_BYTE:
        return [stream[at : at + 1] for at in range(len(stream))]
    places = sorted(rng.sample(range(1, len(stream)), min(len(stream) - 1, rng.choice((1, 2, 9, 60)))))
    return [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]


def damaged(events: list[bytes], rng: random.Random) -> bytes:
    """The stream after an accident: an end in the middle, an event lost or twice, bytes that are others."""
    stream = b"".join(events)
    match rng.choice(("cut", "cut", "lost", "twice", "swapped", "bytes")):
        case "cut":
            return stream[: rng.randrange(len(stream))]
        case "lost":
            at = rng.randrange(len(events))
            return b"".join(events[:at] + events[at + 1 :])
        case "twice":
            at = rng.randrange(len(events))
            return b"".join(events[: at + 1] + events[at:])
        case "swapped":
            at = rng.randrange(len(events) - 1) if len(events) > 1 else 0
            return b"".join([*events[:at], *events[at : at + 2][::-1], *events[at + 2 :]])
    broken = bytearray(stream)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(broken))
        broken[at : at + rng.choice((0, 1, 1, 5))] = rng.choice((b"", rng.randbytes(1), b'"', b"\n", b"\n\n", b"0"))
    return bytes(broken)
