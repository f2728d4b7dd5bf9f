"""How many connections there are, who gets the next, and what ends them. Real sockets."""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any

import pytest
import uvloop
from asgi import until
from raw_provider import BODY, OK, provider, says

from core.errors import UpstreamFailed
from core.schema import ProviderSettings, UpstreamSettings
from core.upstream import Upstream, provider_pool
from core.upstream.places import place
from core.upstream.provider_pool import KEEP_ALIVE_S, Pool, _kept_s

CLOCKS = UpstreamSettings()


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Any:
    def bounded(main: Coroutine[Any, Any, None]) -> None:
        request.param(asyncio.wait_for(main, 10))

    return bounded


class Gate:
    """A provider that answers when it may, in the order of the requests."""

    def __init__(self) -> None:
        self.may = asyncio.Semaphore(0)

    async def __call__(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.may.acquire()
        writer.write(OK)


async def ask(upstream: Upstream, settings: ProviderSettings, clocks: UpstreamSettings = CLOCKS) -> bytes:
    async with upstream.post(settings, clocks, "/x", {}, BODY) as reply:
        return await reply.body()


def test_who_has_waited_longest_gets_the_slot(run: Any) -> None:
    async def main() -> None:
        upstream, gate, order = Upstream(limit=2), Gate(), list[int]()

        async def one(number: int) -> None:
            await ask(upstream, settings)
            order.append(number)

        async with provider(gate) as (settings, seen):
            asking = []
            for number in range(6):
                asking.append(asyncio.ensure_future(one(number)))
                await until(lambda: upstream.counts()[0] + upstream.counts()[2] == len(asking))
            await until(lambda: len(seen.requests) == 2)
            assert upstream.counts() == (2, 0, 4)
            for done in range(1, 7):
                gate.may.release()
                await until(partial(lambda count: len(order) == count, done))
            await asyncio.gather(*asking)
            assert sorted(order[:2]) == [0, 1]
            assert order[2:] == [2, 3, 4, 5]
            assert (seen.connections, upstream.counts()) == (2, (0, 2, 0))
            await upstream.close()

    run(main())


def test_a_slot_that_is_given_to_somebody_who_left_goes_on_to_the_next(run: Any) -> None:
    async def main() -> None:
        async with provider(says(OK)) as (settings, _):
            pool, origin = Pool(allow_private=True, limit=1), place(settings.base_url).origin
            held = await pool.connection(origin, 9)
            gone, last = (asyncio.ensure_future(pool.connection(origin, 9)) for _ in range(2))
            await until(lambda: pool.counts() == (1, 0, 2))
            pool.release(held)
            gone.cancel()  # it has been given the slot, and does not know yet
            with pytest.raises(asyncio.CancelledError):
                await gone
            pool.release(await last)
            assert pool.counts() == (0, 0, 0)
            pool.close()

    run(main())


def test_who_waits_for_a_slot_does_so_by_the_connect_clock(run: Any) -> None:
    async def main() -> None:
        upstream = Upstream(limit=1)
        async with provider(says()) as (settings, _):
            holds = asyncio.ensure_future(ask(upstream, settings))
            await until(lambda: upstream.counts() == (1, 0, 0))
            with pytest.raises(UpstreamFailed) as failed:
                await ask(upstream, settings, UpstreamSettings(connect_s=0.05))
            assert (failed.value.status, failed.value.stage) == (504, "not_sent")
            assert upstream.counts() == (1, 0, 0)
            holds.cancel()
            await asyncio.wait([holds])
            assert upstream.counts() == (0, 0, 0)
            await upstream.close()

    run(main())


def test_closing_ends_everything_and_a_later_request_begins_anew(run: Any) -> None:
    async def main() -> None:
        upstream, gate = Upstream(limit=2), Gate()
        async with provider(gate) as (settings, seen):
            gate.may.release()
            assert await ask(upstream, settings) == BODY
            asking = [asyncio.ensure_future(ask(upstream, settings)) for _ in range(4)]
            await until(lambda: upstream.counts() == (2, 0, 2) and len(seen.requests) == 3)
            await upstream.close()
            failed = await asyncio.gather(*asking, return_exceptions=True)
            assert sorted(getattr(each, "stage", "") for each in failed) == ["not_sent"] * 2 + ["unknown"] * 2
            assert upstream.counts() == (0, 0, 0)
            gate.may.release()
            gate.may.release()
            gate.may.release()
            assert await ask(upstream, settings) == BODY
            await upstream.close()

    run(main())


def test_an_idle_connection_is_closed_after_a_while(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_pool, "KEEP_ALIVE_S", 0.05)

    async def main() -> None:
        upstream = Upstream()
        async with provider(says(OK)) as (settings, seen):
            assert await ask(upstream, settings) == BODY
            assert upstream.counts() == (0, 1, 0)
            await until(lambda: upstream.counts() == (0, 0, 0) and seen.ended.is_set())
            await upstream.close()

    run(main())


def test_one_timer_serves_all_who_wait(run: Any) -> None:
    """Each has its own clock, and only the one whose time it is is told."""

    async def main() -> None:
        upstream = Upstream()
        async with provider(says()) as (settings, _):
            patient = asyncio.ensure_future(ask(upstream, settings))
            await until(lambda: upstream.counts().acquired == 1)
            for _ in range(2):
                with pytest.raises(UpstreamFailed) as failed:
                    await ask(upstream, settings, UpstreamSettings(first_content_s=0.05))
                assert (failed.value.status, failed.value.stage) == (504, "unknown")
            assert not patient.done()
            patient.cancel()
            await asyncio.wait([patient])
            await upstream.close()

    run(main())


@pytest.mark.parametrize(
    ("hint", "seconds"),
    [("", KEEP_ALIVE_S), ("timeout=5", 4.0), ("max=9, Timeout=2", 1.0), ("timeout=1", 0.0),
     ("timeout=600", KEEP_ALIVE_S), ("timeout=x", KEEP_ALIVE_S), ("timeout=-1", KEEP_ALIVE_S),
     ("timeout=" + "9" * 99, KEEP_ALIVE_S)],
)  # fmt: skip
def test_a_providers_word_on_keeping_a_connection(hint: str, seconds: float) -> None:
    assert _kept_s(hint) == seconds
