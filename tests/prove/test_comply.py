"""What the run of llm-comply makes of its results; the run itself is `make comply`."""

from collections import Counter
from typing import Any

import pytest

from prove.comply import EXPLAINED, judge
from prove.section import Section

CITATIONS = "content.0: {'type': 'text', 'text': 'a\nb'} is not valid under any of the given schemas"


def judged(*results: dict[str, Any]) -> tuple[Section, Counter[str]]:
    found, explained = Section("llm-comply"), Counter[str]()
    for number, result in enumerate(results):
        judge({"id": f"t{number}", "pair": "p"} | result, found, explained)
    return found, explained


def test_what_passes_and_what_is_explained() -> None:
    found, explained = judged({"status": "passed"}, {"status": "passed"}, {"status": "failed", "errors": [CITATIONS]})
    assert (found.findings, found.counts) == ([], {"p": "1 explained, 2 passed"})
    assert list(explained.values()) == [1]
    assert set(explained) <= set(EXPLAINED.values())


@pytest.mark.parametrize(
    "result",
    [
        {"status": "failed", "errors": [CITATIONS, "usage: 'x' is a required property"]},
        {"status": "failed", "errors": ["'container' is a required property"]},
        {"status": "skipped", "errors": ["needs another model"]},
        {"status": "error", "errors": []},
    ],
)
def test_any_other_difference_is_a_finding(result: dict[str, Any]) -> None:
    found, _ = judged(result)
    assert len(found.findings) == 1
    assert "explained" not in found.counts["p"]
