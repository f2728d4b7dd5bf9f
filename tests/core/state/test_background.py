"""Writes after the answer: none waits, none is lost unseen, and the end is bounded."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from loops import on_a_loop, until

from core.state.background import Background
from core.state.redis import StoreDown


@on_a_loop
async def test_what_is_written_soon_is_written_without_waiting() -> None:
    written: list[int] = []
    background = Background()
    assert all(background.soon(adding(written, number)) for number in range(100))
    assert written == []
    await background.close()
    assert (sorted(written), background.dropped) == (list(range(100)), 0)


@on_a_loop
async def test_what_does_not_fit_is_dropped_and_counted() -> None:
    written: list[int] = []
    background = Background(room=3)
    assert [background.soon(adding(written, number)) for number in range(5)] == [True, True, True, False, False]
    await background.close()
    assert (sorted(written), background.dropped) == ([0, 1, 2], 2)


@on_a_loop
async def test_there_is_room_again_and_the_tasks_end() -> None:
    background = Background(room=1)
    written: list[int] = []
    for _ in range(3):
        assert background.soon(adding(written, 1))
        await until(lambda: bool(written))
        written.clear()
    await until(lambda: len(asyncio.all_tasks()) == 1)


@on_a_loop
async def test_only_so_many_are_under_way_at_once() -> None:
    under_way, most = 0, 0

    async def write() -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1

    background = Background(at_once=4)
    for _ in range(50):
        background.soon(write)
    await background.close()
    assert (most, under_way, background.dropped) == (4, 0, 0)


@on_a_loop
async def test_a_store_that_is_down_drops_and_goes_on() -> None:
    written: list[int] = []

    async def down() -> None:
        raise StoreDown("refused")

    background = Background(at_once=1)
    background.soon(down)
    background.soon(adding(written, 1))
    await background.close()
    assert (written, background.dropped) == ([1], 1)


@on_a_loop
async def test_a_bug_is_told_and_keeps_no_other_write() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    written: list[int] = []

    async def bug() -> None:
        raise ZeroDivisionError

    background = Background(at_once=1)
    background.soon(bug)
    background.soon(adding(written, 1))
    await background.close()
    assert (written, background.dropped) == ([1], 1)
    assert [type(context["exception"]) for context in told] == [ZeroDivisionError]


@on_a_loop
async def test_the_end_does_not_wait_for_a_store_that_hangs() -> None:
    cancelled = 0

    async def hang() -> None:
        nonlocal cancelled
        try:
            await asyncio.Event().wait()
        finally:
            cancelled += 1

    background = Background(at_once=2)
    for _ in range(5):
        background.soon(hang)
    await background.close(within_s=0.01)
    assert (cancelled, background.dropped) == (2, 5)


def adding(written: list[int], number: int) -> Callable[[], Awaitable[None]]:
    async def write() -> None:
        await asyncio.sleep(0)
        written.append(number)

    return write
