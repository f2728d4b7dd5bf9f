"""How long a request waits for a rule that runs in a worker, for `rules bench`."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from wasm_host import asking
from wasm_host.compiler import read_artifact
from wasm_host.frames import Load
from wasm_host.pool import Pool
from wasm_host.rule import Rule

#: A measurement ends after so many seconds, with as many calls as there were.
_BUDGET_S: Final = 20.0


def round_trips(rule: Rule, view: Mapping[str, Any], calls: int) -> list[int]:
    """Nanoseconds from asking a worker to its answer, of at most so many calls one after the other.

    Empty if the rule is not asked, or takes the worker with it. `view` has the shape of `abi.EXAMPLE`.
    """
    return asyncio.run(_round_trips(rule, view, calls))


async def _round_trips(rule: Rule, view: Mapping[str, Any], calls: int) -> list[int]:
    code = read_artifact(rule.compiled.artifact)
    prepared, unasked = asking.prepare([rule], view)
    if code is None or unasked is not None:
        return []
    pool = Pool(1)
    pool.use([Load(rule.sha256, code, rule.settings.limits.memory)])
    try:
        [first] = await pool.ask(prepared.ask)  # starts the worker, and loads the code
        if first.fault in ("timeout", "crash"):
            return []
        nanos: list[int] = []
        until = time.perf_counter() + _BUDGET_S
        while len(nanos) < calls and time.perf_counter() < until:
            begin = time.perf_counter_ns()
            await pool.ask(prepared.ask)
            nanos.append(time.perf_counter_ns() - begin)
        return nanos
    finally:
        await pool.close()
