"""What is stored is read again, and what is dearer is seen."""

from pathlib import Path

import pytest

from bench.check.bounds import TOLERANCE, Bounds, judged, read, written


def test_what_is_stored_is_read_again(tmp_path: Path) -> None:
    bounds = Bounds("CPython 3.11.2 x86_64", {"a request of 300 B": 3_000_000, 'odd "name"': 1})
    file = tmp_path / "bounds.toml"
    assert read(file) == Bounds("", {})
    file.write_text(written(bounds))
    assert read(file) == bounds


@pytest.mark.parametrize(
    ("counted", "word"),
    [
        (1_000_000, "ok"),
        (int(1_000_000 * (1 + TOLERANCE)), "ok"),
        (int(1_000_000 * (1 + TOLERANCE)) + 1, "DEARER"),
        (int(1_000_000 * (1 - TOLERANCE)) - 1, "cheaper"),
    ],
)
def test_what_is_dearer_by_more_than_it_scatters_is_seen(counted: int, word: str) -> None:
    [verdict] = judged({"work": counted}, {"work": 1_000_000})
    assert verdict.word == word


def test_new_work_has_no_bound_yet() -> None:
    [verdict] = judged({"work": 1}, {})
    assert (verdict.ratio, verdict.word) == (None, "NEW")
