"""Promise: workers that die under load cost no request, and rules are answered again within half a second.

The machine may be busy with other things, which shows in how long an interpreter takes to start and to load the engine.
That is measured between the kills, and allowed for; and nine of ten times must keep the bound.
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from bench import children
from bench.stats import median, percentile
from prove import guests
from prove.scene import ASKING, NAMING, Scene, Seen, scene, wait
from prove.section import Section

#: Until a worker answers again (ms).
BACK_MS: Final = 500.0
#: What the command line of a worker holds.
WORKER: Final = "wasm_host.worker"
#: Between an answer of a rule and the next kill (s).
_PAUSE_S: Final = (0.0, 0.05, 0.2)
#: One in so many times, all workers are killed at once.
_ALL: Final = 5
RULE: Final = "rule:steady"


def section(folder: Path, kills: int) -> Section:
    """SIGSEGV to a random worker, or to all, so many times, while a rule decides where requests go."""
    found = Section(f"{kills} times SIGSEGV to workers")
    rng = random.Random(1)  # noqa: S311 - reproducible on purpose
    one, all_, starts = list[float](), list[float](), list[float]()
    with scene(folder, rules=[("steady.wat", guests.always('{"route":"c,d"}'))]) as running:
        wait(lambda: bool(workers(running.process.pid)), "there is no worker: rules do not run in processes")
        with (
            running.client("POST", "/v1/messages", ASKING, pause_ms=2) as asking,
            running.client("POST", "/v1/messages", NAMING, pause_ms=20) as naming,
        ):
            for number in range(kills):
                wait(lambda: _decided(running), "the rule does not come back")
                if number % _ALL == 0:
                    starts.append(_interpreter_ms())
                time.sleep(rng.choice(_PAUSE_S))
                pids = workers(running.process.pid)
                together = number % _ALL == 0
                (all_ if together else one).append(time.monotonic())
                _kill(pids if together else [rng.choice(pids)])
            wait(lambda: _decided(running), "the rule does not come back")
        found.findings += [f"a request failed: {failure}" for failure in (*asking.failed(), *naming.failed())]
        found.findings += running.whole()
    decided = sum(seen.reason == RULE for seen in asking.seen)
    found.counts["requests"] = f"{len(asking.seen)} asked the rule, it decided {decided}; {len(naming.seen)} others"
    bound = BACK_MS + median(starts)
    found.counts["to start an interpreter"] = f"{median(starts):.0f} ms, which the bound allows for"
    for what, moments in (("one worker", one), ("all workers", all_)):
        back = [until_back(asking.seen, moment) for moment in moments]
        p50, p90 = percentile(back, 50), percentile(back, 90)
        figures = f"p50 {p50:.0f} ms, p90 {p90:.0f} ms, at most {max(back):.0f} ms"
        found.counts[f"until a rule answers, {what} dead"] = f"{len(back)} times, {figures}, the bound is {bound:.0f}"
        if p90 > bound:
            found.findings.append(f"{what} dead, a rule answers after {p90:.0f} ms (p90), the bound is {bound:.0f}")
    return found


def _interpreter_ms() -> float:
    """How long this machine takes now to start Python and load the engine."""
    begin = time.monotonic()
    subprocess.run(children.python("-c", "import wasmtime"), env={}, cwd="/", check=True)
    return (time.monotonic() - begin) * 1000


def _decided(running: Scene) -> bool:
    return bool(running.explain(ASKING)["decision"]["reason"] == RULE)


def until_back(seen: Sequence[Seen], moment: float) -> float:
    """Milliseconds from `moment` to the end of the first request since that the rule decided; infinity if none."""
    answered = (one for one in seen if one.begun >= moment and one.reason == RULE)
    first = next(answered, None)
    return (first.begun - moment) * 1000 + first.ms if first else float("inf")


def workers(pid: int) -> list[int]:
    """The process's children that run rules."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            for child in (task / "children").read_text().split():
                with suppress(OSError):
                    if WORKER in Path(f"/proc/{child}/cmdline").read_text():
                        found.append(int(child))
    return sorted(found)


def _kill(pids: Sequence[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSEGV)
