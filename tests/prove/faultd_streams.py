"""The faults in the events of a stream: one function each, found by its name."""

import asyncio
from collections.abc import Iterator
from typing import Final

import msgspec

from prove.faultd_dialects import deltas
from prove.faultd_play import PAUSE_S, Play, Plays, end_at

#: Faults by name.
PLAYS: Final = Plays()


def _rewritten(data: bytes, way: int) -> bytes:
    """The same events as the standard also allows them (WHATWG HTML, section 9.2.6)."""
    match way:
        case 0:
            return data.replace(b"\n", b"\r\n")
        case 1:
            return data.replace(b"\n", b"\r")
        case 2:
            return b"\xef\xbb\xbf" + data
        case 3:
            return data.replace(b"data: ", b"data:").replace(b"event: ", b"event:")
        case 4:
            return b"".join(b": a comment\nid: 7\nretry: 10\nunknown: x\n" + part + b"\n\n\n" for part in _events(data))
        case 5:
            return data.replace(b',"', b',\ndata: "', 3)
        case _:
            return b"".join(b"\n".join(reversed(part.split(b"\n"))) + b"\n\n" for part in _events(data))


def _events(data: bytes) -> Iterator[bytes]:
    return (part for part in data.split(b"\n\n") if part)


@PLAYS("odd_sse")
async def odd_sse(play: Play) -> None:
    await play.answer(_rewritten(play.data(), play.directive.seed % 7))


@PLAYS("unfinished_event")
async def unfinished_event(play: Play) -> None:
    """Without the last blank line: the standard drops the last event, some servers mean it."""
    await play.answer(play.data()[:-1])


@PLAYS("unknown_events")
async def unknown_events(play: Play) -> None:
    await play.answer(play.data(play.dialect.odd(play.frames)))


async def _with_error(play: Play, at: int, error: bytes) -> None:
    """Then the end, of one kind or another."""
    frames = play.frames
    await play.begin()
    await play.chunk(play.data(frames[:at]) if at else b"")
    await play.chunk(error)
    if play.rng.random() < 0.5:
        await play.end()
    else:
        play.peer.close()


@PLAYS("error_first")
async def error_first(play: Play) -> None:
    await _with_error(play, play.rng.randrange(2), play.dialect.wire.error_frame("overloaded_error", "Overloaded"))


@PLAYS("error_event")
async def error_event(play: Play) -> None:
    at = play.rng.randrange(1, end_at(play.frames) + 1)
    await _with_error(play, at, play.dialect.wire.error_frame("overloaded_error", "Overloaded"))


@PLAYS("error_openrouter")
async def error_openrouter(play: Play) -> None:
    """Its documentation, "Errors": a chunk with the error at the top and finish_reason "error"."""
    error = {
        "id": "gen-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "provider": "any",
        "error": {"code": "server_error", "message": "Provider disconnected"},
        "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
    }  # fmt: skip
    await _with_error(
        play, play.rng.randrange(1, end_at(play.frames) + 1), b"data: %s\n\n" % msgspec.json.encode(error)
    )


@PLAYS("after_terminal")
async def after_terminal(play: Play) -> None:
    frames = play.frames
    await play.answer(play.data([*frames, *play.dialect.after(frames)]))


@PLAYS("two_terminals")
async def two_terminals(play: Play) -> None:
    frames = play.frames
    await play.answer(play.data([*frames, frames[-1]]))


@PLAYS("no_done")
async def no_done(play: Play) -> None:
    await play.answer(play.data(play.frames[:-1]))


@PLAYS("done_only")
async def done_only(play: Play) -> None:
    frames = play.frames
    await play.answer(play.data([*frames[: end_at(frames)], frames[-1]]))


@PLAYS("late_content", "wrong_order")
async def wrong_order(play: Play) -> None:
    await play.answer(play.data(play.dialect.misordered(play.frames, play.rng)))


@PLAYS("wrong_index")
async def wrong_index(play: Play) -> None:
    await play.answer(play.data(play.dialect.misnumbered(play.frames, play.rng)))


@PLAYS("tool_cut")
async def tool_cut(play: Play) -> None:
    """In the middle of a tool call's arguments: by a clean end, or a cut."""
    frames = play.frames
    calls = [
        at for at, frame in enumerate(frames) if b'"partial_json":"' in frame.data or b'"arguments":"' in frame.data
    ]
    await play.begin()
    await play.chunk(play.data(frames[: play.rng.choice(calls[1:])]))
    if play.rng.random() < 0.5:
        await play.end()
    else:
        play.peer.close()


@PLAYS("hang_opened")
async def hang_opened(play: Play) -> None:
    """The answer has begun, its first word never comes."""
    frames = play.frames
    await play.begin()
    await play.chunk(play.data(frames[: deltas(frames)[0]]))
    await play.hang()


@PLAYS("endless")
async def endless(play: Play) -> None:
    """The same word for ever, some MB/s of it."""
    frames = play.frames
    first = deltas(frames)[0]
    await play.begin()
    await play.chunk(play.data(frames[: first + 1]))
    while True:
        await play.chunk(frames[first].data * 200)
        await asyncio.sleep(PAUSE_S / 10)
