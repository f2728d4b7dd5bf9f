"""When a provider wants to be asked again: `retry-after-ms` and `Retry-After` (RFC 9110, section 10.2.3). Pure.

What a header says is a stranger's word: it is clamped before anything here waits for it, and it goes on to a client
only if a client could mean to obey it.
"""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

#: Nothing of ours rests longer on a provider's word, in seconds.
LONGEST_S: Final = 60.0
#: A longer wait than a day is no advice: the client is told `LONGEST_S` instead.
SANE_S: Final = 86_400.0

#: Longer values are no numbers of seconds and no dates.
_LONGEST_TEXT: Final = 128
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
#: Header to seconds in its unit, in the order in which clients' SDKs look at them.
_UNITS: Final = (("retry-after-ms", 0.001), ("retry-after", 1.0))


def wait_s(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait, 0 to `LONGEST_S`; None if nothing readable was said. `now` is Unix time, for dates.

    A time that has passed is now. Where a header came several times, the longest wait counts.
    """
    said = _said(headers, now)
    return None if said is None else min(max(said, 0.0), LONGEST_S)


def for_client(headers: Mapping[str, str], now: float) -> dict[str, str]:
    """The same headers with a wait that a client can obey: sane ones as they are, too long ones as `LONGEST_S`.

    What cannot be read, lies in the past or came several times is left out or made one number.
    """
    kept = {name: value for name, value in headers.items() if name not in dict(_UNITS)}
    said = _said(headers, now)
    if said is None:
        return kept
    sane = {name: headers[name] for name, unit in _UNITS if 0 <= _seconds(headers, name, unit, now) <= SANE_S}
    if len(sane) == sum(name in headers for name, _ in _UNITS):
        return kept | sane
    return kept | {"retry-after": whole_seconds(min(max(said, 0.0), LONGEST_S))}


def whole_seconds(wait: float) -> str:
    """A wait as `Retry-After` takes it: whole seconds, rounded up."""
    return str(int(-(-wait // 1)))


def _said(headers: Mapping[str, str], now: float) -> float | None:
    waits = (_seconds(headers, name, unit, now) for name, unit in _UNITS)
    return next((wait for wait in waits if wait == wait), None)  # noqa: PLR0124  # not NaN


def _seconds(headers: Mapping[str, str], name: str, unit: float, now: float) -> float:
    """Seconds from now, negative ones too; NaN if the header is not there or says nothing readable."""
    text = headers.get(name, "").strip()
    if len(text) > _LONGEST_TEXT:
        return float("nan")
    parts = [part.strip() for part in text.split(",")]
    if all(_NUMBER.fullmatch(part) for part in parts):
        return max(float(part) for part in parts) * unit
    return _date(text) - now if name == "retry-after" else float("nan")


def _date(text: str) -> float:
    """Unix time of an HTTP-date in any of its three forms, one of which names no zone; NaN for anything else."""
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, IndexError, TypeError, OverflowError, OSError):
        return float("nan")
