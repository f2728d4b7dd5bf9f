"""Workers of one supervisor in this process: `async with hub() as (hub, members)`, over real lines."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from core.group.hub import Hub
from core.group.line import Line, from_worker, packed
from core.group.member import Member
from core.group.messages import Welcome
from core.state.limits_memory import monotonic_ms


@dataclass
class Desk:
    """A supervisor, without processes. Who is `deaf` is not answered, but heard."""

    hub: Hub
    lines: dict[str, Line[Any]]

    async def joined(self, name: str) -> Member:
        """One more worker."""
        ours, theirs = socket.socketpair()
        ours.sendall(packed([Welcome(len(self.lines), 2, "token", (), ours.fileno())]))
        member = Member(theirs.detach())
        line = self.lines[name] = Line(from_worker, partial(self.hub.heard, name), partial(self.hub.leave, name))
        self.hub.join(name, line)
        await line.connect(ours)
        await member.start()
        return member

    async def died(self, name: str) -> None:
        """Its line is closed, as the kernel does it for one that was killed."""
        self.lines.pop(name).close()
        await quiet()

    def deaf(self, name: str) -> None:
        """It hears nothing any more."""
        self.lines[name].say = lambda message: None  # type: ignore[method-assign]

    def hears(self, name: str) -> None:
        """It does again."""
        del self.lines[name].say


@asynccontextmanager
async def desk(
    count: int = 2, clock: Callable[[], int] = monotonic_ms, seconds: Callable[[], float] = time.monotonic
) -> AsyncIterator[tuple[Desk, list[Member]]]:
    """So many workers, called `0`, `1`, …"""
    made = Desk(Hub(clock, seconds), {})
    members = [await made.joined(str(number)) for number in range(count)]
    try:
        yield made, members
    finally:
        for line in list(made.lines.values()):
            line.close()
        await quiet()


async def quiet() -> None:
    """Until what was said is heard: a few rounds of a loop that has nothing else to do."""
    for _ in range(20):
        await asyncio.sleep(0)
    await asyncio.sleep(0.005)
