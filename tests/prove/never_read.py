"""Promise: clients that never read cost little memory, and are cut off at the write deadline, their provider too."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.stats import percentile
from prove.hostile import Seen, empty, stage
from prove.scene import PATIENCE_S, body
from prove.section import Section

#: What each may cost the proxy (KiB), the write deadline that is tried (s), and how much later it may be noticed (s).
EACH_KIB: Final = 2 * 1024
WRITE_S: Final = 12.0
LATE_S: Final = 10.0
_WARM: Final = 50


def section(folder: Path, clients: int) -> Section:
    """So many clients that ask for an endless stream and take nothing of it."""
    found = Section(f"{clients} clients that never read")
    with stage(folder, write_s=WRITE_S, max_in_flight=clients + 10) as running:
        for _ in range(_WARM):
            running.request("/v1/messages", body())
        before, peak, asked = running.private(), 0, 0
        with running.crowd(clients, "mute") as crowd:
            begun, all_there, cut = time.monotonic(), 0.0, 0
            while cut < clients and time.monotonic() < (all_there or begun + PATIENCE_S) + WRITE_S + LATE_S:
                peak = max(peak, running.private())
                cut, asked = running.refused("write_s"), max(asked, running.asked())
                if asked == clients and not all_there:
                    all_there = time.monotonic()
                time.sleep(0.2)
        each = (peak - before) / clients
        found.counts = {
            "own memory, KiB": f"{before} then at most {peak}: {each:.0f} each",
            "streams at once": f"{asked}, all after {all_there - begun:.1f} s" if all_there else f"{asked}",
            "lasted, s": spread([one.lasted for one in crowd.seen if one.lasted is not None]),
            "counted": f"{running.refused('write_s'):.0f} for write_s",
        }
        found.number = (
            f"{each / 1024:.2f} MiB each, {sum(one.lasted is not None for one in crowd.seen)} of {clients} cut"
        )
        found.findings += judged(crowd.seen, each)
        if asked < clients:
            found.findings.append(f"only {asked} streams were under way, which shows too little")
        found.findings += empty(running) + running.whole()
    return found


def judged(seen: Sequence[Seen], each_kib: float) -> list[str]:
    """What is wrong with how they ended."""
    findings = []
    if each_kib > EACH_KIB:
        findings.append(f"each costs {each_kib:.0f} KiB; the bound is {EACH_KIB}")
    left = sum(one.lasted is None for one in seen)
    early = sum(one.lasted is not None and one.lasted < WRITE_S for one in seen)
    if left or early:
        findings.append(f"{left} were not cut off {LATE_S:.0f} s after the deadline, {early} were before it")
    return findings


def spread(samples: Sequence[float]) -> str:
    """First, middle and last."""
    return " / ".join(f"{percentile(samples, percent):.1f}" for percent in (0, 50, 100)) if samples else "none"
