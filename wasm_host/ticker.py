"""The clock that ends calls: it advances the engines' epoch while there are calls, and sleeps when there are none.

Epochs follow the clock, whatever the thread's luck: one that comes late makes up for the ticks that it missed, and a
call that starts while epochs are behind gets so many more. So a deadline is never early, and late only by what the
thread is late at that moment.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from wasm_host import abi
from wasm_host.profile import TICK_MS


class Ticker:
    """`tick` advances the epoch. `enter` and `leave` enclose a call; several threads may have one each."""

    #: How long it sleeps when no call is there to be ended: most calls are over before a tick would matter.
    REST_MS: Final = 8
    #: How long after the last call it goes on: waking a thread costs more than a call.
    LINGER_S: Final = 2.0
    #: Late ticks that are made up for at once: more end no call, for none has a later deadline.
    MAKE_UP: Final = abi.LIMITS["timeout_ms"].cap // TICK_MS + 2

    def __init__(
        self,
        tick: Callable[[], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._tick, self._clock, self._sleep = tick, clock, sleep
        self._calls: list[None] = []  # appending and popping is atomic, counting is not
        self._last = float("-inf")
        self._done = 0
        self._awake = False
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def enter(self, timeout_ms: int) -> int:
        """A call starts: how many epochs from now its deadline is. The first one may be short, so one is added."""
        self._calls.append(None)
        now = self._last = self._clock()
        epochs = -(-timeout_ms // TICK_MS) + 1
        if self._awake:
            return epochs + max(0, min(self._due(now) - self._done, self.MAKE_UP))
        self._wake.set()
        if self._thread is None:
            self._start()
        return epochs

    def leave(self) -> None:
        """A call has ended."""
        self._calls.pop()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="wasm-epoch", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._busy():  # again, for who entered when it was about to stop
                self.follow()

    def follow(self) -> None:
        """Tick until there has been no call for a while."""
        self._done = self._due(self._clock())
        self._awake = True
        while self._busy():
            self._sleep((TICK_MS if self._calls else self.REST_MS) / 1000)
            self._catch_up()
        self._awake = False

    def _busy(self) -> bool:
        return bool(self._calls) or self._clock() - self._last < self.LINGER_S

    @staticmethod
    def _due(now: float) -> int:
        return int(now * 1000 / TICK_MS)

    def _catch_up(self) -> None:
        due = self._due(self._clock())
        for _ in range(min(due - self._done, self.MAKE_UP)):
            self._tick()
            self._done += 1
        self._done = due
