import asyncio
import threading
from typing import Any

import pytest
from asgi import until

from core.admission import MIB, Admission
from core.deadlines import Phase
from core.housekeeping import Housekeeping
from core.open_connections import SLICE, Connections


def keeping() -> tuple[Housekeeping, Connections, Admission, list[dict[str, Any]]]:
    said: list[dict[str, Any]] = []
    connections, admission = Connections(), Admission()
    return Housekeeping(connections, admission, lambda fields, _: said.append(fields)), connections, admission, said


class Looked:
    """A connection that notes when it was looked at, and is forgotten for it."""

    phase = Phase.IDLE
    idle = True
    transport: asyncio.Transport

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.at = 0.0

    def answer_no_more(self) -> None: ...

    def check(self, now: float) -> None:
        self.at = now
        self._connections.forget(self)


def test_an_episode_of_high_memory_is_two_lines() -> None:
    house, _, admission, said = keeping()
    admission.watermark = 100 * MIB
    for size in (99, 101, 150, 101, 90, 80):
        house.weigh(size * MIB)
    house.stop()
    assert [(line["event"], line["resident_mb"]) for line in said] == [("memory_high", 101), ("memory_normal", 90)]


def test_the_timer_weighs_looks_and_speaks_until_it_is_stopped() -> None:
    house, connections, admission, said = keeping()
    admission.watermark = 1  # any process is larger
    looked = [Looked(connections) for _ in range(2 * SLICE + 1)]
    connections.open.update(looked)
    connections.tally.add("malformed")

    async def run() -> None:
        house.start()
        await until(lambda: len(said) == 2 and all(one.at for one in looked))
        house.stop()

    asyncio.run(run())
    assert [line["event"] for line in said] == ["memory_high", "refused"]
    assert len({one.at for one in looked}) == 1, "one look has one moment, however many slices it takes"
    assert said[1] | {"reason": "malformed", "count": 1} == said[1]


def test_what_was_learned_is_kept_now_and_then_and_off_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.housekeeping.TICK_S", 0.001)
    monkeypatch.setattr("core.housekeeping.SELDOM", 3)
    threads: list[int] = []

    async def run() -> None:
        house = Housekeeping(Connections(), Admission(), lambda *_: None, lambda: threads.append(threading.get_ident()))
        house.start()
        await until(lambda: len(threads) >= 2)
        house.stop()

    asyncio.run(run())
    assert threading.get_ident() not in threads
