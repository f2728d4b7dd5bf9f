import threading
from collections.abc import Callable

import pytest

from wasm_host import abi
from wasm_host.profile import TICK_MS
from wasm_host.ticker import Ticker


class Time:
    """A clock that only sleeping moves: by what was asked for, and as much more as the thread is late."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.late = 0.0
        self.epoch = 0
        self.slept: list[float] = []
        self.while_sleeping: Callable[[], None] = lambda: None
        self.ticker = Ticker(self.tick, clock=lambda: self.now, sleep=self.sleep)
        self.ticker._thread = threading.current_thread()  # none is started

    def tick(self) -> None:
        self.epoch += 1

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds + self.late
        self.while_sleeping()


@pytest.mark.parametrize(("timeout_ms", "epochs"), [(1, 2), (2, 2), (3, 3), (100, 51), (2000, 1001)])
def test_a_deadline_is_what_it_needs_and_one_more(timeout_ms: int, epochs: int) -> None:
    """The first tick may come at once."""
    assert Time().ticker.enter(timeout_ms) == epochs
    assert timeout_ms <= (epochs - 1) * TICK_MS < timeout_ms + TICK_MS


@pytest.mark.parametrize("late_ms", [0, 1, 3, 50])
@pytest.mark.parametrize("begin_ms", [0, 0.7, 1.9, 5, 30])
@pytest.mark.parametrize("timeout_ms", [1, 10, 100])
def test_no_deadline_is_early_and_none_later_than_the_thread(late_ms: float, begin_ms: float, timeout_ms: int) -> None:
    """However late the thread is, and whenever in its sleep the call begins."""
    time = Time()
    time.late = late_ms / 1000
    begun, ended = 0.0, 0.0
    deadline = 0

    def begin() -> None:
        nonlocal begun, deadline
        if not deadline:
            wakes = time.now
            time.now += begin_ms / 1000  # the call begins, then the thread gets to run
            begun = time.now
            deadline = time.epoch + time.ticker.enter(timeout_ms)
            assert begun >= wakes

    def watch() -> None:
        nonlocal ended
        if deadline and time.epoch >= deadline and not ended:
            ended = time.now
            time.ticker.leave()

    def sleeping() -> None:
        begin()
        watch()

    time.while_sleeping = sleeping
    time.ticker._last = time.now
    tick = time.tick

    def ticking() -> None:
        tick()
        watch()

    time.ticker._tick = ticking
    time.ticker.follow()
    assert timeout_ms <= (ended - begun) * 1000 + 1e-6
    assert (ended - begun) * 1000 <= timeout_ms + 2 * TICK_MS + late_ms + time.ticker.REST_MS


def test_it_rests_while_no_call_is_there_and_stops_after_a_while() -> None:
    time = Time()
    time.ticker.enter(100)
    time.while_sleeping = lambda: time.ticker.leave() if len(time.slept) == 3 else None
    time.ticker.follow()
    assert time.slept[:3] == [TICK_MS / 1000] * 3
    assert set(time.slept[3:]) == {time.ticker.REST_MS / 1000}
    assert time.now - 1000 == pytest.approx(time.ticker.LINGER_S, abs=0.01)
    assert time.epoch * TICK_MS == pytest.approx(time.ticker.LINGER_S * 1000, abs=time.ticker.REST_MS + TICK_MS)


def test_it_does_not_stop_while_a_call_runs() -> None:
    time = Time()
    time.ticker.enter(2000)
    time.while_sleeping = lambda: time.ticker.leave() if len(time.slept) == 2000 else None
    time.ticker.follow()
    assert len(time.slept) == 2000


def test_a_process_that_stood_still_does_not_tick_for_hours() -> None:
    time = Time()
    time.ticker.enter(1)
    time.late = 1e6
    time.while_sleeping = time.ticker.leave
    time.ticker.follow()
    assert time.epoch == time.ticker.MAKE_UP
    assert abi.LIMITS["timeout_ms"].cap < time.ticker.MAKE_UP * TICK_MS


def test_who_wakes_first_after_a_long_stop_has_a_deadline_that_comes() -> None:
    time = Time()
    time.ticker.enter(1)
    deadlines: list[int] = []

    def wake() -> None:
        if len(time.slept) == 1:
            time.now += 1e6
            deadlines.append(time.epoch + time.ticker.enter(10))
        elif time.epoch >= deadlines[0] or len(time.slept) > 100:
            time.ticker.leave()
            time.ticker.leave()
            time.while_sleeping = lambda: None

    time.while_sleeping = wake
    time.ticker.follow()
    assert len(time.slept) < 100 + time.ticker.LINGER_S * 1000 / time.ticker.REST_MS
    assert deadlines[0] <= time.epoch


def test_who_enters_when_it_is_about_to_stop_is_not_forgotten() -> None:
    """It saw a thread that was awake, and so did not wake it."""

    class Late(Ticker):
        followed = 0

        def follow(self) -> None:
            self.followed += 1
            if self.followed == 1:
                self._calls.append(None)
            else:
                raise InterruptedError

    ticker = Late(lambda: None, clock=lambda: 0.0)
    ticker._calls.append(None)
    ticker._wake.set()
    with pytest.raises(InterruptedError):
        ticker._run()


def test_a_thread_ticks_for_calls_and_is_woken_again() -> None:
    now = 0.0
    ticks = threading.Semaphore(0)

    def clock() -> float:
        nonlocal now
        now += 0.001
        return now

    ticker = Ticker(ticks.release, clock=clock)
    for _ in range(3):
        ticker.enter(10)
        assert ticks.acquire(timeout=10)
        ticker.leave()
        now += ticker.LINGER_S + 1
        for _ in range(1000):
            if not ticker._awake:
                break
            ticks.acquire(timeout=0.1)
        assert not ticker._awake


def test_one_thread_serves_all() -> None:
    ticker = Ticker(lambda: None, clock=lambda: 0.0)
    before = threading.active_count()
    threads = [threading.Thread(target=ticker.enter, args=(10,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert threading.active_count() == before + 1
