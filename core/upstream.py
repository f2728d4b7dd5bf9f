"""The way out: the only module that talks to providers.

No redirects, no proxy variables, identity encoding, raw bytes. Each address is judged after it is resolved, and exactly
the judged address is connected to. httpx's transport API is used without its client: that would send the cookies of one
answer with the next request, and takes a sixth of a small request's time. aiohttp is behind it, because httpcore's pool
loses slots to cancelled requests.
"""

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp import AiohttpTransport

from core.addresses import forbidden
from core.errors import UpstreamFailed
from core.schema import ProviderSettings, UpstreamSettings

# httpx logs every URL at INFO, and some providers want the key in the URL.
logging.getLogger("httpx").setLevel(logging.WARNING)

#: The largest answer that is not streamed, in bytes.
MAX_ANSWER = 64 * 1024 * 1024
#: Connections to all providers at once.
MAX_CONNECTIONS = 1000
OWN_HEADERS = {"accept-encoding": "identity", "user-agent": "terraphim-proxy"}


class ForbiddenAddressError(OSError):
    """The host resolves to an address that must not be connected to."""


@dataclass(frozen=True)
class Reply:
    """A provider's answer: status, headers (lower-case), and its raw bytes as they arrive."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]

    async def body(self) -> bytes:
        """The whole body; UpstreamFailed if it is cut or over `MAX_ANSWER`."""
        parts: list[bytes] = []
        size = 0
        async for chunk in self.chunks:
            size += len(chunk)
            if size > MAX_ANSWER:
                raise UpstreamFailed(502, "the provider's answer is too large", stage="cut")
            parts.append(chunk)
        return b"".join(parts)


class GuardedResolver(AbstractResolver):
    """Resolves and judges. aiohttp connects to what this returns, so there is no second look-up to rebind."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        results: list[ResolveResult] = []
        for found_family, _, proto, _, address in found:
            why = forbidden(str(address[0]), allow_private=self._allow_private)
            if why:
                raise ForbiddenAddressError(f"{host} resolves to {address[0]}, which {why}")
            results.append(
                ResolveResult(
                    hostname=host, host=str(address[0]), port=port, family=found_family, proto=proto,
                    flags=socket.AI_NUMERICHOST,
                )
            )  # fmt: skip
        return results

    async def close(self) -> None:
        """Nothing to close."""


class Upstream:
    """One transport for each kind of provider: those that may be on a private address, and those that may not."""

    def __init__(self) -> None:
        self._transports: dict[bool, AiohttpTransport] = {}

    def _transport(self, *, allow_private: bool) -> AiohttpTransport:
        transport = self._transports.get(allow_private)
        if transport is None:
            connector = aiohttp.TCPConnector(
                limit=MAX_CONNECTIONS, resolver=GuardedResolver(allow_private=allow_private), use_dns_cache=False
            )
            session = aiohttp.ClientSession(
                connector=connector,
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("User-Agent",),
            )
            transport = self._transports[allow_private] = AiohttpTransport(client=session, trust_env=False)
        return transport

    @asynccontextmanager
    async def post(
        self, provider: ProviderSettings, clocks: UpstreamSettings, path: str, headers: Mapping[str, str], body: bytes
    ) -> AsyncIterator[Reply]:
        """Send one request; the connection is released when the block is left, however that happens.

        Raises UpstreamFailed with the stage that was reached. A status is no failure here.
        """
        url = _judged_url(provider.base_url.rstrip("/") + path, allow_private=provider.allow_private)
        transport = self._transport(allow_private=provider.allow_private)
        sent = {**OWN_HEADERS, **headers}
        read_s = max(clocks.first_content_s, clocks.between_content_s)
        timeout = httpx.Timeout(read_s, connect=clocks.connect_s, pool=clocks.connect_s)
        request = httpx.Request("POST", url, content=body, headers=sent, extensions={"timeout": timeout.as_dict()})
        try:
            response = await transport.handle_async_request(request)
        except Exception as exc:
            raise classify(exc) from exc
        try:
            lowered = {name.lower().decode("latin-1"): value.decode("latin-1") for name, value in response.headers.raw}
            yield Reply(response.status_code, lowered, _chunks(response, clocks.total_s))
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close all connections."""
        for transport in self._transports.values():
            await transport.aclose()


async def _chunks(response: httpx.Response, total_s: float) -> AsyncIterator[bytes]:
    deadline = time.monotonic() + total_s
    try:
        async for chunk in response.aiter_raw():
            yield chunk
            if time.monotonic() > deadline:
                raise TimeoutError
    except Exception as exc:
        raise classify(exc, answered=True) from exc


@lru_cache(maxsize=256)  # providers times paths
def _judged_url(text: str, *, allow_private: bool) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as exc:
        raise UpstreamFailed(502, f"the provider's base_url is no URL: {exc}", stage="not_sent") from None
    _judge_literal(url.host, allow_private=allow_private)
    return url


def _judge_literal(host: str, *, allow_private: bool) -> None:
    """Aiohttp asks no resolver about an address literal, so it is judged here."""
    try:
        ip_address(host)
    except ValueError:
        return
    why = forbidden(host, allow_private=allow_private)
    if why:
        raise UpstreamFailed(502, f"the provider's address {host} {why}", stage="not_sent")


def classify(exc: BaseException, *, answered: bool = False) -> UpstreamFailed:
    """What a transport error means. The cause tells "never connected" from "closed after it was sent", which
    httpx-aiohttp maps to the same exception; only the former may be called not sent.
    """
    causes: list[BaseException] = []
    cause: BaseException | None = exc
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__ or getattr(cause, "os_error", None)
    forbidden_address = next((c for c in causes if isinstance(c, ForbiddenAddressError)), None)
    if forbidden_address is not None:
        return UpstreamFailed(502, f"the provider's address is refused: {forbidden_address}", stage="not_sent")
    late = any(isinstance(c, TimeoutError | httpx.TimeoutException) for c in causes)
    if answered and late:
        return UpstreamFailed(504, "the provider fell silent in the middle of its answer", stage="cut")
    if answered:
        return UpstreamFailed(502, "the provider's answer broke off", stage="cut")
    if any(isinstance(c, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError) for c in causes):
        return UpstreamFailed(502, "the provider cannot be reached", stage="not_sent")
    if late and not any(isinstance(c, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError) for c in causes):
        return UpstreamFailed(504, "the provider did not answer in time", stage="unknown")
    return UpstreamFailed(502, "the provider closed the connection without an answer", stage="unknown")
