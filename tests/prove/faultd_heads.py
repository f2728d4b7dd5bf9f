"""Good answers, and the faults of an answer's head: one function each, found by its name."""

import asyncio
import itertools
from typing import Final

import msgspec
from upstream_wire import Frame

from prove.faultd_play import PAUSE_S, Play, Plays, chunk

#: Faults by name.
PLAYS: Final = Plays()
#: How much of something endless is sent at the most (bytes).
FLOOD: Final = 64 * 1024 * 1024


@PLAYS("good_text", "good_thinking", "good_tools", "good_long", "good_tiny", "stale_reset")
async def good(play: Play) -> None:
    await play.answer()


@PLAYS("good_slow")
async def good_slow(play: Play) -> None:
    if not play.streamed:
        await asyncio.sleep(10 * PAUSE_S)
        await play.answer()
        return
    await play.begin()
    for frame in play.frames:
        await play.chunk(frame.data)
        await asyncio.sleep(PAUSE_S)
    await play.end()


@PLAYS("interim")
async def interim(play: Play) -> None:
    """RFC 9110, section 15.2: a client must read any number of 1xx before the answer."""
    await play.peer.send(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
    await play.answer()


@PLAYS("close_unanswered")
async def close_unanswered(play: Play) -> None:
    play.peer.close()


@PLAYS("reset_unanswered")
async def reset_unanswered(play: Play) -> None:
    play.peer.reset()


@PLAYS("hang_head")
async def hang_head(play: Play) -> None:
    await play.hang()


@PLAYS("drip_head")
async def drip_head(play: Play) -> None:
    await play.drip(itertools.chain(b"HTTP/1.1 200 OK\r\nx-slow: ", itertools.repeat(ord("a"))), PAUSE_S)


@PLAYS("garbage_status")
async def garbage_status(play: Play) -> None:
    lines = (
        b"HTTP/1.1 abc OK\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x15\x03\x01\x00\x02\x02\x28", b"HTTP/1.1\r\n\r\n",
        b"ICY 200 OK\r\n\r\n", b"HTTP/1.1 99 Low\r\n\r\n", b"HTTP/1.1 999 High\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200000 OK\r\n\r\n", b"220 mail.example ESMTP\r\n", b"\0" * 64,
    )  # fmt: skip
    await play.peer.send(play.rng.choice(lines))
    play.peer.close()


async def _flood(play: Play, piece: bytes) -> None:
    for _ in range(FLOOD // len(piece)):
        await play.peer.send(piece)


@PLAYS("header_flood")
async def header_flood(play: Play) -> None:
    await play.peer.send(b"HTTP/1.1 200 OK\r\n")
    await _flood(play, b"".join(b"x-%05d: %s\r\n" % (number, b"v" * 50) for number in range(1000)))


@PLAYS("long_header")
async def long_header(play: Play) -> None:
    await play.answer(None, "x-long: " + "v" * 1_000_000)


@PLAYS("interim_flood")
async def interim_flood(play: Play) -> None:
    await _flood(play, b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 1000)


@PLAYS("header_control")
async def header_control(play: Play) -> None:
    """A value must not be able to become a header of ours (RFC 9112, section 2.2)."""
    name = play.rng.choice(
        ("request-id", "retry-after", "x-ratelimit-limit-requests", "anthropic-ratelimit-x", "x-any")
    )
    value = play.rng.choice(
        ("a\0b", "a\rx-injected: 1", "a\x0bb", "a\nx-injected: 1", "a\x7f", "\xe9\xff", "a\r\n folded")
    )
    await play.answer(None, f"{name}: {value}")


@PLAYS("two_lengths")
async def two_lengths(play: Play) -> None:
    """RFC 9112, section 6.3: what could be read in two ways is an error."""
    data = play.data()
    both = (("transfer-encoding: chunked", "content-length: 5"), (f"content-length: {len(data)}", "content-length: 5"))
    headers = play.rng.choice(both)
    await play.peer.send(play.head(*headers) + (chunk(data) + chunk(b"") if "transfer" in headers[0] else data))
    play.peer.close()


@PLAYS("redirect")
async def redirect(play: Play) -> None:
    """To a metadata service's path, but on a port of ours: that it was followed is seen, and harms nobody."""
    status = play.rng.choice(("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"))
    where = f"location: http://127.0.0.1:{play.trap}/latest/meta-data/iam/security-credentials/"
    await play.peer.send(play.head(where, "content-length: 0", status=status))


#: Ways to write a key in JSON: as it is, as PHP does, and in escapes only.
_SPELLINGS: Final = (
    str,
    lambda key: key.replace("/", "\\/"),
    lambda key: "".join(f"\\u{ord(char):04x}" for char in key),
)


@PLAYS("key_echo")
async def key_echo(play: Play) -> None:
    said = f"Incorrect API key provided: {play.key}. authorization: Bearer {play.key}"
    status = play.rng.choice(
        ("401 Unauthorized", "403 Forbidden", "400 Bad Request", "429 Too Many", "500 Error", "200 OK")
    )
    headers = (f"www-authenticate: Bearer {play.key}", f"x-request-id: {play.key}", f"retry-after: {play.key}")
    if status[:3] != "200":
        await play.refuse(status, *headers, message=said, spelled=play.rng.choice(_SPELLINGS))
    elif play.streamed:
        frames = play.frames
        frames.insert(play.rng.randrange(len(frames) - 1), Frame(play.dialect.wire.error_frame("api_error", said)))
        await play.answer(play.data(frames), *headers)
    else:
        await play.answer(msgspec.json.encode(play.dialect.wire.error(401, "", said)), *headers)


_RETRY_AFTER: Final = {
    "retry_after_seconds": "retry-after: 1",
    "retry_after_date": "retry-after: Wed, 21 Oct 2099 07:28:00 GMT",
    "retry_after_negative": "retry-after: -5",
    "retry_after_huge": "retry-after: 1000000000",
    "retry_after_ms": "retry-after-ms: 50",
}


@PLAYS(*_RETRY_AFTER)
async def retry_after(play: Play) -> None:
    await play.refuse("429 Too Many Requests", _RETRY_AFTER[play.directive.fault])


@PLAYS("storm_5xx")
async def storm_5xx(play: Play) -> None:
    status = play.rng.choice(("500 Internal", "502 Bad Gateway", "503 Unavailable", "504 Timeout", "520 Unknown"))
    page = play.rng.choice(
        (b"", b"<html><h1>Bad gateway</h1></html>", b"upstream connect error", b"\xff\xfe\x00", None)
    )
    if page is None:
        await play.refuse(status)
    else:
        await play.peer.send(play.head(f"content-length: {len(page)}", status=status, type="text/html") + page)


@PLAYS("overloaded_529")
async def overloaded(play: Play) -> None:
    await play.refuse("529 Overloaded", type="overloaded_error", message="Overloaded")
