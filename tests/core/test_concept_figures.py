"""How often concepts were found."""

from core.concept_figures import MOST, STEP_MS, STEPS, ConceptFigures
from core.exchange import Found

HOUR_MS = STEP_MS * STEPS


def found(*paths: str) -> list[Found]:
    return [Found(path, path, "pattern", 500, 50) for path in paths]


def test_each_match_counts_where_it_was() -> None:
    figures = ConceptFigures()
    figures.keep(["a.md", "b.md"])
    start = 50 * HOUR_MS
    figures.found(found("a.md", "b.md"), start)
    figures.found(found("a.md"), start + 3 * STEP_MS)
    counts = figures.of("a.md", start + 3 * STEP_MS)
    assert (counts.recent[-4:], len(counts.recent), counts.total, counts.last_ms) == (
        [1, 0, 0, 1], STEPS, 2, start + 3 * STEP_MS,
    )  # fmt: skip
    later = figures.of("b.md", start + HOUR_MS)
    assert (sum(later.recent), later.total, later.last_ms) == (0, 1, start)


def test_who_was_never_found_takes_no_room() -> None:
    figures = ConceptFigures()
    figures.keep(["a.md"])
    assert figures.of("a.md", 0) == ([], 0, None)
    figures.found(found("else.md"), 5)
    assert figures.of("else.md", 5) == ([], 0, None)


def test_a_reload_keeps_what_stays_and_forgets_what_goes() -> None:
    figures = ConceptFigures()
    figures.keep(["a.md", "b.md"])
    figures.found(found("a.md", "b.md"), 5)
    figures.keep(["a.md", "c.md"])
    figures.keep(["a.md", "b.md"])
    assert (figures.of("a.md", 5).total, figures.of("b.md", 5).total) == (1, 0)


def test_a_taxonomy_of_any_size_is_counted_in_bounds() -> None:
    figures = ConceptFigures()
    paths = [f"{number:06}.md" for number in range(MOST + 10)]
    figures.keep(paths)
    figures.found(found(*paths), 5)
    assert sum(figures.of(path, 5).total for path in paths) == MOST
