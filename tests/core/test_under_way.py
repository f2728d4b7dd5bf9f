import asyncio

import pytest

from core.errors import ShuttingDown, public_error
from core.exchange import Exchange
from core.under_way import UnderWay


async def wait_for_ever(under_way: UnderWay, dialect: str) -> None:
    with under_way.request(Exchange("req_1", "/", dialect)):
        await asyncio.Event().wait()


@pytest.mark.parametrize(("dialect", "status"), [("anthropic", 529), ("openai", 503)])
def test_a_request_is_ended_with_an_error_that_its_client_knows(dialect: str, status: int) -> None:
    async def run() -> tuple[int, int, BaseException, int]:
        under_way = UnderWay()
        task = asyncio.create_task(wait_for_ever(under_way, dialect))
        await asyncio.sleep(0)
        ended = under_way.end(), under_way.end()  # the second time nobody is left to be ended
        [raised] = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(raised, ShuttingDown)
        return *ended, raised, len(under_way)

    first, second, raised, left = asyncio.run(run())
    assert (first, second, left) == (1, 0, 0)
    assert public_error(raised)[:2] == (status, "overloaded_error")


def test_a_request_that_is_cancelled_by_others_stays_cancelled() -> None:
    async def run() -> None:
        under_way = UnderWay()
        for ended in (False, True):
            task = asyncio.create_task(wait_for_ever(under_way, "openai"))
            await asyncio.sleep(0)
            if ended:
                under_way.end()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert len(under_way) == 0

    asyncio.run(run())


def test_what_ends_by_itself_is_left_alone() -> None:
    async def run() -> int:
        under_way = UnderWay()
        with under_way.request(Exchange("req_1", "/", "openai")):
            assert len(under_way) == 1
        return under_way.end()

    assert asyncio.run(run()) == 0
