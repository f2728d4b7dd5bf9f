"""Signs of life in a stream; the rest of what is sent is shown by tests/e2e."""

import asyncio

from core.sending import Pings


def test_silence_is_filled_with_pings() -> None:
    async def run() -> tuple[list[bytes], int]:
        said: list[bytes] = []
        twice = asyncio.Event()

        def say(piece: bytes) -> None:
            said.append(piece)
            if len(said) == 2:
                twice.set()

        with Pings(say, b": ping\n\n", 0.01, lambda: False):
            await asyncio.wait_for(twice.wait(), 10)
            tasks = len(asyncio.all_tasks())
        await asyncio.sleep(0.05)
        return said, tasks

    assert asyncio.run(run()) == ([b": ping\n\n"] * 2, 1)


def test_what_was_sent_puts_the_ping_off() -> None:
    """The timer is due again and again while the stream talks."""

    async def run() -> list[bytes]:
        said: list[bytes] = []
        loop = asyncio.get_running_loop()
        with Pings(said.append, b"ping", 0.2, lambda: False) as pings:
            until = loop.time() + 0.5
            while loop.time() < until:
                pings.put_off()
                await asyncio.sleep(0)
        return said

    assert asyncio.run(run()) == []


def test_no_ping_behind_the_end() -> None:
    async def run() -> list[bytes]:
        said: list[bytes] = []
        with Pings(said.append, b"ping", 0.001, lambda: True):
            await asyncio.sleep(0.05)
        return said

    assert asyncio.run(run()) == []


def test_no_ping_where_a_dialect_has_none() -> None:
    async def run() -> list[bytes]:
        said: list[bytes] = []
        with Pings(said.append, b"", 0.001, lambda: False):
            await asyncio.sleep(0.05)
        return said

    assert asyncio.run(run()) == []
