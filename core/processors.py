"""How many processors this process may use."""

import os
from contextlib import suppress
from pathlib import Path


def available(root: Path = Path("/")) -> int:
    """Those that it may run on, and no more than its control group's quota is worth (version 2); at least one."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):  # `max` is no number
        quota, period = (root / "sys/fs/cgroup/cpu.max").read_text().split()
        count = min(count, max(1, round(int(quota) / int(period))))
    return count
