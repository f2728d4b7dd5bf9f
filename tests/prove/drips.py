"""Promise: clients that drip heads and bodies do not slow others down, and are refused at their deadline."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.stats import percentile
from prove.hostile import Seen, Stage, empty, stage
from prove.never_read import spread
from prove.scene import Client, body
from prove.section import Section

#: How much slower others' requests may be at p99; the deadlines that are tried, and how much later they may act (s).
SLOWER: Final = 2.0
DEADLINE_S: Final = 12.0
LATE_S: Final = 4.0
#: Normal requests are measured for so long (s): half before, half after, and while it drips.
MEASURED_S: Final = 9.0
_KINDS: Final = ("head", "body")


def section(folder: Path, clients: int) -> Section:
    """So many of each kind at once."""
    found = Section(f"{clients} dripped heads and {clients} dripped bodies")
    limits = {"header_s": DEADLINE_S, "body_s": DEADLINE_S, "body_rate": 1_000_000}
    with stage(folder, **limits, max_connections=3 * clients + 100) as running:
        _measured(running, 2.0)  # warm
        calm = [_measured(running, MEASURED_S / 2)]
        with running.crowd(clients, *_KINDS) as crowd:
            held = running.clients()
            busy = _measured(running, MEASURED_S)
            time.sleep(DEADLINE_S + LATE_S - MEASURED_S)
        calm.append(_measured(running, MEASURED_S / 2))
        before = [one.ms for client in calm for one in client.seen]
        during = [one.ms for one in busy.seen]
        found.counts = {
            "p99 of others, ms": f"{percentile(before, 99):.2f}, while it drips {percentile(during, 99):.2f}",
            "p50 of others, ms": f"{percentile(before, 50):.2f}, while it drips {percentile(during, 50):.2f}",
            "requests": f"{len(before)} and {len(during)}",
            **{f"lasted, s ({kind})": spread([one.lasted or 0.0 for one in crowd.of(kind)]) for kind in _KINDS},
        }
        found.number = f"p99 x {percentile(during, 99) / percentile(before, 99):.2f}"
        found.findings += [f"a request failed: {failure}" for client in (*calm, busy) for failure in client.failed()]
        found.findings += judged(crowd.seen) + slower(before, during)
        if held < 2 * clients:
            found.findings.append(f"only {held} dripped at once, which shows too little")
        found.findings += empty(running) + running.whole()
    return found


def _measured(running: Stage, seconds: float) -> Client:
    with running.client("POST", "/v1/messages", body(), pause_ms=2) as client:
        time.sleep(seconds)
    return client


def slower(before: Sequence[float], during: Sequence[float]) -> list[str]:
    """A finding if others' requests were slowed down; samples in ms."""
    calm, busy = percentile(before, 99), percentile(during, 99)
    return [f"p99 of others is {busy:.2f} ms, {calm:.2f} without"] if busy > SLOWER * calm else []


def judged(seen: Sequence[Seen]) -> list[str]:
    """What is wrong with how they ended."""
    findings = []
    for kind in _KINDS:
        mine = [one for one in seen if one.kind == kind]
        lasted = [one.lasted for one in mine if one.lasted is not None]
        if len(lasted) < len(mine):
            findings.append(f"{len(mine) - len(lasted)} of {len(mine)} dripped on ({kind})")
        if lasted and min(lasted) < DEADLINE_S:
            findings.append(f"one was ended after {min(lasted):.1f} s ({kind})")
        other = [one.answer[:60] for one in mine if not one.answer.startswith("HTTP/1.1 408 ")]
        if other:
            findings.append(f"{len(other)} were told something else than 408 ({kind}), first {other[0]!r}")
    return findings
