"""The project's markdown files as data: tables, fenced blocks, links, headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facts import ROOT

DOCS = ROOT / "docs"
README = ROOT / "README.md"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block; `line` is that of its first line of content."""

    path: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}"


def documents() -> list[Path]:
    """The pages that people read."""
    return [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md")), *sorted((ROOT / "plugins").rglob("README.md"))]


def blocks(path: Path, *languages: str) -> list[Block]:
    """Fenced blocks of these languages."""
    text = path.read_text("utf-8")
    return [
        Block(path, text.count("\n", 0, match.start()) + 2, match[1], match[2])
        for match in _FENCE.finditer(text)
        if match[1] in languages
    ]


def table(path: Path, heading: str) -> list[list[str]]:
    """Rows of the table whose first column has this heading, without the heading; cells without outer spaces."""
    rows: list[list[str]] = []
    inside = False
    for line in path.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] if line[:1] == "|" else []
        if not inside:
            inside = bool(cells) and cells[0] == heading
        elif not cells:
            inside = False
        elif set(cells[0]) - set("-:"):
            rows.append(cells)
    return rows


def codes(cell: str) -> list[str]:
    """The code spans of a cell."""
    return re.findall(r"`([^`]+)`", cell)


def keys(path: Path, heading: str) -> list[str]:
    """All code spans of the first column: what the table documents."""
    return [code for row in table(path, heading) for code in codes(row[0])]


def links(path: Path) -> Iterator[tuple[Path, str]]:
    """Relative links as (file, anchor)."""
    text = _FENCE.sub("", path.read_text("utf-8"))
    for target in _LINK.findall(text):
        if "://" not in target:
            file, _, anchor = target.partition("#")
            yield (path.parent / file).resolve() if file else path, anchor


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.*)$", _FENCE.sub("", path.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
