"""The engine's profile: which WebAssembly a rule may use and how it is compiled. Does not load the engine.

Compiler and runners must use the same profile, or artifacts do not load; `identity` names it.
"""

import hashlib
from functools import cache
from typing import Final

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

#: Length of an epoch: a deadline is met at most two of them late; fuel, the first bound, usually fires before.
TICK_MS: Final = 2


@cache
def identity() -> str:
    """Engine version and profile: artifacts of another identity are not loaded."""
    from importlib.metadata import version  # noqa: PLC0415 - 20 ms that a worker, which never asks, need not wait

    digest = hashlib.sha256(repr(sorted(PROFILE.items())).encode()).hexdigest()[:12]
    return f"wasmtime-{version('wasmtime')}-{digest}"
