import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from asgi import until

from prove import replicas
from prove.replicas import PER_MINUTE, WHOLE, Crowd, too_many, verdict

#: A tenth at once, then one an interval.
INTERVAL = 60 / (PER_MINUTE - PER_MINUTE // 10)
LAWFUL = [0.0] * (PER_MINUTE // 10) + [INTERVAL * number + 0.001 for number in range(1, 40)]


@pytest.mark.parametrize(
    ("status", "text", "stream", "said"),
    [
        (200, '{"stop_reason":"end_turn"}', False, WHOLE),
        (200, '{"stop', False, "without its end"),
        (200, "event: message_stop\n", True, WHOLE),
        (200, '"stop_reason"', True, "without its end"),
        (200, "event: error\n", True, "told"),
        (502, '"stop_reason"', False, "status 502"),
    ],
)
def test_what_an_answer_was(status: int, text: str, stream: bool, said: str) -> None:
    assert verdict(status, text, stream=stream) == said


@pytest.mark.parametrize(
    ("moments", "over"),
    [
        (LAWFUL, 0),
        ([], 0),
        ([*LAWFUL[:6], 0.0, *LAWFUL[6:]], 0),  # the edge: nobody knows the clock of the one that counts
        ([*LAWFUL[:6], 0.0, 0.0, 0.0, *LAWFUL[6:]], 2),
        ([0.0] * 18, 11),  # three proxies that count for themselves
    ],
)
def test_a_limit_that_is_not_one_is_seen(moments: Sequence[float], over: int) -> None:
    assert too_many([(moment, moment) for moment in moments]) == over


def test_how_long_an_answer_took_is_not_held_against_the_limit() -> None:
    slow = [(number * INTERVAL - 0.9 * INTERVAL, number * INTERVAL) for number in range(1, 20)]
    assert too_many([(moment, moment) for moment in LAWFUL[:6]] + slow) == 0


def test_whatever_is_not_whole_is_a_finding() -> None:
    crowd = Crowd("http://127.0.0.1:1")
    crowd.verdicts["new"].update({WHOLE: 5, "status 502": 2})
    crowd.verdicts["stream"].update({"told": 1})
    assert crowd.failed() == ["new: status 502 (2×)", "stream: told (1×)"]


def test_a_limit_that_was_not_tried_is_a_finding() -> None:
    crowd = Crowd("http://127.0.0.1:1")
    assert len(crowd.beyond()) == 1
    crowd.allowed, crowd.refused = [(0.0, 0.0)], 5
    assert crowd.beyond() == []
    crowd.allowed = [(0.0, 0.0)] * 30
    assert len(crowd.beyond()) == 1


def test_nobody_there_is_seen() -> None:
    crowd = Crowd("http://127.0.0.1:1")

    async def run() -> None:
        tasks = [asyncio.create_task(each()) for each in (crowd.new, crowd.kept, crowd.stream, crowd.limited)]
        await until(lambda: all(crowd.verdicts.values()))
        crowd.over = True
        await asyncio.gather(*tasks)

    asyncio.run(asyncio.wait_for(run(), 10))
    assert all("ConnectError" in said for said in crowd.failed())


def test_without_nginx_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    assert "nginx" in replicas.section(tmp_path, 1).skipped
