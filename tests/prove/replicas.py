"""Promise: three proxies on one Redis behind nginx are restarted one after the other, and nobody notices.

Clients ask through the repository's own `deploy/nginx.conf` all the while; one of them asks faster than its key may,
and is let through as often as one proxy would let it.
"""

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx
from fleet import KEYS, Fleet, body, fleet
from upstream import running

from prove.section import Section, tally

#: Clients of each kind.
CLIENTS: Final = 4
#: While it stops, a proxy still takes requests for so long (s).
DRAIN_DELAY_S: Final = 0.5
#: Pauses of clients (s).
_PAUSE_S: Final = 0.05
#: A hang (s).
_BOUND_S: Final = 60.0
#: What the key `limited` may ask a minute (tests/fleet.py); a tenth of it at once.
PER_MINUTE: Final = 60
WHOLE: Final = "whole"
#: A stream of about a second and a half.
_STREAM: Final = '[[mock [{"text": "' + "word " * 12 + '", "chunk_delay": 0.3}]]]'


def verdict(status: int, text: str, *, stream: bool) -> str:
    """WHOLE, or what an answer was instead."""
    if status != 200:
        return f"status {status}"
    if "event: error" in text:
        return "told"
    return WHOLE if ("event: message_stop" if stream else '"stop_reason"') in text else "without its end"


def too_many(allowed: Sequence[tuple[float, float]]) -> int:
    """How many of these requests (asked and answered, s, one after the other) a limit of `PER_MINUTE` should not have
    let through: more than a tenth of it at once, and one for each interval of 60 s / nine tenths of it.
    """
    burst = PER_MINUTE // 10
    interval = 60 / (PER_MINUTE - burst)
    over = 0
    for first in range(len(allowed)):
        for last in range(first, len(allowed)):
            lasted = allowed[last][1] - allowed[first][0]
            over = max(over, last - first + 1 - burst - int(lasted / interval + 1))
    return over


class Crowd:
    """Clients that ask until it is over."""

    def __init__(self, url: str) -> None:
        self.verdicts: dict[str, Counter[str]] = {kind: Counter() for kind in ("new", "kept", "stream")}
        self.over = False
        #: When the limited client was let through: asked and answered, on this process's own clock (s).
        self.allowed: list[tuple[float, float]] = []
        self.refused = 0
        self._url = f"{url}/v1/messages"

    async def new(self) -> None:
        """A connection for each request."""
        while not self.over:
            async with httpx.AsyncClient(timeout=_BOUND_S) as client:
                self.verdicts["new"][await self._ask(client)] += 1
            await asyncio.sleep(_PAUSE_S)

    async def kept(self) -> None:
        """One connection as long as it may."""
        async with httpx.AsyncClient(timeout=_BOUND_S) as client:
            while not self.over:
                self.verdicts["kept"][await self._ask(client)] += 1
                await asyncio.sleep(_PAUSE_S)

    async def stream(self) -> None:
        """A stream after the other."""
        async with httpx.AsyncClient(timeout=_BOUND_S) as client:
            while not self.over:
                self.verdicts["stream"][await self._ask(client, stream=True)] += 1

    async def limited(self) -> None:
        """Faster than its key may."""
        async with httpx.AsyncClient(timeout=_BOUND_S) as client:
            while not self.over:
                asked = time.monotonic()
                said = await self._ask(client, who="limited")
                if said == WHOLE:
                    self.allowed.append((asked, time.monotonic()))
                elif said == "status 429":
                    self.refused += 1
                else:
                    self.verdicts["kept"][f"limited: {said}"] += 1
                await asyncio.sleep(_PAUSE_S)

    async def _ask(self, client: httpx.AsyncClient, *, stream: bool = False, who: str = "team") -> str:
        text = _STREAM if stream else "hello"
        try:
            answer = await client.post(
                self._url, json=body(text, stream=stream, model="one,main"), headers={"x-api-key": KEYS[who]}
            )
        except httpx.HTTPError as exc:
            return type(exc).__name__
        return verdict(answer.status_code, answer.text, stream=stream)

    def failed(self) -> list[str]:
        """Whatever was not whole."""
        return [
            f"{kind}: {said} ({count}×)"
            for kind, verdicts in self.verdicts.items()
            for said, count in verdicts.items()
            if said != WHOLE
        ]

    def beyond(self) -> list[str]:
        """What the limit did wrong."""
        found = (
            [f"{over} requests above the limit of {PER_MINUTE} a minute"] if (over := too_many(self.allowed)) else []
        )
        if not (self.refused and self.allowed):
            found.append(f"the limit was not tried: {len(self.allowed)} let through, {self.refused} refused")
        return found


async def _restart(three: Fleet, number: int) -> list[str]:
    """Stop one proxy as a supervisor does, and start another in its place."""
    leaving = three.proxies[number].process
    leaving.terminate()
    code = await asyncio.to_thread(leaving.wait, _BOUND_S)
    three.proxies[number] = await asyncio.to_thread(three.stack.enter_context, three.started(number))
    return [f"proxy {number} ended with {code}"] if code else []


async def _rolled(three: Fleet, rolls: int, crowd: Crowd) -> list[str]:
    """All three, so many times, while the crowd asks."""
    wrong: list[str] = []
    async with asyncio.TaskGroup() as group:
        for client in (crowd.new, crowd.kept, crowd.stream) * CLIENTS:
            group.create_task(client())
        group.create_task(crowd.limited())
        for number in list(range(len(three.proxies))) * rolls:
            wrong += await _restart(three, number)
        crowd.over = True
    return wrong


def section(folder: Path, rolls: int) -> Section:
    """Restart all three so many times."""
    found = Section(f"{3 * rolls} restarts of three proxies behind nginx under {3 * CLIENTS + 1} clients")
    for program, package in (("nginx", "nginx-light"), ("redis-server", "redis-server")):
        if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            found.skipped = f"{program} is not installed (Debian: apt-get install {package})"
            return found
    with running() as upstream, fleet(folder, upstream.url, drain_delay_s=DRAIN_DELAY_S) as three:
        crowd = Crowd(three.url)
        begun = time.monotonic()
        found.findings += asyncio.run(_rolled(three, rolls, crowd))
        took = time.monotonic() - begun
    found.findings += crowd.failed() + crowd.beyond()
    for kind, verdicts in crowd.verdicts.items():
        found.counts[kind] = tally(verdicts)
    found.counts["limited"] = f"{len(crowd.allowed)} let through in {took:.0f} s, {crowd.refused} refused"
    asked = sum(verdicts.total() for verdicts in crowd.verdicts.values())
    failed = sum(count for verdicts in crowd.verdicts.values() for said, count in verdicts.items() if said != WHOLE)
    found.number = f"{failed} failed of {asked}, {3 * rolls} restarts"
    return found
