"""Requests to providers: no redirects, no proxy variables, no decompression, no cookies; raw bytes, bounded in size and
time.

httpx's transport API is used without its client: that would send the cookies of one answer with the next request, and
takes a sixth of a small request's time. aiohttp is behind it: docs/decisions.md says why, and what was measured.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from core.edge import headers_of
from core.errors import UpstreamFailed
from core.schema import ProviderSettings, UpstreamSettings
from core.upstream.connections import MAX_CONNECTIONS, Counts, GuardedConnector, tls
from core.upstream.failures import classify

# httpx logs every URL at INFO, and some providers want the key in the URL.
logging.getLogger("httpx").setLevel(logging.WARNING)

#: The largest answer that is not streamed, in bytes.
MAX_ANSWER = 64 * 1024 * 1024
OWN_HEADERS = {"accept-encoding": "identity", "user-agent": "terraphim-proxy"}

#: The pool of files of the web, where a provider's has its address.
WEB = "web"

#: What no field value may hold (RFC 9110, section 5.5).
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


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
        try:
            async with asyncio.timeout_at(self.deadline if self.deadline < float("inf") else None):
                async for chunk in self.chunks:
                    size += len(chunk)
                    if size > MAX_ANSWER:
                        raise UpstreamFailed(502, "the provider's answer is too large", stage="cut")
                    parts.append(chunk)
        except TimeoutError:
            raise _too_long() from None
        return b"".join(parts)


class Upstream:
    """The pools: one for each provider's address and what it is allowed.

    So a connection that was made under one judgement is never used under another, and what a provider sends can reach
    no other provider's requests.
    """

    def __init__(self, *, limit: int = MAX_CONNECTIONS) -> None:
        self._limit = limit
        self._pools: dict[tuple[str, bool], _Pool] = {}

    def counts(self) -> Counts:
        """What all pools hold now."""
        held = [pool.connector.counts() for pool in list(self._pools.values())]
        return Counts(*map(sum, zip(*held, strict=True))) if held else Counts(0, 0, 0)

    def counts_at(self, provider: ProviderSettings) -> Counts:
        """The same of those to this provider's address."""
        pool = self._pools.get((provider.base_url, provider.allow_private))
        return pool.connector.counts() if pool else Counts(0, 0, 0)

    def post(
        self, provider: ProviderSettings, clocks: UpstreamSettings, path: str, headers: Mapping[str, str], body: bytes
    ) -> AbstractAsyncContextManager[Reply]:
        """Send one request; the connection is released when the block is left, however that happens.

        Raises UpstreamFailed with the stage that was reached. A status is no failure here.
        """
        url = _url(provider.base_url.rstrip("/") + path)
        timeouts = {"timeout": _timeouts(clocks)}
        request = httpx.Request("POST", url, content=body, headers={**OWN_HEADERS, **headers}, extensions=timeouts)
        return self._exchange(request, clocks, (provider.base_url, provider.allow_private))

    def get(
        self, url: str, clocks: UpstreamSettings, headers: Mapping[str, str], *, allow_private: bool = False
    ) -> AbstractAsyncContextManager[Reply]:
        """Ask for a file of the web, by connections that no provider's request uses. Otherwise like `post`."""
        timeouts = {"timeout": _timeouts(clocks)}
        request = httpx.Request("GET", _parsed(url), headers={**OWN_HEADERS, **headers}, extensions=timeouts)
        return self._exchange(request, clocks, (WEB, allow_private))

    @asynccontextmanager
    async def _exchange(
        self, request: httpx.Request, clocks: UpstreamSettings, key: tuple[str, bool]
    ) -> AsyncIterator[Reply]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + clocks.total_s
        pool = self._pools.get(key) or await self._new_pool(key)
        try:
            # Bytes that keep coming are no answer: a head that drips, interim answers.
            async with asyncio.timeout_at(min(deadline, loop.time() + clocks.first_content_s) + _connecting(clocks)):
                response = await pool.transport.handle_async_request(request)
        except Exception as exc:
            raise classify(exc) from exc
        try:
            yield _reply(response, deadline)
        finally:
            await _stream(response).aclose()

    async def _new_pool(self, key: tuple[str, bool]) -> "_Pool":
        """Pools of providers that are configured no more become empty, and go when the next one comes."""
        empty = [old for old, pool in self._pools.items() if not any(pool.connector.counts())]
        for pool in [self._pools.pop(old) for old in empty]:
            await pool.transport.aclose()
        if key not in self._pools:  # another request may have made it meanwhile
            self._pools[key] = _Pool(allow_private=key[1], limit=self._limit)
        return self._pools[key]

    async def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            await pool.transport.aclose()


class _Pool:
    def __init__(self, *, allow_private: bool, limit: int) -> None:
        self.connector = GuardedConnector(allow_private=allow_private, limit=limit)
        session = aiohttp.ClientSession(
            connector=self.connector,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent",),
        )
        self.transport = AiohttpTransport(client=session, verify=tls(), trust_env=False)


def _timeouts(clocks: UpstreamSettings) -> dict[str, float | None]:
    """The transport's own: to get a connection (look-up, TCP, TLS), and for silence on it."""
    silence_s = max(clocks.first_content_s, clocks.between_content_s)
    return {"connect": clocks.connect_s, "pool": clocks.connect_s, "read": silence_s, "write": None}


def _connecting(clocks: UpstreamSettings) -> float:
    """How long connecting may take, at most: aiohttp rounds the end of its longer clocks up to a whole second."""
    return clocks.connect_s + 1.0


def _reply(response: httpx.Response, deadline: float) -> Reply:
    raw = response.headers.raw
    if _CONTROLS.search(b"".join([value for _, value in raw])):
        raw = [(name, value) for name, value in raw if not _CONTROLS.search(value)]
    headers = headers_of([(name.lower(), value) for name, value in raw])
    encoding = headers.get("content-encoding", "identity").strip().lower()
    framing = headers.get("transfer-encoding", "chunked").strip().lower()
    if framing != "chunked":  # e.g. "gzip, chunked" (RFC 9112, section 7.2)
        encoding = framing
    if encoding in {"", "identity"}:
        return Reply(response.status_code, headers, _chunks(response, deadline), deadline)
    if response.status_code == 200:
        # Not inflated, for a small answer may become gigabytes; not passed on, for it is no text.
        what = f"the provider compressed its answer ({encoding[:20]}) although it was asked not to"
        raise UpstreamFailed(502, what, stage="answered")
    return Reply(response.status_code, headers, _nothing(), deadline)  # the status counts


def _stream(response: httpx.Response) -> httpx.AsyncByteStream:
    return cast("httpx.AsyncByteStream", response.stream)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


async def _chunks(response: httpx.Response, deadline: float) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    try:
        # Not aiter_raw: its counting and slicing cost more than all else that is done with a chunk here.
        async for chunk in _stream(response):
            yield chunk
            if loop.time() > deadline:
                raise _too_long()
    except UpstreamFailed:
        raise
    except Exception as exc:
        raise classify(exc, answered=True) from exc


def _too_long() -> UpstreamFailed:
    return UpstreamFailed(504, "the provider's answer takes longer than upstream.total_s", stage="stalled")


def _parsed(text: str) -> httpx.URL:
    try:
        return httpx.URL(text)
    except httpx.InvalidURL as exc:
        raise UpstreamFailed(502, f"the provider's base_url is no URL: {exc}", stage="not_sent") from None


_url = lru_cache(maxsize=256)(_parsed)  # providers times paths
