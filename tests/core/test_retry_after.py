"""Every form of Retry-After that a provider may send."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.retry_after import LONGEST_S, SANE_S, for_client, wait_s, whole_seconds

#: Wed, 21 Oct 2015 07:28:00 GMT
NOW = 1_445_412_480.0


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("+7", 7),
        ("1.5", 1.5),
        (".5", 0.5),
        ("2.", 2),
        ("-5", 0),
        ("60", 60),
        ("61", LONGEST_S),
        ("1e9", LONGEST_S),
        ("1e999", LONGEST_S),
        ("-1e999", 0),
        ("9" * 100, LONGEST_S),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30),
        ("Wednesday, 21-Oct-15 07:28:30 GMT", 30),
        ("Wed Oct 21 07:28:30 2015", 30),
        ("Wed, 21 Oct 2015 07:27:00 GMT", 0),
        ("Wed, 21 Oct 2099 07:28:00 GMT", LONGEST_S),
        ("5, 10", 10),
        ("10,5", 10),
        ("", None),
        ("soon", None),
        ("7 seconds", None),
        ("7s", None),
        ("nan", None),
        ("inf", None),
        ("0x10", None),
        ("1_000", None),
        ("٧", None),
        ("5, soon", None),
        ("Wed, 21 Oct 2015 99:99:99 GMT", None),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None),
        ("9" * 5000, None),
    ],
)
def test_each_form_of_retry_after(value: str, wait: float | None) -> None:
    assert wait_s({"retry-after": value}, NOW) == wait


def test_a_date_without_a_zone_is_not_this_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert wait_s({"retry-after": "Wed Oct 21 07:28:30 2015"}, NOW) == 30
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("milliseconds", "wait"), [("250", 0.25), ("1e9", LONGEST_S), ("-1", 0), ("1.5", 0.0015), ("soon", 9)]
)
def test_milliseconds_win_if_they_can_be_read(milliseconds: str, wait: float) -> None:
    assert wait_s({"retry-after-ms": milliseconds, "retry-after": "9"}, NOW) == wait


def test_a_date_is_no_number_of_milliseconds() -> None:
    assert wait_s({"retry-after-ms": "Wed, 21 Oct 2015 07:28:30 GMT"}, NOW) is None


def test_nothing_said_is_no_wait() -> None:
    assert wait_s({}, NOW) is None


@given(st.text() | st.from_regex(r"[+-]?[0-9]{1,6}(\.[0-9]{1,3})?(e[0-9]{1,4})?", fullmatch=True), st.booleans())
def test_whatever_is_said_the_wait_is_bounded(value: str, milliseconds: bool) -> None:
    headers = {"retry-after-ms" if milliseconds else "retry-after": value}
    wait = wait_s(headers, NOW)
    assert wait is None or 0 <= wait <= LONGEST_S
    sent = for_client(headers, NOW)
    again = wait_s(sent, NOW)
    assert (again is None) == (wait is None)
    assert again is None or math.isclose(again, wait or 0) or again == float(whole_seconds(wait or 0))


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ({"retry-after": "7"}, {"retry-after": "7"}),
        ({"retry-after": "3600"}, {"retry-after": "3600"}),
        ({"retry-after": str(int(SANE_S) + 1)}, {"retry-after": "60"}),
        ({"retry-after": "1e9"}, {"retry-after": "60"}),
        ({"retry-after": "-3"}, {"retry-after": "0"}),
        ({"retry-after": "soon"}, {}),
        ({"retry-after-ms": "250", "retry-after": "1"}, {"retry-after-ms": "250", "retry-after": "1"}),
        ({"retry-after-ms": "1e15", "retry-after": "1"}, {"retry-after": "60"}),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT"}, {"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT"}),
        ({"retry-after": "Wed, 21 Oct 2099 07:28:30 GMT"}, {"retry-after": "60"}),
        ({"request-id": "r"}, {"request-id": "r"}),
    ],
)
def test_what_a_client_is_told(headers: dict[str, str], sent: dict[str, str]) -> None:
    assert for_client(headers, NOW) == sent


@pytest.mark.parametrize(("wait", "text"), [(0, "0"), (0.01, "1"), (1, "1"), (1.2, "2"), (60, "60")])
def test_seconds_are_rounded_up(wait: float, text: str) -> None:
    assert whole_seconds(wait) == text
