import pytest

from core.draining import ENDING_S, LEAVING_S, TABLE, Drain, Patience, Stage

PATIENCE = Patience(delay=5, grace=30)


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def stages(drain: Drain, time: Time, steps: list[tuple[float, int]], patience: Patience = PATIENCE) -> list[Stage]:
    """The stage at each moment (seconds since the first signal, connections)."""
    begin = time.now
    found = []
    for seconds, connections in steps:
        time.now = begin + seconds
        found.append(drain.advance(patience, connections=connections))
    return found


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def drain(time: Time) -> Drain:
    return Drain(time)


def test_nothing_happens_without_a_signal(drain: Drain, time: Time) -> None:
    assert stages(drain, time, [(0, 0), (1e6, 0)]) == [Stage.SERVING] * 2
    assert not drain.stopping


def test_what_finishes_in_time_ends_it(drain: Drain, time: Time) -> None:
    drain.signal()
    assert drain.stopping
    closing = 5.01 + LEAVING_S
    assert stages(drain, time, [(0, 9), (4.9, 0), (5, 9), (closing, 9), (closing + 29, 1), (closing + 29.1, 0)]) == [
        Stage.DRAINING, Stage.DRAINING, Stage.LEAVING, Stage.CLOSING, Stage.CLOSING, Stage.DONE,
    ]  # fmt: skip


def test_the_grace_and_the_time_to_tell_everybody_have_an_end(drain: Drain, time: Time) -> None:
    drain.signal()
    moments = [(0.0, 9), (LEAVING_S + 0.01, 9), (LEAVING_S + 0.2, 9), (LEAVING_S + 2.3, 9)]
    assert stages(drain, time, moments, Patience(delay=0, grace=0.1)) == [
        Stage.LEAVING, Stage.CLOSING, Stage.ENDING, Stage.DONE,
    ]  # fmt: skip


@pytest.mark.parametrize("after_s", [0.0, 5.0, 5.4])
def test_a_second_signal_goes_to_the_last_stage(drain: Drain, time: Time, after_s: float) -> None:
    drain.signal()
    stages(drain, time, [(0, 9), (5, 9), (after_s, 9)])
    drain.signal()
    assert drain.advance(PATIENCE, connections=9) is Stage.ENDING
    assert drain.advance(PATIENCE, connections=0) is Stage.DONE


def test_a_third_signal_gives_no_more_time(drain: Drain, time: Time) -> None:
    for _ in range(2):
        drain.signal()
    time.now += ENDING_S
    drain.signal()
    assert drain.advance(PATIENCE, connections=9) is Stage.DONE
    drain.signal()
    assert drain.stage is Stage.DONE


def test_the_way_has_no_loop() -> None:
    order = list(Stage)
    assert all(order.index(step.then) == order.index(stage) + 1 for stage, step in TABLE.items())
    assert set(TABLE) == set(Stage) - {Stage.SERVING, Stage.DONE}


def test_a_beginning_is_no_second_signal(drain: Drain) -> None:
    seen = []
    for step in (drain.begin, drain.begin, drain.signal, drain.begin):
        step()
        seen.append(drain.stage)
    assert seen == [Stage.DRAINING] * 2 + [Stage.ENDING] * 2
