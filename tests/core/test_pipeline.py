"""Many requests at once through the pipeline, to a fake provider on a real socket; only the clock is the tests'."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from configs import CONFIG
from facts import snapshot
from upstream import Upstream as Fake
from upstream_script import Step

from core.call import Call
from core.config_file import parse
from core.course import Means
from core.errors import ProxyError, Unavailable, UpstreamFailed
from core.exchange import Exchange
from core.pictures import Pictures
from core.pipeline import Pipeline
from core.resilience import RETRY_FLOOR, RETRY_SHARE
from core.routing.driver import HostDriver
from core.routing.snapshot import Snapshot
from core.standing import IN_A_ROW, OPEN_S, Standing
from core.state.memory import MemorySessions
from core.tokens import TokenCounter
from core.upstream import Upstream, fetch
from wasm_host.host import Host, Observer

BODY: dict[str, Any] = {"model": "auto", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]}
BOTH, ALONE = 'fallback = ["two,spare"]', "fallback = []"


class World:
    """A pipeline and its time."""

    def __init__(self, shot: Snapshot) -> None:
        self.now, self.shot = 0.0, shot
        self.standing = Standing(clock=lambda: self.now)
        self.standing.keep(shot.addresses)
        self.means = Means(self.standing, dice=lambda: 0.0)
        self.upstream = Upstream()
        self.pipeline = Pipeline(
            upstream=self.upstream,
            counter=TokenCounter(),
            sessions=MemorySessions(),
            driver=HostDriver(Host(Observer(), workers=1)),
            means=self.means,
            pictures=Pictures(partial(fetch, self.upstream, allow_private=True)),
        )

    async def ask(self, **more: Any) -> Exchange | ProxyError:
        """What came of one request: its exchange, or what the client is told."""
        exchange = Exchange("req_" + "0" * 32, "/v1/messages", "anthropic")
        call = Call(exchange=exchange, snapshot=self.shot, keys={}, headers={}, query="", now_ms=0, tz_offset_min=0)
        try:
            answer = await self.pipeline.answer(call, msgspec.json.encode(BODY | more))
        except ProxyError as exc:
            return exc
        if not isinstance(answer.body, bytes):
            async with answer.closing, aclosing(answer.body) as pieces:
                async for _ in pieces:
                    pass
        return exchange

    async def open(self, fake: Fake) -> None:
        """Have `one,main` fail until it is passed over."""
        fake.script(*[step for _ in range(IN_A_ROW) for step in (Step(status=529), Step(text="spare"))])
        for _ in range(IN_A_ROW):
            await self.ask()
        assert self.standing.broken(self.shot.default)


@asynccontextmanager
async def world(fake: Fake, fallback: str = BOTH, one: str = "anthropic") -> AsyncIterator[World]:
    config = CONFIG.format(url=fake.url, one=one, two="openai").replace(BOTH, fallback)
    made = World(snapshot(parse(config, Path("/etc/c.toml"))))
    try:
        yield made
    finally:
        await made.upstream.close()


def targets(results: list[Exchange | ProxyError]) -> list[str]:
    return sorted(str(result.answered_by) for result in results if isinstance(result, Exchange))


def asked(fake: Fake, path: str) -> int:
    return sum(request.path == path for request in fake.requests)


def test_one_probe_under_concurrency_and_everybody_else_goes_on(upstream: Fake) -> None:
    async def run() -> tuple[list[str], list[str]]:
        async with world(upstream) as made:
            await made.open(upstream)
            made.now = OPEN_S
            upstream.requests.clear()
            probing = await asyncio.gather(*(made.ask(stream=True) for _ in range(20)))
            return targets(probing), targets(await asyncio.gather(*(made.ask() for _ in range(5))))

    probing, later = asyncio.run(run())
    assert probing == ["one,main"] + ["two,spare"] * 19
    assert later == ["one,main"] * 5
    assert asked(upstream, "/v1/messages") == 6


def test_a_probe_whose_client_leaves_makes_room_for_the_next(upstream: Fake) -> None:
    async def run() -> list[str]:
        async with world(upstream) as made:
            await made.open(upstream)
            made.now = OPEN_S
            upstream.script(Step(delay=600))
            count = len(upstream.requests)
            probe = asyncio.create_task(made.ask())
            await asyncio.to_thread(upstream.wait_for, lambda requests: len(requests) > count)
            assert targets([await made.ask()]) == ["two,spare"]
            probe.cancel()
            await asyncio.gather(probe, return_exceptions=True)
            return targets([await made.ask()])

    assert asyncio.run(run()) == ["one,main"]


@pytest.mark.parametrize(("count", "allowed"), [(50, int(50 * RETRY_SHARE)), (5, RETRY_FLOOR)])
def test_an_outage_is_not_doubled_by_retries(upstream: Fake, count: int, allowed: int) -> None:
    async def run() -> list[Exchange | ProxyError]:
        async with world(upstream, ALONE) as made:
            made.standing.keep(made.shot.addresses, breakers=False)
            upstream.script(Step(status=500, delay=0.5, times=1000))
            results = await asyncio.gather(*(made.ask() for _ in range(count)))
            assert (made.means.budget.waiting, made.means.budget.retries) == (0, 0)
            return results

    results = asyncio.run(run())
    assert all(isinstance(result, UpstreamFailed) and result.status == 500 for result in results)
    # Retries begin when the first answers are here; those that end make room for others.
    assert count < len(upstream.requests) <= count + 2 * allowed


def test_a_lone_target_that_is_down_is_asked_and_its_own_word_is_told(upstream: Fake) -> None:
    async def run() -> list[Exchange | ProxyError]:
        async with world(upstream, ALONE) as made:
            upstream.script(Step(status=529, message="Overloaded", times=12), Step(text="well again"))
            results = [await made.ask() for _ in range(10)]
            return [*results, await made.ask(), await made.ask()]

    results = asyncio.run(run())
    told = [str(getattr(result, "message", "ok")) for result in results]
    assert told[:9] == ["Overloaded"] * 9
    assert told[-1] == "ok"
    assert len(upstream.requests) < 16


def test_if_a_lone_target_hangs_not_everybody_hangs_with_it(upstream: Fake) -> None:
    async def run() -> list[Exchange | ProxyError]:
        async with world(upstream, ALONE) as made:
            upstream.script(Step(status=500, times=IN_A_ROW))
            while not made.standing.broken(made.shot.default):
                await made.ask()
            upstream.script(Step(delay=600, times=100))
            tasks = [asyncio.create_task(made.ask()) for _ in range(20)]
            done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            while len(waiting) > 3:
                more, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                done |= more
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            assert made.standing._records[made.shot.default].in_spite == 0
            return [task.result() for task in done]

    results = asyncio.run(run())
    assert len(results) == 17
    assert all(isinstance(result, Unavailable) and result.headers["retry-after"] == "10" for result in results)


def cut_after_content(times: int) -> Step:
    return Step(text="word " * 20, fault="disconnect", after=3, times=times)


def test_streams_that_are_cut_count_and_those_that_end_excuse(upstream: Fake) -> None:
    async def run() -> list[bool]:
        async with world(upstream) as made:
            seen = []
            for step in (cut_after_content(4), Step(text="good"), cut_after_content(4), cut_after_content(1)):
                upstream.script(step)
                for _ in range(step.times):
                    await made.ask(stream=True)
                seen.append(made.standing.broken(made.shot.default))
            return seen

    assert asyncio.run(run()) == [False, False, False, True]


def test_what_is_known_of_targets_comes_from_what_was_asked(upstream: Fake) -> None:
    async def run() -> tuple[dict[str, Any], dict[str, Any]]:
        async with world(upstream) as made:
            await made.ask(stream=True)
            before = dict(made.standing.states({}))
            await made.open(upstream)
            return before, made.standing.states({})

    before, after = asyncio.run(run())
    assert set(before) == {"one,main"}
    assert before["one,main"].healthy
    assert before["one,main"].p50_ms >= 0
    assert not after["one,main"].healthy


@pytest.mark.parametrize(("dialect", "sent"), [("ollama", b'"images":["%b"]'), ("gemini", b'"data":"%b"')])
def test_an_image_by_url_reaches_a_provider_that_takes_none(upstream: Fake, dialect: str, sent: bytes) -> None:
    async def run() -> None:
        async with picture_server() as url, world(upstream, ALONE, one=dialect) as made:
            content = [{"type": "image", "source": {"type": "url", "url": url}}]
            for _ in range(2):
                result = await made.ask(messages=[{"role": "user", "content": content}])
                assert isinstance(result, Exchange), result

    asyncio.run(run())
    for request in upstream.requests:
        assert sent % base64.b64encode(PICTURE) in request.body


PICTURE = b"GIF89a a picture"


@asynccontextmanager
async def picture_server() -> AsyncIterator[str]:
    """One picture for one client, and nothing for a second."""
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        await reader.readuntil(b"\r\n\r\n")
        page = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(PICTURE), PICTURE)
        writer.write(page if served == 1 else b"")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/a.gif"
