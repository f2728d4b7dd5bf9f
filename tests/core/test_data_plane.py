"""The edge's own pieces; the whole of it is shown by tests/e2e."""

import asyncio

from core import data_plane
from core.data_plane import Message


def test_silence_is_filled_with_pings_and_talk_is_not() -> None:
    async def run() -> tuple[list[Message], int]:
        sent: list[Message] = []
        pinged = asyncio.Event()

        async def send(message: Message) -> None:
            sent.append(message)
            pinged.set()

        async with data_plane._pinging(send, b": ping\n\n", every_s=0.01, over=lambda: False):
            await asyncio.wait_for(pinged.wait(), 10)
        await asyncio.sleep(0)
        return sent, len(asyncio.all_tasks())

    sent, tasks = asyncio.run(run())
    assert sent[0] == {"type": "http.response.body", "body": b": ping\n\n", "more_body": True}
    assert tasks == 1


def test_what_was_said_puts_the_ping_off() -> None:
    async def run() -> list[Message]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async with data_plane._pinging(send, b"ping", every_s=600, over=lambda: False) as say:
            for _ in range(100):
                await say(b"x")
                await asyncio.sleep(0)
        return sent

    assert asyncio.run(run()) == [{"type": "http.response.body", "body": b"x", "more_body": True}] * 100


def test_no_ping_while_a_piece_waits_for_a_client_that_does_not_read() -> None:
    """The piece may be the last one, and nothing must come behind it."""

    async def run() -> list[bytes]:
        sent: list[bytes] = []
        readable = asyncio.Event()

        async def send(message: Message) -> None:
            await readable.wait()
            sent.append(message["body"])

        async with data_plane._pinging(send, b"ping", every_s=0.001, over=lambda: False) as say:
            saying: asyncio.Task[None] = asyncio.create_task(say(b"last"))
            await asyncio.sleep(0.05)
            readable.set()
            await saying
        await asyncio.sleep(0.01)
        return sent

    assert asyncio.run(run()) == [b"last"]
