"""The clocks run on content, and only while we wait."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest

from core.errors import UpstreamFailed
from core.patience import Patience
from core.schema import UpstreamSettings

HANG_S = 10.0
FIRST = UpstreamSettings(first_content_s=0.3, between_content_s=600)
BETWEEN = UpstreamSettings(first_content_s=600, between_content_s=0.3)


async def silent() -> AsyncGenerator[bytes, None]:
    await asyncio.sleep(600)
    yield b"never"


async def dripping() -> AsyncGenerator[bytes, None]:
    while True:
        yield b"."
        await asyncio.sleep(0.001)


def waited(clocks: UpstreamSettings, wait: Callable[[Patience], Awaitable[object]], **late: float) -> object:
    async def run() -> object:
        now = asyncio.get_running_loop().time()
        patience = Patience(clocks, asked=now - late.get("asked", 0), deadline=now + late.get("deadline", 600))
        try:
            async with asyncio.timeout(HANG_S):
                return await wait(patience)
        finally:
            patience.close()
            assert len(asyncio.all_tasks()) == 1

    return asyncio.run(run())


def drained(chunks: Callable[[], AsyncGenerator[bytes, None]]) -> Callable[[Patience], Awaitable[object]]:
    async def wait(patience: Patience) -> object:
        coming = chunks()
        while (chunk := await patience.next(coming)) is not None:
            if chunk == b"content":
                patience.content()
        return "end"

    return wait


async def one_word_then_drip() -> AsyncGenerator[bytes, None]:
    yield b"content"
    async for chunk in dripping():
        yield chunk


@pytest.mark.parametrize(
    ("clocks", "chunks", "setting"),
    [
        (FIRST, silent, "first_content_s"),
        (FIRST, dripping, "first_content_s"),
        (BETWEEN, one_word_then_drip, "between_content_s"),
    ],
)
def test_what_is_no_content_does_not_stop_a_clock(
    clocks: UpstreamSettings, chunks: Callable[[], AsyncGenerator[bytes, None]], setting: str
) -> None:
    with pytest.raises(UpstreamFailed, match=f"upstream.{setting}") as caught:
        waited(clocks, drained(chunks))
    assert (caught.value.status, caught.value.stage) == (504, "stalled")


def test_the_first_clock_runs_from_the_request() -> None:
    with pytest.raises(UpstreamFailed, match="first_content_s"):
        waited(UpstreamSettings(), drained(silent), asked=301)


def test_the_whole_has_an_end_however_lively_it_is() -> None:
    async def lively() -> AsyncGenerator[bytes, None]:
        while True:
            yield b"content"
            await asyncio.sleep(0.001)

    with pytest.raises(UpstreamFailed, match="total_s") as caught:
        waited(UpstreamSettings(), drained(lively), deadline=0.05)
    assert caught.value.stage == "stalled"


def test_content_starts_the_clock_anew() -> None:
    async def steady() -> AsyncGenerator[bytes, None]:
        for _ in range(20):
            await asyncio.sleep(0.02)
            yield b"content"

    clocks = UpstreamSettings(first_content_s=0.3, between_content_s=0.3)
    assert waited(clocks, drained(steady)) == "end"


def test_time_in_which_nobody_waits_is_not_the_provider_s() -> None:
    async def slow_reader(patience: Patience) -> object:
        coming = one_word_then_drip()
        await patience.next(coming)
        patience.content()
        await patience.next(coming)
        await asyncio.sleep(0.5)  # the client does not read for longer than the clock runs
        return await patience.next(coming)

    assert waited(BETWEEN, slow_reader) == b"."


def test_a_cancelled_wait_is_cancelled_and_no_failure() -> None:
    async def cancelled(patience: Patience) -> object:
        task = asyncio.ensure_future(patience.next(silent()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return "cancelled"

    assert waited(FIRST, cancelled) == "cancelled"


def test_after_the_last_word_only_the_end_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.patience.ENDING_S", 0.05)

    async def whole(patience: Patience) -> object:
        patience.whole()
        return await patience.next(silent())

    with pytest.raises(UpstreamFailed):
        waited(UpstreamSettings(), whole)
