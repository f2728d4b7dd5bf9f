"""Requests to providers: no redirects, no proxy variables, no decompression, no cookies; raw bytes, bounded in size and
time.

Our own client on llhttp: docs/decisions.md says why, and what was measured.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType

from core.errors import UpstreamFailed
from core.schema import ProviderSettings, UpstreamSettings
from core.upstream import failures
from core.upstream.connections import Connection
from core.upstream.incoming import Incoming
from core.upstream.places import Place, known_place, place
from core.upstream.provider_pool import MAX_CONNECTIONS, Counts, Pool

#: The largest answer that is not streamed, in bytes.
MAX_ANSWER = 64 * 1024 * 1024
OWN_HEADERS = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "terraphim-proxy"}

#: The pool of files of the web, where a provider's has its address.
WEB = "web"


@dataclass(frozen=True)
class Reply:
    """A provider's answer: status, headers (lower-case), and its raw bytes as they arrive.

    `chunks` raises UpstreamFailed. `deadline` is when the answer must be whole, in the event loop's time.
    """

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]
    deadline: float = float("inf")

    async def body(self) -> bytes:
        """The whole body; UpstreamFailed if it is cut, late or over `MAX_ANSWER`."""
        parts: list[bytes] = []
        size = 0
        async for chunk in self.chunks:
            size += len(chunk)
            if size > MAX_ANSWER:
                raise UpstreamFailed(502, "the provider's answer is too large", stage="cut")
            parts.append(chunk)
        return b"".join(parts)


class Upstream:
    """The pools: one for each provider's address and what it is allowed.

    So a connection that was made under one judgement is never used under another, and what a provider sends can reach
    no other provider's requests.
    """

    def __init__(self, *, limit: int = MAX_CONNECTIONS) -> None:
        self._limit = limit
        self._pools: dict[tuple[str, bool], Pool] = {}

    def counts(self) -> Counts:
        """What all pools hold now."""
        held = [pool.counts() for pool in list(self._pools.values())]
        return Counts(*map(sum, zip(*held, strict=True))) if held else Counts(0, 0, 0)

    def counts_at(self, provider: ProviderSettings) -> Counts:
        """The same of those to this provider's address."""
        pool = self._pools.get((provider.base_url, provider.allow_private))
        return pool.counts() if pool else Counts(0, 0, 0)

    def post(
        self, provider: ProviderSettings, clocks: UpstreamSettings, path: str, headers: Mapping[str, str], body: bytes
    ) -> AbstractAsyncContextManager[Reply]:
        """Send one request; the connection is released when the block is left, however that happens.

        Raises UpstreamFailed with the stage that was reached. A status is no failure here.
        """
        where = known_place(provider.base_url.rstrip("/") + path)
        head = _head("POST", where, {**OWN_HEADERS, **headers, "content-length": str(len(body))})
        return _Exchange(self._pool((provider.base_url, provider.allow_private)), where, clocks, head, body)

    def get(
        self, url: str, clocks: UpstreamSettings, headers: Mapping[str, str], *, allow_private: bool = False
    ) -> AbstractAsyncContextManager[Reply]:
        """Ask for a file of the web, by connections that no provider's request uses. Otherwise like `post`."""
        where = place(url)
        head = _head("GET", where, {**OWN_HEADERS, **headers})
        return _Exchange(self._pool((WEB, allow_private)), where, clocks, head, b"")

    def _pool(self, key: tuple[str, bool]) -> Pool:
        """Pools of providers that are configured no more become empty, and go when the next one comes."""
        if (known := self._pools.get(key)) is not None:
            return known
        for old in [old for old, pool in self._pools.items() if not any(pool.counts())]:
            self._pools.pop(old).close()
        made = self._pools[key] = Pool(allow_private=key[1], limit=self._limit)
        return made

    async def close(self) -> None:
        """Close all connections. Requests that come later make new ones."""
        while self._pools:
            self._pools.popitem()[1].close()
        await asyncio.sleep(0)  # their transports end in the event loop's next turn


class _Exchange:
    """One request and its answer."""

    def __init__(self, pool: Pool, where: Place, clocks: UpstreamSettings, head: bytes, body: bytes) -> None:
        self._pool, self._where, self._clocks = pool, where, clocks
        self._head, self._body = head, body
        self._connection: Connection | None = None

    async def __aenter__(self) -> Reply:
        clocks, loop = self._clocks, asyncio.get_running_loop()
        deadline = loop.time() + clocks.total_s
        connection = await self._pool.connection(self._where.origin, min(clocks.connect_s, clocks.total_s))
        self._connection = connection
        try:
            silence_s = max(clocks.first_content_s, clocks.between_content_s)
            incoming = Incoming(connection, loop, silence_s, deadline)
            connection.send(self._head, self._body, incoming)
            # Bytes that keep coming are no answer: a head that drips, interim answers.
            await incoming.head(min(deadline, loop.time() + clocks.first_content_s))
            return _reply(incoming, deadline)
        except BaseException:
            self._pool.release(connection)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._pool.release(self._connection)


def _head(method: str, where: Place, headers: Mapping[str, str]) -> bytes:
    """The head of a request. UpstreamFailed for a field that is none, or more than one (RFC 9110, section 5.5)."""
    fields = [f"{name}: {value}" for name, value in headers.items()]
    text = "".join(fields)
    if not (text.isascii() and text.isprintable()):
        raise failures.not_sent("a header of the request cannot be sent")
    return "\r\n".join((f"{method} {where.target} HTTP/1.1", f"host: {where.host}", *fields, "\r\n")).encode("ascii")


def _reply(incoming: Incoming, deadline: float) -> Reply:
    status, headers = incoming.reader.status, incoming.reader.headers
    encoding = headers.get("content-encoding", "identity").strip().lower()
    framing = headers.get("transfer-encoding", "chunked").strip().lower()
    if framing != "chunked":  # e.g. "gzip, chunked" (RFC 9112, section 7.2)
        encoding = framing
    if encoding in {"", "identity"}:
        return Reply(status, headers, incoming, deadline)
    if status == 200:
        # Not inflated, for a small answer may become gigabytes; not passed on, for it is no text.
        what = f"the provider compressed its answer ({encoding[:20]}) although it was asked not to"
        raise UpstreamFailed(502, what, stage="answered")
    return Reply(status, headers, _nothing(), deadline)  # the status counts


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
