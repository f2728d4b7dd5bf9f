"""What the proofs of leaving clients would see."""

import asyncio
import os
from pathlib import Path

import pytest
from raw_provider import full_backlog

from prove import leakcheck, leaving
from prove.leakcheck import Held
from prove.rig import rig

CALM = Held(10, 5, 0, 0, 2)


def test_what_is_more_than_before_is_a_leak() -> None:
    assert leakcheck.leaks(CALM, Held(12, 7, 2, 2, 2)) == []
    assert leakcheck.leaks(CALM, Held(3, 5, 0, 0, 0)) == []
    assert leakcheck.leaks(CALM, Held(13, 5, 3, 0, 5)) == [
        "descriptors: 13, at the baseline 10",
        "slots: 3, at the baseline 0",
        "children: 5, at the baseline 2",
    ]


def test_a_slope_is_that_after_the_warm_up() -> None:
    assert leakcheck.slope([1, 1, 1, 100, 100, 100, 100, 100, 100]) == 0
    assert leakcheck.slope([100, 100, 100, 100, 100, 100, 110, 110, 110]) == pytest.approx(0.1)


def test_a_metric_that_is_not_there_is_told() -> None:
    assert leakcheck.metric("a 1\nb 2.5\n", "b") == 2.5
    with pytest.raises(RuntimeError, match="no c"):
        leakcheck.metric("a 1\n", "c")


def test_a_running_proxy_is_counted(tmp_path: Path) -> None:
    with rig(tmp_path / "rig") as running:
        first = leakcheck.held(running)
        assert leakcheck.leaks(first, leakcheck.calm(running, first)) == []
        assert first.descriptors > 3
        assert first.tasks > 0
        assert leakcheck.private_kib(running) > 10_000


def test_who_connects_is_told_from_others_who_do() -> None:
    async def look() -> None:
        async with full_backlog() as url:  # filled by this process, which is still connecting
            port = int(url.rpartition(":")[2])
            assert leaving.connects(os.getpid(), port)
            assert not leaving.connects(os.getppid(), port)
            assert not leaving.connects(os.getpid(), port + 1)

    asyncio.run(look())


def test_a_few_clients_leave(tmp_path: Path) -> None:
    section = leaving.disconnect(tmp_path / "rig", 16)
    assert all(phase in section.counts for phase in leaving.PHASES)
    assert not [finding for finding in section.findings if "never" in finding or "bug" in finding]
