"""A process with all its descendants: their CPU time, their memory, their end."""

import os
import re
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
#: What is asked to end may take so long (s).
_GRACE_S: Final = 5.0


def pids(root: int) -> list[int]:
    """The process and its descendants, those first that were there first; empty if it is gone."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children[int(fields[1])].append(int(entry.name))
    found = [root] if _stat(root) else []
    for pid in found:
        found += sorted(children[pid])
    return found


def alive(pid: int) -> bool:
    """Whether it runs; one that has ended and is not yet waited for does not."""
    fields = _stat(pid)
    return bool(fields) and fields[0] not in "ZX"


def cpu_s(root: int) -> float:
    """Seconds of CPU that the tree has used, with those of its descendants that have ended (proc(5), stat)."""
    return sum(sum(map(int, fields[11:15])) for pid in pids(root) if (fields := _stat(pid))) / _TICKS


def pss_mb(root: int) -> float:
    """Megabytes (10^6 bytes) of the whole tree; what several processes share is counted once (PSS, proc(5))."""
    return sum(map(own_pss_mb, pids(root)))


def own_pss_mb(pid: int) -> float:
    """Of one process; 0 if it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else 0.0


@contextmanager
def stopped(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """At the block's end all of them are asked to end, and those that do not are ended."""
    try:
        yield
    finally:
        tree = pids(process.pid)
        _send(tree, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_S
        while any(map(alive, tree)) and time.monotonic() < deadline:
            time.sleep(0.01)
        _send(tree, signal.SIGKILL)
        process.wait()


def _stat(pid: int) -> list[str]:
    """The fields from the state on: the name before them may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _send(tree: list[int], signum: signal.Signals) -> None:
    for pid in tree:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)
