import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.redaction import NOTHING, RUN, Redactor

SECRET = "sk-AbCdEfGhIjKlMnOpQrSt/0123+xyz"  # noqa: S105  # it is of no use
REDACTOR = Redactor([SECRET, "short-one", "none"])


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("nothing of it", "nothing of it"),
        (f"model {SECRET!r} is unknown", "model '[redacted]' is unknown"),
        (f"{SECRET}{SECRET}", "[redacted][redacted]"),
        (f"{SECRET} {SECRET}", "[redacted] [redacted]"),
        (f"no provider {SECRET.lower()!r}", "no provider '[redacted]'"),
        (f"cut: {SECRET[:20]}…", "cut: [redacted]…"),
        (f"cut: {SECRET[:RUN]}", "cut: [redacted]"),
        (f"cut: …{SECRET[-RUN:]}", "cut: …[redacted]"),
        (f"too little: {SECRET[: RUN - 1]}", f"too little: {SECRET[: RUN - 1]}"),
        (f"İ {SECRET} İ", "İ [redacted] İ"),
        ("a short-one, a SHORT-ONE", "a [redacted], a [redacted]"),
        ("none is a word", "none is a word"),
        ("", ""),
    ],
)
def test_what_is_told(said: str, told: str) -> None:
    assert REDACTOR.text(said) == told


@pytest.mark.parametrize("name", [SECRET, f"a,{SECRET}", f"{SECRET.upper()}:x", f"x{SECRET}y"])
def test_names_that_hold_a_secret(name: str) -> None:
    assert REDACTOR.holds(name)


@pytest.mark.parametrize("name", ["", "auto", "anthropic,claude-sonnet-4-6", SECRET[: RUN - 1], "none", "my short-one"])
def test_other_names(name: str) -> None:
    assert not REDACTOR.holds(name)


def test_without_secrets_nothing_is_changed() -> None:
    assert (NOTHING.text(SECRET), NOTHING.holds(SECRET)) == (SECRET, False)


@given(st.text(), st.text(), st.integers(0, len(SECRET) - RUN))
def test_no_run_of_a_secret_is_left(before: str, after: str, at: int) -> None:
    told = REDACTOR.text(f"{before}{SECRET[at:]}{after}")
    assert not any(SECRET[i : i + RUN].lower() in told.lower() for i in range(len(SECRET) - RUN + 1))
    assert REDACTOR.holds(f"{before}{SECRET}{after}")


@given(st.text(), st.integers(0, len(SECRET)), st.integers(0, len(SECRET)), st.text())
def test_what_is_cleaned_quickly_is_what_is_told(before: str, start: int, end: int, after: str) -> None:
    said = f"{before}{SECRET[start:end]}{after} short-one".encode("utf-8", "replace")
    assert REDACTOR.cleaned(said) == REDACTOR.text(said.decode()).encode()


def test_a_secret_that_json_writes_otherwise_is_found_in_json() -> None:
    secret = 'ab"cdef\\ghi"jklm'  # noqa: S105  # of no use
    cleaned = Redactor([secret]).cleaned(msgspec.json.encode({"a": f"x {secret} y"}))
    assert msgspec.json.decode(cleaned) == {"a": "x [redacted] y"}


def test_a_secret_that_python_writes_otherwise_is_not_cleared() -> None:
    secret = "abcdefgh'ijklmnop"  # noqa: S105
    for before in range(20):
        assert not Redactor([secret]).clears(str((f'{"-" * before}"{secret}',)))
