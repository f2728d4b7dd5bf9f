"""What this process uses of the machine's memory, and how much there is. Linux tells; elsewhere nothing is known."""

import ctypes
import os
from contextlib import suppress
from pathlib import Path

#: Shares of a control group's limit and of the memory that is free without one, that the proxy may use.
OF_LIMIT, OF_AVAILABLE = 0.8, 0.5
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class Memory:
    """This process's resident set, read at each call from one open descriptor."""

    def __init__(self, path: str = "/proc/self/statm") -> None:
        self._fd = -1
        with suppress(OSError):
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def resident(self) -> int:
        """Bytes; 0 if the system does not tell."""
        if self._fd < 0:
            return 0
        return int(os.pread(self._fd, 128, 0).split()[1]) * _PAGE

    def close(self) -> None:
        """Give the descriptor back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def trim() -> None:
    """Give freed memory back to the system: the allocator keeps what a burst took, and the resident set with it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def default_watermark(root: Path = Path("/")) -> int:
    """Bytes that the proxy may use if nothing is configured; 0 if the system does not tell."""
    limit = cgroup_limit(root)
    if limit:
        return int(limit * OF_LIMIT)
    with suppress(OSError, ValueError, IndexError):
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(int(line.split()[1]) * 1024 * OF_AVAILABLE)
    return 0


def cgroup_limit(root: Path = Path("/")) -> int:
    """The lowest memory limit of this process's control groups, in bytes; 0 without one. Versions 1 and 2."""
    limits = []
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            v2 = not controllers
            if v2 or "memory" in controllers.split(","):
                base = root / "sys/fs/cgroup" / ("" if v2 else "memory")
                limits += _limits(base, path, "memory.max" if v2 else "memory.limit_in_bytes")
    return min(limits, default=0)


def _limits(base: Path, path: str, name: str) -> list[int]:
    """Of a group and all above it. Inside a container the path may not be there, but the base is its own group."""
    group = base / path.strip("/")
    found = []
    for folder in (group, *group.parents):
        with suppress(OSError, ValueError):  # `max` is no number
            found.append(int((folder / name).read_text()))
        if folder == base:
            break
    return [limit for limit in found if limit < 1 << 60]  # version 1 says 2**63 for none
