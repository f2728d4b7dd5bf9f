"""What a proxy holds: descriptors, tasks, pool slots, requests under way, child processes, memory of its own."""

import re
import time
from pathlib import Path
from typing import Final, NamedTuple

from prove.endurance import weight
from prove.rig import Rig

#: Until everything that ends has ended (s).
CALM_S: Final = 20.0
#: How far a count may be from its baseline.
SLACK: Final = 2


class Held(NamedTuple):
    """Counts. Connections that wait idle in the pool are no leak: `descriptors` is without them."""

    descriptors: int
    tasks: int
    slots: int
    under_way: int
    children: int


def held(running: Rig) -> Held:
    """Now. The connection that asks for the metrics is counted in every one, so it cancels out."""
    pid = running.proxy.process.pid
    metrics = running.metrics()
    idle = int(metric(metrics, 'terraphim_upstream_connections{state="idle"}'))
    return Held(
        len(list(Path(f"/proc/{pid}/fd").iterdir())) - idle,
        int(metric(metrics, "terraphim_tasks")),
        int(metric(metrics, 'terraphim_upstream_connections{state="acquired"}')),
        int(metric(metrics, "terraphim_in_flight")),
        len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()),
    )


def metric(text: str, name: str) -> float:
    """One value of /metrics."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"/metrics has no {name}")
    return float(found[1])


def leaks(before: Held, after: Held) -> list[str]:
    """What is more than it was."""
    return [
        f"{name}: {late}, at the baseline {early}"
        for name, early, late in zip(Held._fields, before, after, strict=True)
        if late - early > SLACK
    ]


def calm(running: Rig, before: Held) -> Held:
    """When nothing is more than it was, or `CALM_S` have passed."""
    deadline = time.monotonic() + CALM_S
    while leaks(before, now := held(running)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return now


def private_kib(running: Rig) -> int:
    """Memory that is the proxy's alone (smaps_rollup)."""
    return weight(running.proxy.process.pid).private


def slope(samples: list[int]) -> float:
    """How much the mean of the last third is over that of the middle one, as a share; the first is the warm-up."""
    third = len(samples) // 3
    middle, last = samples[third : 2 * third], samples[-third:]
    return (sum(last) / len(last)) / (sum(middle) / len(middle)) - 1
