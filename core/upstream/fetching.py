"""A file of the web for a client: GET, public addresses only, bounded in size and time.

The client chose the address, so what it is told of a failure says nothing of what is there: a private address, a closed
port and an unknown name are one answer.
"""

import asyncio

from core.errors import UpstreamFailed
from core.schema import UpstreamSettings
from core.upstream.client import Reply, Upstream


async def fetch(upstream: Upstream, url: str, most: int, seconds: float, *, allow_private: bool = False) -> bytes:
    """At most `most` bytes within `seconds`; UpstreamFailed says why not, in words that follow the host's name.

    `allow_private` is for tests: no setting says it.
    """
    clocks = UpstreamSettings(connect_s=seconds, first_content_s=seconds, between_content_s=seconds, total_s=seconds)
    headers = {"accept": "image/*"}
    try:
        async with asyncio.timeout(seconds), upstream.get(url, clocks, headers, allow_private=allow_private) as reply:
            return await _body(reply, most)
    except TimeoutError:
        raise UpstreamFailed(504, f"it took longer than {seconds:g} s (images.fetch_s)", stage="stalled") from None
    except UpstreamFailed as failed:
        raise UpstreamFailed(failed.status, _WORDS.get(failed.stage, failed.message), stage=failed.stage) from None


async def _body(reply: Reply, most: int) -> bytes:
    if reply.status != 200:
        why = "; redirects are not followed" if 300 <= reply.status < 400 else ""
        raise UpstreamFailed(502, f"it answered {reply.status}{why}", stage="answered")
    parts: list[bytes] = []
    size = 0
    async for chunk in reply.chunks:
        size += len(chunk)
        if size > most:
            raise UpstreamFailed(502, f"it is over {most} bytes (images.max_bytes)", stage="answered")
        parts.append(chunk)
    return b"".join(parts)


_WORDS = {
    "not_sent": "it cannot be reached at a public address",
    "unknown": "it closed the connection without an answer",
    "cut": "its answer broke off",
    "stalled": "it was silent for too long (images.fetch_s)",
}
