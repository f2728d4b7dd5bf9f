"""What a run of the promises leaves: prove.json, and the last column of the table in docs/security.md."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from prove.section import Section

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs" / "security.md"
#: The table between these two lines is the one that results are written into.
BEGIN, END = "<!-- promises: the last column is written by `python -m prove --write-docs` -->", "<!-- /promises -->"


class Machine(Struct, frozen=True):
    """Where it ran."""

    cores: int
    kernel: str
    python: str
    architecture: str


class Report(Struct, frozen=True):
    """One run. `date` is UTC; `commit` is empty outside a checkout, and ends with + if files had changed."""

    date: str
    profile: str
    commit: str
    machine: Machine
    sections: list[Section]


def machine() -> Machine:
    """Of this process."""
    return Machine(len(os.sched_getaffinity(0)), platform.release(), platform.python_version(), platform.machine())


def checked_out() -> str:
    """The checkout's commit."""
    git = ("git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT))
    try:
        said = [
            subprocess.run((*git, *args), check=True, capture_output=True, text=True).stdout.strip()
            for args in (("rev-parse", "--short=12", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        ]
    except (OSError, subprocess.CalledProcessError):
        return ""
    return said[0] + ("+" if said[1] else "")


def write(path: Path, profile: str, sections: Sequence[Section], commit: str) -> None:
    """The file, whole or not at all. `commit` is what was checked out when the run began."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    data = msgspec.json.encode(Report(now, profile, commit, machine(), list(sections)))
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_bytes(msgspec.json.format(data, indent=2) + b"\n")
    temporary.replace(path)


def read(path: Path) -> Report:
    """What `write` wrote."""
    return msgspec.json.decode(path.read_bytes(), type=Report)


def last_result(report: Report, section: Section) -> str:
    """A cell of the table."""
    what = section.number or section.verdict
    if section.findings:
        what = f"BROKEN: {len(section.findings)} findings"
    elif section.skipped:
        what = f"SKIPPED: {section.skipped}"
    return f"{what} ({report.profile}, {report.date[:10]}, {report.commit})"


def with_results(text: str, results: Mapping[str, str]) -> str:
    """The page with these results (promise to cell) as the last cell of their rows; other rows stay as they are."""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"the page needs {BEGIN!r} and {END!r}, once each")
    before, rest = text.split(BEGIN)
    table, after = rest.split(END)

    def row(match: re.Match[str]) -> str:
        cell = results.get(match["name"])
        return match[0] if cell is None else f"{match['head']} {cell.replace('|', '/')} |"

    rows = re.sub(r"^(?P<head>\| `(?P<name>\w+)` \|.*\|)[^|\n]*\|$", row, table, flags=re.MULTILINE)
    return before + BEGIN + rows + END + after


def write_docs(path: Path, page: Path = DOCS) -> None:
    """Put the results of a run into the page."""
    report = read(path)
    results = {section.name: last_result(report, section) for section in report.sections}
    page.write_text(with_results(page.read_text("utf-8"), results), "utf-8")
