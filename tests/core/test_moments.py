from datetime import UTC, datetime

import pytest

from core.moments import moment_ms, shown

NOW = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "end", "moment"),
    [
        ("2026-11-22", False, "2026-11-22T00:00:00Z"),
        ("2026-11-22", True, "2026-11-23T00:00:00Z"),
        ("2026-11-22T13:14", False, "2026-11-22T13:14:00Z"),
        ("2026-11-22T13:14:15Z", True, "2026-11-22T13:14:15Z"),
        ("2026-11-22T13:14+02:00", False, "2026-11-22T11:14:00Z"),
        ("90m", False, "2026-11-23T10:30:00Z"),
        ("7d", False, "2026-11-16T12:00:00Z"),
        ("1w", True, "2026-11-16T12:00:00Z"),
    ],
)
def test_moments(text: str, end: bool, moment: str) -> None:
    assert shown(moment_ms(text, NOW, end=end)) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-02-30", "5", "-5d", "9999-12-31", "5y", "٣d"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="is no moment like"):
        moment_ms(text, NOW, end=True)
