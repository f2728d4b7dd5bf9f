"""Promise: what is over a cap is told so at once, those inside are served, and a flood is a few lines of the log."""

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from prove.hostile import Seen, Stage, empty, stage
from prove.scene import body, wait
from prove.section import Section, tally

#: Told so within (s), on a machine that does other things too.
AT_ONCE_S: Final = 2.0
IN_FLIGHT: Final = 20
#: Lines of the log for a flood of any size: one in ten seconds for each reason, and some.
LINES: Final = 12


def section(folder: Path, connections: int, junk: int) -> Section:
    """So many connections, as many over the cap, and so many that are no HTTP."""
    found = Section(f"{connections} connections are the cap, {IN_FLIGHT} requests, {junk} bad connections")
    with stage(folder, max_connections=connections, max_in_flight=IN_FLIGHT, header_s=60) as running:
        found.findings += _over_connections(running, connections, found)
        found.findings += empty(running)
        found.findings += _over_requests(running, found)
        found.findings += empty(running)
        found.findings += _flood(running, junk, found)
        found.findings += empty(running) + running.whole()
        if running.request("/v1/messages", body())[0] != 200:
            found.findings.append("service does not go on")
    found.number = f"{len(found.findings)} findings at {connections} connections"
    return found


def _over_connections(running: Stage, cap: int, found: Section) -> list[str]:
    """The cap is filled with clients that say nothing; as many more come."""
    with running.crowd(cap, "idle") as crowd, running.crowd(cap, "idle") as over:
        time.sleep(AT_ONCE_S)
    inside = sum(one.lasted is None for one in crowd.seen)
    found.counts["over the cap"] = tally(Counter(_line(one) for one in over.seen))
    findings = told(over.seen, 503)
    if inside < cap:
        findings.append(f"{cap - inside} of {cap} inside the cap were not served")
    return findings


def told(seen: Sequence[Seen], status: int) -> list[str]:
    """What is wrong with how they were refused: an answer, or for a mass of them an end without one, and soon."""
    findings = []
    late = sum(one.lasted is None or one.lasted > AT_ONCE_S for one in seen if not one.answer)
    late += sum(f"HTTP/1.1 {status}" not in one.answer for one in seen if one.answer)
    if late:
        findings.append(f"{late} of {len(seen)} were not told {status} within {AT_ONCE_S:.0f} s")
    if not any("retry-after" in one.answer for one in seen):
        findings.append("nobody was told when to come back")
    return findings


def _line(one: Seen) -> str:
    return one.answer.partition("\r\n")[0] or ("closed" if one.lasted is not None else "nothing")


def _over_requests(running: Stage, found: Section) -> list[str]:
    """The cap is filled with endless streams; both dialects ask for more, and for health."""
    findings = []
    with running.crowd(IN_FLIGHT, "mute"):
        wait(lambda: running.metric("terraphim_in_flight") >= IN_FLIGHT, "the streams did not begin")
        for path, status in (("/v1/messages", 529), ("/v1/chat/completions", 503), ("/health", 200)):
            begun = time.monotonic()
            got = running.request(path, b"" if status == 200 else body())[0]
            ms = (time.monotonic() - begun) * 1000
            found.counts[f"{path} at the cap"] = f"{got} after {ms:.1f} ms"
            if got != status or ms > AT_ONCE_S * 1000:
                findings.append(f"{path} at the cap: {got} after {ms:.0f} ms, not {status} at once")
    return findings


def _wait_for(running: Stage, refused: int) -> None:
    wait(lambda: running.refused("malformed") >= refused, f"{refused} bad connections are not refused")
    time.sleep(0.1)  # what was written is read


def _flood(running: Stage, count: int, found: Section) -> list[str]:
    """Connections that are no HTTP, a few at a time, so that they are inside the cap."""
    running.log_settled()
    before = running.log().count("\n")
    done = 0
    while done < count:
        size = min(100, count - done)
        with running.crowd(size, "junk") as crowd:
            done += size
            _wait_for(running, done)
        if other := [one.answer[:40] for one in crowd.seen if not one.answer.startswith("HTTP/1.1 400 ")]:
            return [f"{len(other)} bad connections were told something else, first {other[0]!r}"]
    running.log_settled()
    lines = running.log().count("\n") - before
    counted = running.refused("malformed")
    found.counts["bad connections"] = f"{counted:.0f} counted, {lines} lines of the log"
    findings = [f"{counted:.0f} of {count} bad connections were counted"] if counted != count else []
    return findings + ([f"{count} bad connections wrote {lines} lines"] if lines > LINES else [])
