import os
from pathlib import Path

import pytest

from core.resident import OF_AVAILABLE, OF_LIMIT, Memory, cgroup_limit, default_watermark, trim

GIB = 1 << 30


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_what_is_touched_is_resident() -> None:
    memory = Memory()
    before = memory.resident()
    block = bytearray(os.urandom(1)) * (64 << 20)
    after = memory.resident()
    del block
    trim()
    freed = memory.resident()
    memory.close()
    assert after - before > 60 << 20
    assert after - freed > 60 << 20


def test_a_system_that_does_not_tell(tmp_path: Path) -> None:
    memory = Memory(str(tmp_path / "absent"))
    assert memory.resident() == 0
    memory.close()
    assert default_watermark(tmp_path) == 0


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": f"{GIB}\n"}, GIB),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/memory.max": "max\n",
                "sys/fs/cgroup/a/memory.max": f"{2 * GIB}\n",
            },
            2 * GIB,
        ),
        ({"proc/self/cgroup": "0::/elsewhere\n", "sys/fs/cgroup/memory.max": f"{GIB}\n"}, GIB),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 0),
        ({"proc/self/cgroup": "9:cpu,memory:/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": f"{GIB}\n"}, GIB),
        (
            {
                "proc/self/cgroup": "9:memory:/a\n",
                "sys/fs/cgroup/memory/a/memory.limit_in_bytes": f"{(1 << 63) - 4096}",
            },
            0,
        ),
        ({"proc/self/cgroup": "9:cpu:/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": f"{GIB}\n"}, 0),
    ],
)
def test_the_lowest_limit_of_the_control_groups_counts(tmp_path: Path, files: dict[str, str], limit: int) -> None:
    assert cgroup_limit(tree(tmp_path, files)) == limit


def test_the_default_is_a_share_of_the_limit_or_of_what_is_available(tmp_path: Path) -> None:
    root = tree(tmp_path, {"proc/meminfo": "MemTotal: 4 kB\nMemAvailable:    2048 kB\n"})
    assert default_watermark(root) == int(2048 * 1024 * OF_AVAILABLE)
    tree(root, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": f"{GIB}"})
    assert default_watermark(root) == int(GIB * OF_LIMIT)
