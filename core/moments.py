"""Moments as people write them on a command line. Pure."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

_AGO: Final = re.compile(r"([0-9]{1,9})([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment_ms(text: str, now_ms: int, *, end: bool = False) -> int:
    """Unix time in ms of `2026-11-23` (UTC; at its end if `end`), `2026-11-23T14:00[:00][Z|+01:00]` (UTC if it does not
    say) or `90m` (so long ago; s, m, h, d, w). ValueError says what it should be.
    """
    if ago := _AGO.fullmatch(text):
        return now_ms - int(timedelta(**{_UNITS[ago[2]]: int(ago[1])}).total_seconds() * 1000)
    try:
        if len(text) == len("2026-11-23"):
            day = date.fromisoformat(text) + timedelta(days=end)
            moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
        else:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no moment like 2026-11-23, 2026-11-23T14:00 (UTC) or 24h (ago)") from None
    return round(moment.timestamp() * 1000)


def shown(ms: int) -> str:
    """UTC, to the second."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
