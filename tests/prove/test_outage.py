"""The proof of an outage sees what it should."""

from pathlib import Path

import httpx
import pytest

from prove import outage
from prove.section import Section

GOOD = httpx.Response(200, json={"type": "message"})
DOWN = httpx.Response(529, json={"type": "error", "error": {"type": "overloaded_error"}})


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (httpx.Response(500, json={"type": "error", "error": {"type": "api_error"}}), "500 api_error"),
        (httpx.Response(529, json={"error": "x"}), "529 no answer of the dialect"),
        (httpx.Response(529, text="busy"), "529 no answer of the dialect"),
        (GOOD, "200"),
    ],
)
def test_an_answer_that_is_not_wanted_is_a_finding(answer: httpx.Response, what: str) -> None:
    assert outage.judge([DOWN, answer, answer], {529: "overloaded_error"}) == [f"2 answers were {what}"]
    assert outage.judge([DOWN, DOWN], {529: "overloaded_error"}) == []


def test_a_lone_provider_that_is_down_is_told_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "LATE_S", 0.0)
    with outage.scene(tmp_path, "[resilience]\nbreaker = false\n") as (down, url):
        result = Section("x")
        assert 60 <= outage._flooded(result, "alone", down, url, 60) <= 120
        assert result.findings == []
        down.unscript()
        outage._flooded(result, "well", down, url, 1)
    assert result.findings == ["1 answers were 200"]
