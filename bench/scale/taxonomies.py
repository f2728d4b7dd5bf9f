"""What a taxonomy costs by its patterns: made from its files' texts, and asked about 10 KB."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from bench.row import Row
from bench.scale.curve import Curve, at, row
from bench.scale.measuring import Asked, Effort, cpu_ms, curves
from core.lab.traffic.writer import Writer
from core.rolegraph import Matcher, build_taxonomy

PATTERNS: Final = (333, 1000, 3333, 10_000, 33_333, 100_000)
#: Of a concept.
SYNONYMS: Final = 100
CHARACTERS: Final = 10_000
#: Issue 9's bounds for 100 000 patterns: making them (ms), and 10 KB through them (ms).
BUILD_MS, MATCH_MS = 2000.0, 1.0
SUITE: Final = "Scale: a taxonomy"
BUILT, MATCHED = "made from texts", "10 KB of prose, a match at its end"


def measured(effort: Effort) -> Iterator[tuple[Row, Curve | None]]:
    """Both costs, and what they are of the largest."""
    prose = Writer(4).prose(CHARACTERS)

    def measure(patterns: int) -> dict[str, float]:
        files = list(_files(patterns))
        made = list[Matcher]()
        built = cpu_ms([lambda: made.append(Matcher(build_taxonomy(files)))])
        named = files[-1][1].rpartition(", ")[2].strip()
        text = f"{prose[: -len(named) - 1]} {named}"
        if not made[0].routing(text):
            raise RuntimeError(f"{named!r} matches nothing")
        return {BUILT: built, MATCHED: cpu_ms([partial(made[0].routing, text)] * 10 * effort.runs)}

    asked = [Asked(BUILT, "ms", 1.1), Asked(MATCHED, "ms", 0.2)]
    sizes = effort.upto(PATTERNS)
    found = curves(SUITE, "patterns", asked, sizes, effort.rounds, measure)
    for curve, bound in zip(found, (BUILD_MS, MATCH_MS), strict=True):
        yield row(curve), curve
        if PATTERNS[-1] in sizes:
            yield at(curve, PATTERNS[-1], bound, f"{curve.name}, {PATTERNS[-1]:,} patterns"), None


def _files(patterns: int) -> Iterator[tuple[str, str]]:
    """One for each concept; the number makes each synonym another."""
    writer = Writer(6)
    for first in range(0, patterns, SYNONYMS):
        numbers = range(first, min(first + SYNONYMS, patterns))
        said = ", ".join(f"{writer.word()} {writer.word()} {number:x}" for number in numbers)
        yield f"made_{first}.md", f"# Made {first}\nroute:: anthropic, claude-sonnet-4-5\nsynonyms:: {said}\n"
