"""Several worker processes behind one call: `ask`. It never raises, and a dead worker costs a request only time.

Guests are pure, so whatever was under way in a worker that died is asked again in another. A call that was over its
deadline is not; a call in which three workers died is at fault itself, and its module is put into quarantine.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final

import msgspec
from msgspec import Struct

from wasm_host.frames import AT_FAULT, Ask, Call, Keep, Load, Result
from wasm_host.process import Lost, Process

#: How long a request waits for a worker when there is none (seconds).
PATIENCE_S: Final = 2.0
#: Workers in which a call may die before it is held to be its own fault, and in which an ask may be under way at all.
CRASHES, LIVES = 3, 8
#: How long a module that is no longer used can still be asked (seconds).
RETIRED_S: Final = 30.0
#: A worker that dies before it is ready is replaced after so long, doubled each time (seconds); one that was killed
#: may have had bad luck, one that gave up by itself will do so again.
_BACK_OFF_S, _KILLED_MAX_S, _GAVE_UP_MAX_S = 0.02, 0.3, 5.0


class Change(Struct, frozen=True):
    """Something happened to a worker: `ready`, or a cause of `process.Lost`."""

    event: str
    detail: str = ""
    layers: Mapping[str, str] = {}
    path: str = ""


class Pool:
    """`size` workers. `on_change` hears of their lives, `on_crash` of a module in which three of them died."""

    def __init__(
        self,
        size: int,
        *,
        on_change: Callable[[Change], None] = lambda _: None,
        on_crash: Callable[[str, str], None] = lambda _sha256, _detail: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._size = size
        self._on_change, self._on_crash = on_change, on_crash
        self._clock = clock
        self._modules: dict[str, Load] = {}
        self._retired: dict[str, tuple[Load, float]] = {}
        self._live: list[Process] = []
        self._starting = 0
        self._failures, self._gave_up = 0, False
        self._closed = False
        self._verdict = ""
        self._arrival, self._departure = asyncio.Event(), asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def pids(self) -> list[int]:
        """Of the workers that answer now."""
        return [process.pid for process in self._live]

    def use(self, modules: Iterable[Load]) -> None:
        """The modules that will be asked from now on. Others are kept a while, for requests that began before."""
        now = self._clock()
        self._retired |= {sha256: (module, now) for sha256, module in self._modules.items()}
        self._modules = {module.sha256: module for module in modules}
        self._retired = {
            sha256: (module, since)
            for sha256, (module, since) in self._retired.items()
            if sha256 not in self._modules and now - since < RETIRED_S
        }
        for process in self._live:
            process.tell(Keep(sorted(self._modules)))
            self._provide(process, self._modules)
        self.start()

    def resize(self, size: int) -> None:
        """Have so many workers from now on; surplus ones end, and what was under way in them is asked again."""
        self._size = size
        for process in self._live[size:]:
            process.kill("closed")

    def start(self) -> None:
        """Start the workers if there is something to run; without an event loop, the first ask will."""
        with suppress(RuntimeError):
            asyncio.get_running_loop()
            if self._modules:
                self._fill()

    async def ask(self, ask: Ask) -> list[Result]:
        """A result for each call, in order, up to the one that ended the asking. Every module must be in use."""
        known: dict[int, Result] = {}
        crashes: Counter[int] = Counter()
        for _ in range(LIVES):
            process = await self._worker()
            if process is None:
                return _merged(ask.calls, known, [Result("crash", "no worker could be started")] * len(ask.calls))
            places = _places(ask.calls, known)
            if not places:
                return _merged(ask.calls, known, [])
            self._provide(process, {call.sha256 for call in ask.calls})
            calls = [ask.calls[place] for place in places] if known else ask.calls
            end = await process.ask(msgspec.structs.replace(ask, calls=calls))
            if not isinstance(end, Lost):
                return _merged(ask.calls, known, end)
            if end.call is not None:
                self._blame(ask.calls, places[end.call], end, known, crashes)
        died = Result("crash", f"{LIVES} workers died while it was under way")
        return _merged(ask.calls, known, [died] * len(ask.calls))

    async def close(self) -> None:
        """End all workers."""
        self._closed = True
        for process in self._live:
            process.kill("closed")
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while self._live or self._starting:
                    self._departure.clear()
                    await self._departure.wait()

    def _blame(self, calls: list[Call], place: int, end: Lost, known: dict[int, Result], crashes: Counter[int]) -> None:
        """A call was running when its worker died. One death may have come from outside; three are its own doing."""
        limit = calls[place].timeout_ms
        if end.cause in ("deadline", "stall"):
            message = f"ran longer than its limit of {limit} ms, and was ended with its process"
            known[place] = Result("timeout", message, micros=limit * 1000)
            return
        crashes[place] += 1
        if crashes[place] >= CRASHES:
            known[place] = Result("crash", f"took {CRASHES} worker processes with it ({end.detail})")
            self._on_crash(calls[place].sha256, end.detail)

    def _provide(self, process: Process, sha256s: Iterable[str]) -> None:
        """Send these modules, unless the worker has them."""
        for sha256 in sha256s:
            module = self._modules.get(sha256) or self._retired.get(sha256, (None,))[0]
            if module is not None and process.sent.get(sha256) != module.memory:
                process.tell(module)

    async def _worker(self) -> Process | None:
        """The one with the least to do; None if none comes in time."""
        if not self._alive():
            self._fill()
            try:
                async with asyncio.timeout(PATIENCE_S):
                    while not self._alive():
                        self._arrival.clear()
                        await self._arrival.wait()
            except TimeoutError:
                return None
        return min(self._alive(), key=lambda process: process.load)

    def _alive(self) -> list[Process]:
        return [process for process in self._live if process.alive]

    def _fill(self) -> None:
        while not self._closed and len(self._live) + self._starting < self._size:
            self._starting += 1
            task = asyncio.get_running_loop().create_task(self._start())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _start(self) -> None:
        if self._failures:
            most = _GAVE_UP_MAX_S if self._gave_up else _KILLED_MAX_S
            await asyncio.sleep(min(_BACK_OFF_S * 2 ** min(self._failures, 10), most))
        if self._closed:
            self._starting -= 1
            self._departure.set()
            return
        try:
            await Process(self._arrived, self._gone).start(self._verdict)
        except OSError as exc:
            self._starting -= 1
            self._failures += 1
            self._gave_up = True
            self._on_change(Change("failed", f"a worker cannot be started: {exc.strerror}"))
            self._fill()

    def _arrived(self, process: Process) -> None:
        self._starting -= 1
        self._failures = 0
        self._live.append(process)
        self._provide(process, self._modules)
        self._arrival.set()
        if process.ready is not None:
            self._verdict = process.ready.path
            self._on_change(Change("ready", layers=process.ready.layers, path=process.ready.path))
        if self._closed:
            process.kill("closed")

    def _gone(self, process: Process, cause: str, detail: str) -> None:
        self._departure.set()
        if process in self._live:
            self._live.remove(process)
            self._on_change(Change(cause, detail))
        else:
            self._starting -= 1
            self._failures += 1
            self._gave_up = not detail.startswith("signal")
            self._on_change(Change("failed", f"a worker ended before it was ready ({detail})"))
        if self._modules:
            self._fill()


def _places(calls: list[Call], known: Mapping[int, Result]) -> list[int]:
    """Where the calls stand that are still to be made: those without a result, before one whose fault ends all."""
    end = min((place for place in known if calls[place].ends == AT_FAULT), default=len(calls))
    return [place for place in range(end) if place not in known]


def _merged(calls: list[Call], known: Mapping[int, Result], results: list[Result]) -> list[Result]:
    """Results of the calls in order: those known, and between them those that came, as far as they reach."""
    merged, rest = [], iter(results)
    for place, call in enumerate(calls):
        result = known.get(place) or next(rest, None)
        if result is None:
            break
        merged.append(result)
        if place in known and call.ends == AT_FAULT:
            break
    return merged
