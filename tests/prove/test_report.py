"""What a run leaves: the file, the table in the documentation, the last lines."""

from pathlib import Path

import pytest

from prove import __main__ as command
from prove import report
from prove.profile import PROFILES
from prove.promises import PROMISES
from prove.section import Section, show

HELD = Section("it holds", {"requests": "10"}, number="0 of 10", name="one", seconds=2.4)
BROKEN = Section("it does not", findings=["first", "second"], number="2 of 10", name="other")
SKIPPED = Section("who knows", skipped="no namespace here", name="third")
PAGE = f"""before
{report.BEGIN}
| promise | what | last |
|---|---|---|
| `one` | a \\| b | old |
| `other` | c | old |
| `absent` | d | stays |
{report.END}
| `one` | outside | old |
"""


def test_what_is_written_is_read(tmp_path: Path) -> None:
    report.write(tmp_path / "prove.json", "short", [HELD, BROKEN], "0123456789ab")
    found = report.read(tmp_path / "prove.json")
    assert (found.profile, found.sections) == ("short", [HELD, BROKEN])
    assert found.machine == report.machine()
    assert found.date.endswith("+00:00")
    assert [path.name for path in tmp_path.iterdir()] == ["prove.json"]


def test_the_results_of_a_run_stand_in_the_table(tmp_path: Path) -> None:
    page, results = tmp_path / "page.md", tmp_path / "prove.json"
    page.write_text(PAGE)
    report.write(results, "full", [HELD, BROKEN], "0123456789ab+")
    run = report.read(results)
    report.write_docs(results, page)
    said = f"(full, {run.date[:10]}, {run.commit})"
    assert page.read_text() == PAGE.replace("a \\| b | old", f"a \\| b | 0 of 10 {said}").replace(
        "c | old", f"c | BROKEN: 2 findings {said}"
    )


def test_what_was_skipped_says_so(tmp_path: Path) -> None:
    report.write(tmp_path / "prove.json", "full", [SKIPPED], "")
    run = report.read(tmp_path / "prove.json")
    assert report.last_result(run, SKIPPED).startswith("SKIPPED: no namespace here (full, ")


def test_a_page_without_the_place_is_refused() -> None:
    with pytest.raises(ValueError, match="once each"):
        report.with_results(PAGE.replace(report.END, ""), {})


def test_the_page_has_the_place() -> None:
    text = report.DOCS.read_text()
    assert report.with_results(text, {}) == text
    first = next(iter(PROMISES))
    assert "| so it went |" in report.with_results(text, {first: "so it went"})


def test_a_run_ends_with_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert show([HELD, BROKEN, SKIPPED]) == 2
    assert capsys.readouterr().out.splitlines()[-6:] == [
        "one    held     2 s  0 of 10",
        "other  BROKEN   0 s  2 of 10",
        "third  SKIPPED  0 s",
        *(f"other BROKEN {finding}" for finding in BROKEN.findings),
        "2 broken promises",
    ]


def test_a_proof_that_fails_in_itself_is_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: object) -> Section:
        raise RuntimeError("nothing was shown")

    monkeypatch.setitem(PROMISES, "leaks", fail)
    [section] = command.tried(["leaks"], PROFILES["short"], tmp_path)
    assert (section.name, section.findings) == ("leaks", ["RuntimeError: nothing was shown"])
