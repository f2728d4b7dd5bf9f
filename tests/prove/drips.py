"""Promise: clients that drip heads and bodies do not slow others down, and are refused at their deadline."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from bench.stats import percentile
from prove.hostile import Seen, Stage, empty, stage
from prove.never_read import spread
from prove.scene import Client, body
from prove.section import Section

#: How much slower others' requests may be at p99; the deadlines that are tried, and how much later they may act (s).
SLOWER: Final = 2.0
DEADLINE_S: Final = 12.0
LATE_S: Final = 4.0
#: Series that are measured at most.
SERIES: Final = 3
#: Normal requests are measured for so long (s): half before, half after, and while it drips.
MEASURED_S: Final = 9.0
_KINDS: Final = ("head", "body")


def section(folder: Path, clients: int) -> Section:
    """So many of each kind at once.

    The machine may stand still for longer than the bound, so the best of a few series counts.
    """
    found = Section(f"{clients} dripped heads and {clients} dripped bodies")
    limits = {"header_s": DEADLINE_S, "body_s": DEADLINE_S, "body_rate": 1_000_000}
    with stage(folder, **limits, max_connections=3 * clients + 100) as running:
        _measured(running, 2.0)  # warm
        series: list[Series] = []
        while len(series) < SERIES and not (series and not series[-1].slower()):
            series.append(_series(running, clients, found))
        found.counts |= {
            f"{title} of others, ms": ", ".join(
                f"{percentile(one.before, percent):.2f} then {percentile(one.during, percent):.2f}" for one in series
            )
            for title, percent in (("p99", 99), ("p50", 50))
        }
        found.number = f"p99 x {series[-1].ratio:.2f}"
        found.findings += series[-1].slower()
        found.findings += empty(running) + running.whole()
    return found


class Series(NamedTuple):
    """What others' requests took without drips and with them (ms)."""

    before: list[float]
    during: list[float]

    @property
    def ratio(self) -> float:
        return percentile(self.during, 99) / percentile(self.before, 99)

    def slower(self) -> list[str]:
        """A finding if others' requests were slowed down."""
        if self.ratio <= SLOWER:
            return []
        return [f"p99 of others is {percentile(self.during, 99):.2f} ms, {percentile(self.before, 99):.2f} without"]


def _series(running: Stage, clients: int, found: Section) -> Series:
    calm = [_measured(running, MEASURED_S / 2)]
    with running.crowd(clients, *_KINDS) as crowd:
        held = running.clients()
        busy = _measured(running, MEASURED_S)
        time.sleep(DEADLINE_S + LATE_S - MEASURED_S)
    calm.append(_measured(running, MEASURED_S / 2))
    for kind in _KINDS:
        found.counts[f"lasted, s ({kind})"] = spread([one.lasted or 0.0 for one in crowd.of(kind)])
    found.findings += [f"a request failed: {failure}" for client in (*calm, busy) for failure in client.failed()]
    found.findings += judged(crowd.seen)
    if held < 2 * clients:
        found.findings.append(f"only {held} dripped at once, which shows too little")
    return Series([one.ms for client in calm for one in client.seen], [one.ms for one in busy.seen])


def _measured(running: Stage, seconds: float) -> Client:
    with running.client("POST", "/v1/messages", body(), pause_ms=2) as client:
        time.sleep(seconds)
    return client


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
