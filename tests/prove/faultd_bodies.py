"""The faults of an answer's body, whole or streamed: one function each, found by its name."""

import asyncio
import gzip
import itertools
import zlib
from typing import Final

import msgspec
from upstream_wire import Frame

from prove.faultd_dialects import data_of, deltas, with_data
from prove.faultd_play import PAUSE_S, Play, Plays, changed, end_at

#: Faults by name.
PLAYS: Final = Plays()
#: What a bomb is when it is unpacked (bytes), and a line that is too long.
BOMB, LINE = 256 * 1024 * 1024, 100 * 1000 * 1000
_BLOCK: Final = 64 * 1024
#: Not JSON, or JSON that is no event and no answer of any dialect.
_UNREADABLE: Final = (
    b'{"choices":[{', b"nul", b"[1,2", b'{"content":"\xff"}', b"{'a':1}", b"[]", b"null", b'{"a":}', b"[" * 5000,
)  # fmt: skip


@PLAYS("html_200")
async def html(play: Play) -> None:
    await play.answer(b"<!doctype html><html><body>Sign in to the airport's network</body></html>", type="text/html")


@PLAYS("empty_200")
async def empty(play: Play) -> None:
    await play.peer.send(play.head("content-length: 0"))


@PLAYS("bad_json")
async def bad_json(play: Play) -> None:
    bad = play.rng.choice(_UNREADABLE)
    if not play.streamed:
        await play.answer(bad)
        return
    frames = play.frames
    at = play.rng.choice([0, *deltas(frames), end_at(frames)])  # not a ping, whose data nobody reads
    lines = frames[at].data.split(b"\n")
    broken = b"\n".join(b"data: " + bad if line.startswith(b"data: ") else line for line in lines)
    await play.answer(play.data([*frames[:at], Frame(broken), *frames[at + 1 :]]))


@PLAYS("error_object_200")
async def error_object(play: Play) -> None:
    body = msgspec.json.encode(play.dialect.wire.error(529, "overloaded_error", "no room"))
    await play.answer(body, type="application/json")


@PLAYS("short_length")
async def short_length(play: Play) -> None:
    data, half = play.data(), play.half()
    await play.peer.send(play.head(f"content-length: {len(half)}") + data)


@PLAYS("long_length")
async def long_length(play: Play) -> None:
    await play.peer.send(play.head(f"content-length: {len(play.data()) + 10_000}") + play.half())
    play.peer.close()


@PLAYS("bad_chunk")
async def bad_chunk(play: Play) -> None:
    await play.begin()
    await play.chunk(play.half())
    await play.peer.send(
        play.rng.choice((b"zz\r\n", b"-5\r\nhello\r\n", b"fffffffffffffffff\r\n", b"5\r\nhelloXX", b"\r\n\r\n"))
    )
    play.peer.close()


@PLAYS("chunked_fin")
async def chunked_fin(play: Play) -> None:
    await play.begin()
    await play.chunk(play.half())
    play.peer.close()


@PLAYS("reset")
async def reset(play: Play) -> None:
    await play.begin()
    await play.chunk(play.half())
    await asyncio.sleep(PAUSE_S)  # what a reset overtakes is lost: let most of it be read
    play.peer.reset()


@PLAYS("close_framed_fin")
async def close_framed_fin(play: Play) -> None:
    await play.peer.send(play.head("connection: close") + play.half(mid_event=True))
    play.peer.close()


@PLAYS("clean_end")
async def clean_end(play: Play) -> None:
    await play.begin()
    await play.chunk(play.half())
    await play.end()


@PLAYS("hang_mid")
async def hang_mid(play: Play) -> None:
    await play.begin()
    await play.chunk(play.half())
    await play.hang()


@PLAYS("keepalive_stall")
async def keepalive_stall(play: Play) -> None:
    """Signs of life without end: comments, pings, or the blank lines of some servers before a whole answer."""
    signs = {"anthropic": b'event: ping\ndata: {"type":"ping"}\n\n', "openai": b": keep-alive\n\n"}
    sign = signs.get(play.dialect.name, b": keep-alive\n\n") if play.streamed else b"\n"
    await play.begin()
    if play.streamed:
        await play.chunk(play.half())
    while True:
        await play.chunk(sign)
        await asyncio.sleep(PAUSE_S)


@PLAYS("drip_body")
async def drip_body(play: Play) -> None:
    data = play.data()
    await play.peer.send(play.head(f"content-length: {len(data) * 1000}"))
    pause = play.rng.choice((1.0, 3 * PAUSE_S))
    await play.drip(itertools.chain(data[:-1], itertools.repeat(ord(" "))), pause)


def gzipped_zeros() -> bytes:
    """256 MiB in some 260 KB."""
    packer = zlib.compressobj(1, wbits=31)
    return b"".join(packer.compress(bytes(1024 * 1024)) for _ in range(BOMB // 1024 // 1024)) + packer.flush()


def zstd_zeros() -> bytes:
    """256 MiB in 8 KB, written by hand: a frame of run-length blocks (RFC 8878, section 3.1.1)."""
    head = bytes.fromhex("28b52ffd") + bytes((0x00, 0x70))
    size = 128 * 1024
    blocks = BOMB // size
    return head + b"".join(((size << 3) | 2 | (at == blocks - 1)).to_bytes(3, "little") + b"0" for at in range(blocks))


_GZIP_BOMB, _ZSTD_BOMB = gzipped_zeros(), zstd_zeros()


@PLAYS("gzip_bomb")
async def gzip_bomb(play: Play) -> None:
    await play.answer(_GZIP_BOMB, "content-encoding: gzip")


@PLAYS("zstd_bomb")
async def zstd_bomb(play: Play) -> None:
    await play.answer(_ZSTD_BOMB, "content-encoding: zstd")


@PLAYS("gzip_answer")
async def gzip_answer(play: Play) -> None:
    """A good one, packed although nobody offered to unpack it."""
    await play.answer(gzip.compress(play.data(), 1), "content-encoding: gzip")


@PLAYS("wrong_type")
async def wrong_type(play: Play) -> None:
    await play.answer(type=play.rng.choice(("text/plain", "application/octet-stream", "", "image/png", "text/html")))


@PLAYS("stream_for_whole", "whole_for_stream")
async def other_mode(play: Play) -> None:
    play.streamed = not play.streamed
    await play.answer()


@PLAYS("line_100mb")
async def line(play: Play) -> None:
    await play.begin()
    await play.chunk(play.half() if play.streamed else b'{"id":"')
    await play.chunk(b'event: content_block_delta\ndata: {"type":"' if play.streamed else b"")
    for _ in range(LINE // _BLOCK):
        await play.chunk(b"x" * _BLOCK)
    await play.end()


@PLAYS("usage_missing", "usage_negative", "usage_huge")
async def usage(play: Play) -> None:
    number = {"usage_negative": -7, "usage_huge": 1e30}.get(play.directive.fault)
    if not play.streamed:
        await play.answer(msgspec.json.encode(play.dialect.usage(play.whole, number)))
        return
    told = changed(play.frames, lambda frame: with_data(frame, play.dialect.usage(data_of(frame), number)))
    await play.answer(play.data(told))
