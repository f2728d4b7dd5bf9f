"""What is behind the way out: httpcore and aiohttp under httpx's transport API, and our own client, beside each other.

Two questions: what a request costs at concurrency 64, and whether the slots of a pool survive requests that are given
up at any moment.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, cast

import aiohttp
import httpx
import uvloop
from httpx_aiohttp import AiohttpTransport
from msgspec import Struct

from bench import bodies, children
from bench.row import Row
from bench.stats import median
from core.errors import UpstreamFailed
from core.schema import ProviderSettings, UpstreamSettings
from core.upstream import Upstream

CONCURRENCY: Final = 64
#: Slots of the pool that is churned, and requests that want one at the same time.
SLOTS: Final = 10
#: A request is given up after at most so long (s): some are waiting, some connecting, some reading.
LONGEST_S: Final = 0.01
#: A slot that is not had after so long (s) is lost.
LOST_S: Final = 2.0
PATH: Final = "/v1/messages"
ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Client(Struct):
    """Something that sends a request and reads the answer, and how it is closed."""

    ask: Callable[[], Awaitable[int]]
    close: Callable[[], Awaitable[None]]


def _over_httpx(transport: httpx.AsyncBaseTransport, url: str, body: bytes) -> Client:
    timeout = httpx.Timeout(10, pool=LOST_S).as_dict()

    async def ask() -> int:
        headers = {"content-type": "application/json"}
        request = httpx.Request("POST", url + PATH, content=body, headers=headers, extensions={"timeout": timeout})
        response = await transport.handle_async_request(request)
        try:
            return len(await response.aread())
        finally:
            await response.aclose()

    return Client(ask, transport.aclose)


def httpcore(url: str, body: bytes, slots: int) -> Client:
    limits = httpx.Limits(max_connections=slots, max_keepalive_connections=slots)
    return _over_httpx(httpx.AsyncHTTPTransport(limits=limits, trust_env=False), url, body)


def httpx_aiohttp(url: str, body: bytes, slots: int) -> Client:
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=slots), cookie_jar=aiohttp.DummyCookieJar())
    return _over_httpx(AiohttpTransport(client=session, trust_env=False), url, body)


def ours(url: str, body: bytes, slots: int) -> Client:
    upstream = Upstream(limit=slots)
    provider = ProviderSettings(dialect="anthropic", base_url=url, allow_private=True)
    clocks = UpstreamSettings(connect_s=LOST_S)

    async def ask() -> int:
        async with upstream.post(provider, clocks, PATH, {"content-type": "application/json"}, body) as reply:
            return len(await reply.body())

    return Client(ask, upstream.close)


Maker = Callable[[str, bytes, int], Client]
CLIENTS: Final[dict[str, Maker]] = {"httpcore": httpcore, "httpx-aiohttp": httpx_aiohttp, "ours": ours}


def rows(runs: int, seconds: float) -> Iterator[Row]:
    """CPU per request, then the slots that are left after `seconds` of requests that are given up."""
    cores = children.Cores.available()
    with TemporaryDirectory() as folder, children.native("mock", core=cores.around, home=Path(folder)) as mock:
        url, body = f"http://127.0.0.1:{mock.port}", bodies.small()
        for name, make in CLIENTS.items():
            costs = [uvloop.run(_cost(make, url, body)) for _ in range(runs)]
            yield Row(
                suite="The way out", name=f"CPU at concurrency {CONCURRENCY}, {name}", value=median(costs), unit="ms",
                spread=(min(costs), max(costs)),
            )  # fmt: skip
        for name, make in CLIENTS.items():
            left, given_up = uvloop.run(_churn(make, body, seconds))
            yield Row(
                suite="The way out", name=f"slots left of {SLOTS}, {name}", value=left, unit="slots", better="higher",
                note=f"after {given_up} requests that were given up",
            )  # fmt: skip


async def _cost(make: Maker, url: str, body: bytes, requests: int = 2000) -> float:
    """CPU of this process for one request (ms), at `CONCURRENCY`."""
    client = make(url, body, CONCURRENCY)
    left = iter(range(requests))

    async def work() -> None:
        for _ in left:
            await client.ask()

    await asyncio.gather(*(client.ask() for _ in range(CONCURRENCY)))  # connections are there
    begin = time.process_time()
    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    cost = (time.process_time() - begin) * 1000 / requests
    await client.close()
    return cost


class Provider(asyncio.Protocol):
    """Answers a while after each request; from when it holds, it answers no more and counts who waits."""

    holding = False
    waiting = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if b" HTTP/1.1\r\n" not in data[:200]:  # the rest of a request
            return
        if Provider.holding:
            Provider.waiting += 1
        else:
            asyncio.get_running_loop().call_later(LONGEST_S / 4, self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(ANSWER)


async def _churn(make: Maker, body: bytes, seconds: float) -> tuple[int, int]:
    """(slots that can still be had, requests that were given up): those are cancelled at random moments."""
    Provider.holding, Provider.waiting = False, 0
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", 0)
    client = make(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", body, SLOTS)
    chance, given_up, end = random.Random(4), 0, time.monotonic() + seconds  # noqa: S311 - moments, no secrets

    async def work() -> None:
        nonlocal given_up
        while time.monotonic() < end:
            try:
                async with asyncio.timeout(chance.random() * LONGEST_S):
                    await client.ask()
            except TimeoutError:
                given_up += 1
            except (httpx.HTTPError, UpstreamFailed):
                await asyncio.sleep(0)

    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    await asyncio.sleep(LOST_S / 4)  # what was sent and given up arrives: it is not counted
    await _held(client)
    await client.close()
    server.close()
    return Provider.waiting, given_up


async def _held(client: Client) -> None:
    """As many requests as there were slots, held until they are given up."""
    Provider.holding = True

    async def one() -> None:
        with suppress(httpx.HTTPError, UpstreamFailed, TimeoutError):
            async with asyncio.timeout(LOST_S):
                await client.ask()

    await asyncio.gather(*(one() for _ in range(SLOTS)))
