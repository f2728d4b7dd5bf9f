"""What stands between a proxy and its Redis, and can be told to do harm: `with relay(port) as between`."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Final

#: A slow network, in seconds each way.
SLOW_S: Final = 0.1
#: Of a server's bytes, so many are let through before a cut.
CUT_AFTER: Final = 3
CHUNK: Final = 64 * 1024


class Relay:
    """`harm` is what happens to what the server says: nothing, `slow`, `cut` or `garbage`."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._rng = random.Random(1)  # noqa: S311 - reproducible on purpose
        self.harm = ""
        self.port = 0
        #: So many answers were harmed.
        self.harmed = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the proxy's."""
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server)
        except OSError:
            writer.transport.abort()
            return
        both = asyncio.gather(self._there(reader, to_server), self._back(from_server, writer))
        try:
            with suppress(OSError):
                await both
        finally:
            both.cancel()
            for side in (writer, to_server):
                side.transport.abort()

    async def _there(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            await self._pause()
            writer.write(data)
        raise ConnectionResetError

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            await self._pause()
            self.harmed += bool(self.harm)
            if self.harm == "cut":
                writer.write(data[:CUT_AFTER])
                break
            writer.write(self._rng.randbytes(len(data)) if self.harm == "garbage" else data)
        await asyncio.sleep(0)  # what was written goes out
        raise ConnectionResetError

    async def _pause(self) -> None:
        if self.harm == "slow":
            await asyncio.sleep(SLOW_S)


@contextmanager
def relay(server: int) -> Iterator[Relay]:
    """One that runs, on a loop and a thread of its own."""
    loop, between = asyncio.new_event_loop(), Relay(server)
    listener = loop.run_until_complete(asyncio.start_server(between.serve, "127.0.0.1", 0))
    between.port = int(listener.sockets[0].getsockname()[1])
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield between
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        listener.close()
        loop.run_until_complete(_end())
        loop.close()


async def _end() -> None:
    """Every connection with it."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0.01)  # transports close their sockets in the loop's next turns
