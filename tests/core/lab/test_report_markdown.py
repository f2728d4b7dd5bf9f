"""A backtest's report in a pull request."""

import re

from reported import HOSTILE, empty, full

from core.lab.report_markdown import escaped, markdown


def test_what_is_exceeded_comes_first() -> None:
    lines = markdown(full(), ["--max-flips 1%: it is 2.211%"], ["--max-flips 1%"]).splitlines()
    assert lines[:3] == ["### Backtest of x.wasm", "", "**Exceeded:** --max-flips 1%: it is 2.211%"]
    assert "| a,b | c,d | 19 | 2 % | req\\_0: default → rule:x |" in lines
    assert "| x | 0 | 21 | default 21 |  | trap 2 | 900 / 1,096 / 1,100 |" in lines


def test_bounds_that_hold_are_named() -> None:
    assert markdown(full(), [], ["--max-flips 3%"]).splitlines()[2] == "Held: --max-flips 3%"
    assert "Held" not in markdown(full())


def test_every_row_has_as_many_cells_as_its_heading() -> None:
    width = 0
    for line in markdown(full(name=HOSTILE, target=HOSTILE)).splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert cells in (width, 0) or not width, line
        width = cells


def test_a_name_is_shown_as_it_is_and_mentions_nobody() -> None:
    said = escaped(HOSTILE)
    assert "@team" not in said
    assert "http:/" not in said
    assert not re.search(r"(?<!\\)[<>|`\[\]_*]", said)
    assert said.isprintable() or "\u200b" in said
    assert "\n" not in escaped("a\nb\u2028c")


def test_of_nothing_there_is_a_table() -> None:
    assert markdown(empty()).startswith(
        "### Backtest of x.wasm\n\n|  | against the present configuration |\n|---|---|\n"
    )
