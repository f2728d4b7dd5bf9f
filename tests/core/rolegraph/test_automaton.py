import gc
import re
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from core.rolegraph import build_taxonomy
from core.rolegraph.automaton import Automaton
from core.rolegraph.model import Concept
from core.rolegraph.text import fold, is_boundary, lower


def automaton(*patterns: str) -> Automaton:
    """One concept, `zzzz`, with these patterns."""
    return Automaton(build_taxonomy([("zzzz.md", "synonyms:: " + ", ".join(patterns))]).concepts)


def found(machine: Automaton, text: str) -> list[str]:
    return [hit.pattern.text for hit in machine.hits(fold(lower(text)))]


def expected(machine: Automaton, text: str) -> list[tuple[int, int]]:
    """The definition, word for word and slowly: all occurrences, boundary, leftmost, longest."""
    spans = [
        (match.start(), match.start() + len(entry.text))
        for entry in machine.patterns
        for match in re.finditer(f"(?={re.escape(entry.text)})", text)
    ]
    spans = [
        (start, end)
        for start, end in spans
        if (start == 0 or is_boundary(text[start - 1], text[start]))
        and (end == len(text) or is_boundary(text[end - 1], text[end]))
    ]
    kept: list[tuple[int, int]] = []
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not kept or start >= kept[-1][1]:
            kept.append((start, end))
    return kept


def test_within_a_word_is_no_occurrence() -> None:
    machine = automaton("pr", "plan")
    assert found(machine, "improve the airplane, prune plan9 and plan_b") == []
    assert found(machine, "(PR) re-plan") == ["pr", "plan"]


def test_a_longer_pattern_is_not_hidden_by_a_shorter_one() -> None:
    assert found(automaton("long", "long context", "context"), "a long context window") == ["long context"]


def test_a_longer_one_that_fails_the_boundary_hides_nothing() -> None:
    assert found(automaton("use gem", "use gemini", "use gemini pro"), "use gemini professionally") == ["use gemini"]


def test_of_overlapping_ones_the_first_counts() -> None:
    assert found(automaton("we use gemini", "use gemini now"), "we use gemini now") == ["we use gemini"]


def test_patterns_that_begin_or_end_with_a_sign() -> None:
    machine = automaton("c++", "<think>", "@model", ".net", "--plan")
    assert found(machine, "in C++, <think> @model .NET --plan") == ["c++", "<think>", "@model", ".net", "--plan"]
    assert found(machine, "c++x is c++ and a<think>b") == ["c++", "c++", "<think>"]


def test_signs_are_not_spaces() -> None:
    machine = automaton("step by step", "tf-idf")
    assert found(machine, "step-by-step tf idf step, by step") == []
    assert found(machine, "TF-IDF step by step") == ["tf-idf", "step by step"]


def test_cjk_needs_no_boundary() -> None:
    machine = automaton("一步一步", "gemini", "思考")
    assert found(machine, "请一步一步地思考,用Gemini模型") == ["一步一步", "思考", "gemini"]


def test_other_scripts_do() -> None:
    assert found(automaton("план"), "планета и план") == ["план"]


def test_nothing_to_find_and_nothing_to_search() -> None:
    assert Automaton(()).hits(" a") == []
    assert found(automaton("a"), "") == []


def test_lone_surrogates_are_characters_like_others() -> None:
    assert found(automaton("plan"), "\ud800plan \udfffplan") == ["plan", "plan"]


PIECES = ["a", "b", "ab", "a b", "b a", "a-b", "_", "c++", "é", "éa", "用", "用a", "a用", "<a>", "ß b"]


@settings(deadline=None, derandomize=True, database=None)
@given(st.sets(st.sampled_from(PIECES), min_size=1), st.text(alphabet="ab é用_+-<>cß\n", max_size=30))
def test_it_finds_what_the_definition_says(patterns: set[str], text: str) -> None:
    machine = automaton(*sorted(patterns))
    folded = fold(lower(text))
    assert [(hit.start, hit.end) for hit in machine.hits(folded)] == expected(machine, folded)


def test_routing_only_leaves_the_others_out_but_not_what_they_hide() -> None:
    files = [("talk.md", "synonyms:: we use gemini"), ("wish.md", "synonyms:: use gemini, ask r1\nroute:: a, b")]
    machine = Automaton(build_taxonomy(files).concepts)
    text = fold(lower("we use gemini; ask R1"))
    assert [hit.pattern.text for hit in machine.hits(text)] == ["we use gemini", "ask r1"]
    assert [hit.pattern.text for hit in machine.hits(text, routing_only=True)] == ["ask r1"]


def test_without_a_pattern_the_next_one_shows() -> None:
    machine = automaton("use gemini", "please use gemini", "gemini")
    assert [hit.pattern.text for hit in machine.without("please use gemini")] == ["use gemini"]
    assert machine.without("gemini") == []


def test_the_cyclic_collector_stands_still_while_it_is_built() -> None:
    on = []

    class Watched(tuple[Concept, ...]):
        __slots__ = ()

        def __iter__(self) -> Iterator[Concept]:
            on.append(gc.isenabled())
            return super().__iter__()

    Automaton(Watched(build_taxonomy([("zzzz.md", "synonyms:: a word")]).concepts))
    assert [*on, gc.isenabled()] == [False, True]
