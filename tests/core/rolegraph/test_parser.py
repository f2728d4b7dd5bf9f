import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.rolegraph import Line, Route, parse_concept

WHOLE = """# Plan mode #

Prose that mentions route:: in the middle of a line.
SYNONYMS::  Plan This First ,  think   ahead,,
synonyms:: Überlege zuerst
route:: openrouter, deepseek/deepseek-r1
is_free:: yes
action:: claude --model {{model}} -p "{{prompt}}"
Routing:: anthropic,claude-opus-4-5
priority:: 70
trigger:: design before code
pinned:: true
type::: config_document
example:: I want to go to plan mode
not:: a mode of transport
"""


def messages(text: str, path: str = "a/plan_mode.md") -> list[tuple[int, str]]:
    return [(problem.line, problem.message) for problem in parse_concept(path, text)[1]]


def test_every_directive() -> None:
    concept, problems = parse_concept("routing_scenarios/plan_mode.md", WHOLE)
    assert problems == []
    assert (concept.name, concept.path, concept.title) == ("plan_mode", "routing_scenarios/plan_mode.md", "Plan mode")
    assert concept.patterns == (
        Line("plan mode", 0),
        Line("plan this first", 4),
        Line("think ahead", 4),
        Line("überlege zuerst", 5),
    )
    assert concept.routes == (
        Route("openrouter,deepseek/deepseek-r1", True, 'claude --model {{model}} -p "{{prompt}}"', 6),
        Route("anthropic,claude-opus-4-5", line=9),
    )
    assert (concept.priority, concept.pinned, concept.type) == (70, True, "config_document")
    assert concept.triggers == (Line("design before code", 11),)
    assert concept.examples == (Line("I want to go to plan mode", 14),)
    assert concept.counter_examples == (Line("a mode of transport", 15),)


def test_an_empty_file_is_its_name() -> None:
    concept, problems = parse_concept("x/think-step_by_step.md", "")
    assert problems == []
    assert concept.patterns == (Line("think step by step", 0),)
    assert (concept.title, concept.priority, concept.type) == ("think step by step", 50, "kg_entry")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system(end: str) -> None:
    concept, problems = parse_concept("x.md", f"\ufeff# T{end}synonyms:: one two{end}priority:: 7{end}")
    assert (concept.title, concept.patterns[1], concept.priority) == ("T", Line("one two", 2), 7)
    assert problems == []


def test_other_line_separators_end_no_line() -> None:
    concept, _ = parse_concept("x.md", "synonyms:: one\u2028priority:: 7\x0bpinned:: true")
    assert (concept.priority, concept.pinned) == (50, False)


def test_a_model_may_hold_commas_and_slashes() -> None:
    concept, _ = parse_concept("x.md", "route:: openrouter , a/b,c")
    assert concept.routes == (Route("openrouter,a/b,c", line=1),)


@pytest.mark.parametrize("value", ["101", "-1", "high", "7.5", "1e1", "١٢", "0x10"])
def test_a_priority_out_of_range_is_a_warning_with_its_line(value: str) -> None:
    concept, problems = parse_concept("a/x.md", f"# T\n\npriority:: {value}")
    assert concept.priority == 50
    assert [(problem.path, problem.line) for problem in problems] == [("a/x.md", 3)]
    assert value in problems[0].message


@pytest.mark.parametrize("value", [0, 100])
def test_the_ends_of_the_range_are_in_it(value: int) -> None:
    concept, problems = parse_concept("x.md", f"priority:: {value}")
    assert (concept.priority, problems) == (value, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("route:: openrouter", "route:: 'openrouter' is not 'provider,model'"),
        ("route:: ,model", "route:: ',model' is not 'provider,model'"),
        ("route::", "route:: has no value"),
        ("free:: yes", "is_free:: has no route above it"),
        ("action:: run", "action:: has no route above it"),
        ("pinned:: maybe", "pinned:: 'maybe' is neither true nor false"),
        ("type::: essay", "type 'essay' is not known"),
        ("type:: document", "type:: is read as prose"),
        ("type::: config_document", "type config_document, but the file has no route"),
        ("route:: a, b\ntype::: kg_entry", "type kg_entry, but the file has a route"),
        ("priority:: 1\npriority:: 2", "a second priority:: is ignored"),
        ("synonyms:: one, One", "'one' is already on line 1"),
        ("synonym:: one", "synonym:: is read as prose"),
        ("  route:: a, b", "route:: is read as prose"),
        ("- synonyms:: one", "synonyms:: is read as prose"),
    ],
)
def test_what_is_wrong_is_said(text: str, expected: str) -> None:
    assert expected in [message for _, message in messages(text)]


@pytest.mark.parametrize(
    "text", ["std::move is a cast", "note:: this", "a :: b", "synonyms: one", "::", "http://x:80::"]
)
def test_prose_is_left_alone(text: str) -> None:
    concept, problems = parse_concept("x.md", text)
    assert problems == []
    assert len(concept.patterns) == 1


def test_what_belongs_to_a_route_belongs_to_the_one_above() -> None:
    concept, _ = parse_concept("x.md", "route:: a, b\nroute:: c, d\nis_free:: true\naction:: go")
    assert concept.routes == (Route("a,b", line=1), Route("c,d", True, "go", 2))


def test_a_name_that_no_header_can_carry_is_named() -> None:
    assert "cannot be shown" in messages("", "Ärger mit Leerzeichen.md")[0][1]


@settings(deadline=None, derandomize=True, database=None)
@given(st.text(), st.text(alphabet="synrouteipya:,# \n\r\t0123456789İ\ud800", max_size=200))
def test_nothing_makes_it_fail(path: str, text: str) -> None:
    concept, problems = parse_concept(path, text)
    assert 0 <= concept.priority <= 100
    assert all(problem.path == path for problem in problems)


KEYS = ["synonyms::", "route::", "priority::", "type:::", "is_free::", "pinned::", "trigger::", "example::", "not::"]


@settings(deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(st.sampled_from(KEYS), st.text(max_size=20)), max_size=8))
def test_no_value_makes_it_fail(lines: list[tuple[str, str]]) -> None:
    concept, problems = parse_concept("x.md", "\n".join(f"{key} {value}" for key, value in lines))
    texts = [pattern.text for pattern in concept.patterns]
    assert len(texts) == len(set(texts))
    assert all(problem.message for problem in problems)
