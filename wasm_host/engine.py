"""The engine: one profile, one engine a process, one clock that ends what runs too long.

Compiler and runners must use the same profile, or artifacts do not load; `identity` names it.
"""

import hashlib
import threading
import time
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from typing import Final

import wasmtime

from wasm_host import abi

#: `wasmtime.Config` attributes. What is off is off because no rule needs it and each is attack surface. Traps do not
#: use signals (the host process has its own handlers), so bounds are checked in code and no guard pages are needed.
PROFILE: Final[dict[str, bool | int]] = {
    "consume_fuel": True,
    "epoch_interruption": True,
    "max_wasm_stack": abi.STACK,
    "signals_based_traps": False,
    "cranelift_nan_canonicalization": True,
    "wasm_relaxed_simd": False,
    "wasm_simd": False,
    "wasm_threads": False,
    "shared_memory": False,
    "wasm_memory64": False,
    "wasm_multi_memory": False,
    "wasm_gc": False,
    "gc_support": False,
    "wasm_function_references": False,
    "wasm_exceptions": False,
    "wasm_tail_call": False,
    "wasm_component_model": False,
    "parallel_compilation": False,
    "memory_reservation": abi.LIMITS["memory"].default,
    "memory_reservation_for_growth": 0,
    "memory_guard_size": 0,
}

#: Length of an epoch. A deadline is met within two of them; fuel, the first bound, usually fires before.
TICK_MS: Final = 10


@cache
def identity() -> str:
    """Engine version and profile: artifacts of another identity are not loaded."""
    digest = hashlib.sha256(repr(sorted(PROFILE.items())).encode()).hexdigest()[:12]
    return f"wasmtime-{version('wasmtime')}-{digest}"


@cache
def shared() -> wasmtime.Engine:
    """The process's engine, built at the first use."""
    config = wasmtime.Config()
    for name, value in PROFILE.items():
        setattr(config, name, value)
    return wasmtime.Engine(config)


class Ticker:
    """Advances the engine's epoch while calls run, from a daemon thread that sleeps when there are none.

    Waking a thread costs more than a call, so it lingers: `touch` before a call is usually one comparison.
    """

    LINGER_S: Final = abi.LIMITS["timeout_ms"].cap / 1000 + 1

    def __init__(self, tick: Callable[[], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._tick = tick
        self._clock = clock
        self._touched = float("-inf")
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def touch(self) -> None:
        """A call is about to start."""
        self._touched = self._clock()
        if not self._wake.is_set():
            self._wake.set()
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="wasm-epoch", daemon=True)
                self._thread.start()

    def _recent(self) -> bool:
        return self._clock() - self._touched < self.LINGER_S

    def _run(self) -> None:
        while True:
            self._wake.wait()
            while self._recent():
                time.sleep(TICK_MS / 1000)
                self._tick()
            self._wake.clear()
            if self._recent():  # touched between the last look and the clear
                self._wake.set()


@cache
def ticker() -> Ticker:
    """The shared engine's ticker."""
    return Ticker(shared().increment_epoch)
