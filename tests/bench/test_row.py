from dataclasses import dataclass

import pytest

from bench.row import Row, number, table


def _row(value: float, bound: float | None, *, higher: bool = False) -> Row:
    return Row(
        suite="s", name="n", value=value, unit="ms", bound=bound, better="higher" if higher else "lower", note="why"
    )


@dataclass(frozen=True)
class Case:
    row: Row
    verdict: str


@pytest.mark.parametrize(
    "case",
    [
        Case(_row(0.15, 0.15), "ok"),
        Case(_row(0.16, 0.15), "MISSED"),
        Case(_row(2.8, 2.8, higher=True), "ok"),
        Case(_row(2.7, 2.8, higher=True), "MISSED"),
        Case(_row(1.0, None), ""),
    ],
)
def test_a_bound_is_kept_or_missed(case: Case) -> None:
    assert case.row.verdict == case.verdict
    assert case.row.as_dict()["verdict"] == case.verdict


def test_a_line_says_figure_bound_and_verdict() -> None:
    _, line = table([_row(0.16, 0.15)])
    assert line.split() == ["n", "0.160", "ms", "≤", "0.150", "MISSED", "why"]


def test_a_suite_is_named_once() -> None:
    lines = list(table([_row(1, None), _row(2, None)]))
    assert len(lines) == 3
    assert lines[0].strip() == "s"


@pytest.mark.parametrize(
    ("value", "text"),
    [(12345.6, "12,346"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.1234, "0.123"), (float("nan"), "-")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text
