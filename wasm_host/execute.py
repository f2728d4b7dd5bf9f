"""Modules ready to run, by hash, and calls on them. The owner of guests, in whatever process it lives."""

import time
from collections.abc import Callable

from wasm_host import guest, paths
from wasm_host.asking import ends
from wasm_host.frames import Ask, Call, Result


class Executor:
    """Runs calls; may be used by several threads at once. `clock` gives nanoseconds.

    `serving` is the way to the engine; `paths` chooses it unless it is given.
    """

    def __init__(
        self, *, clock: Callable[[], int] = time.perf_counter_ns, serving: paths.Serving | None = None
    ) -> None:
        self.serving = serving or paths.serving()
        self._clock = clock
        self._runtime = self.serving.runtime
        self._ready: dict[str, guest.Prepared] = {}

    def load(self, sha256: str, code: bytes, memory: int) -> None:
        """Make a module's machine code ready to run under this limit in bytes. `guest.Fault` if it cannot be loaded."""
        self._ready[sha256] = self._runtime.prepare(code, memory)

    def has(self, sha256: str) -> bool:
        """Whether the module is ready."""
        return sha256 in self._ready

    def keep(self, sha256s: frozenset[str]) -> None:
        """Forget all others."""
        self._ready = {sha256: ready for sha256, ready in self._ready.items() if sha256 in sha256s}

    def run(self, ask: Ask, begin: Callable[[int], None] = lambda _: None) -> list[Result]:
        """Results of an ask's calls in order, up to the one that ends it. `begin` hears of each. Never raises."""
        results = []
        for place, call in enumerate(ask.calls):
            begin(place)
            try:
                result = self._call(call, ask)
            except Exception as exc:  # noqa: BLE001 - a rule's fault must never be a request's
                result = Result("crash", f"the host failed: {type(exc).__name__}")
            results.append(result)
            if ends(call, result):
                break
        return results

    def _call(self, call: Call, ask: Ask) -> Result:
        ready = self._ready.get(call.sha256)
        if ready is None:
            return Result("crash", "the artifact is gone or damaged: reload the plugins")
        started = self._clock()
        answer, fault, fuel, pages, log = guest.execute(
            self._runtime, ready, ask.requests[call.request], call, now_ms=ask.now_ms, seed=ask.seed
        )
        micros = (self._clock() - started) // 1000
        if fault is None:
            return Result("", "", answer, fuel, pages, micros, log)
        return Result(fault.code, fault.message, b"", fuel, pages, micros, log)
