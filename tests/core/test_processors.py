from pathlib import Path

import pytest

from core.processors import available


def quota(root: Path, text: str) -> Path:
    file = root / "sys/fs/cgroup/cpu.max"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return root


def test_there_is_one_whatever_the_system_tells(tmp_path: Path) -> None:
    assert available(tmp_path) >= 1
    assert available() >= 1


@pytest.mark.parametrize(("text", "count"), [("100000 100000\n", 1), ("20000 100000\n", 1), ("nonsense\n", None)])
def test_a_quota_counts_and_is_never_nothing(tmp_path: Path, text: str, count: int | None) -> None:
    unbound = available(tmp_path)
    assert available(quota(tmp_path, text)) == (unbound if count is None else count)


def test_a_quota_of_more_than_there_are_adds_none(tmp_path: Path) -> None:
    unbound = available(tmp_path)
    assert available(quota(tmp_path, "100000000 100000\n")) == unbound
