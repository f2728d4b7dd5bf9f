import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.rolegraph import Matcher, build_taxonomy
from core.rolegraph.matcher import rank_score

FILES = {
    "gem.md": "synonyms:: use gemini, ask gemini\nroute:: gemini, pro\nroute:: gemini, flash\npriority:: 80",
    "plan.md": "synonyms:: plan mode\nroute:: deepseek, r1\npriority:: 60",
    "talk.md": "synonyms:: we use gemini, gemini",
    "twin.md": "synonyms:: plan mode\nroute:: other, one\npriority:: 60",
}


def matcher(files: dict[str, str] | None = None, *, triggers: bool = False) -> Matcher:
    return Matcher(build_taxonomy((files or FILES).items()), triggers=triggers)


def names(texts: list[str]) -> dict[str, list[str]]:
    one = matcher()
    return {text: [match.concept for match in one.routing(text)] for text in texts}


def test_priority_ranks_before_position_and_length() -> None:
    assert names(["plan mode, and use gemini", "use gemini in plan mode"]) == {
        "plan mode, and use gemini": ["gem", "plan", "twin"],
        "use gemini in plan mode": ["gem", "plan", "twin"],
    }


def test_then_the_matched_characters_of_distinct_patterns() -> None:
    files = {
        "a.md": "synonyms:: one two\nroute:: a, b",
        "b.md": "synonyms:: three, four five\nroute:: a, b",
    }
    ranked = matcher(files).routing("one two one two one two three, four five")
    assert [(match.concept, match.matched) for match in ranked] == [("b", 14), ("a", 7)]


def test_then_the_earlier_position_then_the_name() -> None:
    files = {"b.md": "synonyms:: xx yy, tie tie\nroute:: a, b", "a.md": "synonyms:: zz ww, tie tie\nroute:: a, b"}
    assert [match.concept for match in matcher(files).routing("xx yy and zz ww")] == ["b", "a"]
    assert [match.concept for match in matcher(files).routing("zz ww and xx yy")] == ["a", "b"]
    assert [match.concept for match in matcher(files).routing("tie tie")] == ["a", "b"]


@settings(deadline=None, derandomize=True, database=None)
@given(st.permutations(list(FILES.items())))
def test_the_order_of_files_decides_nothing(files: list[tuple[str, str]]) -> None:
    text = "plan mode: ask gemini, we use gemini"
    assert Matcher(build_taxonomy(files)).match(text) == matcher().match(text)


def test_what_a_match_says() -> None:
    text = "İn PLAN\n   mode,\t\u00a0use  Gemini!"
    gem, plan, _twin = matcher().routing(text)
    assert (gem.concept, gem.title, gem.priority, gem.matched, gem.how) == ("gem", "gem", 80, 10, "pattern")
    assert [route.target for route in gem.routes] == ["gemini,pro", "gemini,flash"]
    assert gem.score == pytest.approx((80 + 0.10) / 101)
    assert gem.score_1000 == 793
    assert [(text[span.start : span.end], span.pattern) for span in gem.spans] == [("use  Gemini", "use gemini")]
    assert [text[span.start : span.end] for span in plan.spans] == ["PLAN\n   mode"]


def test_every_occurrence_has_a_span_and_each_pattern_counts_once() -> None:
    (match,) = matcher({"x.md": "synonyms:: ask me"}).match("ask me, x, ask me, x")
    assert (match.matched, match.patterns) == (7, ("ask me", "x"))
    assert [span.start for span in match.spans] == [0, 8, 11, 19]


@settings(deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.sampled_from(["use gemini", "USE\nGEMINI", "plan   mode", " İ ", "\n\n", "x", "用", "  "]), max_size=12)
)
def test_spans_are_offsets_of_the_text_as_it_was_written(parts: list[str]) -> None:
    text = " ".join(parts)
    for match in matcher().match(text):
        assert match.spans
        for span in match.spans:
            assert " ".join(text[span.start : span.end].lower().split()) == span.pattern


def test_the_score_orders_as_priority_and_length_and_knows_no_prompt_length() -> None:
    scores = [rank_score(priority, matched) for priority in range(101) for matched in range(100)]
    assert scores == sorted(set(scores))
    assert 0 <= scores[0] < scores[-1] <= 1
    assert rank_score(50, 99) == rank_score(50, 5000)
    short, long = (matcher().routing(text)[0] for text in ("use gemini", "use gemini" + " and on" * 2000))
    assert short.score == long.score


def test_a_long_prompt_does_not_lose_its_score() -> None:
    assert matcher().routing("blah " * 20_000 + "use gemini")[0].score_1000 == 793


def test_a_mention_does_not_route() -> None:
    assert names(["we use gemini for search", "gemini", "improve the planning mode"]) == {
        "we use gemini for search": [],
        "gemini": [],
        "improve the planning mode": [],
    }
    assert [match.concept for match in matcher().match("we use gemini for search")] == ["talk"]


def test_legacy_scoring_changes_the_score_and_nothing_else() -> None:
    text = "plan mode, and use gemini"
    new, old = matcher().match(text), Matcher(build_taxonomy(FILES.items()), scoring="legacy").match(text)
    assert [match.concept for match in old] == [match.concept for match in new]
    assert [match.spans for match in old] == [match.spans for match in new]
    assert old[0].score == pytest.approx(10 / 25 * (1 - 0.1 * 15 / 25))


def test_pinned_concepts_are_candidates_but_never_a_reason() -> None:
    files = {**FILES, "pin.md": "pinned:: true\nroute:: p, q\npriority:: 100", "note.md": "pinned:: true"}
    one = matcher(files)
    assert one.routing("hello") == []
    assert [(match.concept, match.how) for match in one.routing("use gemini")] == [
        ("gem", "pattern"),
        ("pin", "pinned"),
    ]
    assert [(match.concept, match.score) for match in one.match("hello")] == [("note", 0.0), ("pin", 0.0)]
    assert [match.how for match in one.routing("pin")] == ["pattern"]


def test_triggers_answer_only_when_asked_to_and_no_pattern_hits() -> None:
    files = {**FILES, "slow.md": "trigger:: huge transcript with thousands of pages\nroute:: big, window"}
    prompt = "here is a huge transcript, thousands of pages"
    assert matcher(files).routing(prompt) == []
    (match,) = matcher(files, triggers=True).routing(prompt)
    assert (match.concept, match.how, match.spans) == ("slow", "trigger", ())
    assert 0.3 <= match.score <= 1
    assert [match.concept for match in matcher(files, triggers=True).routing(f"use gemini, {prompt}")] == ["gem"]


def test_an_empty_taxonomy_matches_nothing() -> None:
    assert Matcher(build_taxonomy([]), triggers=True).match("use gemini") == []


def test_many_threads_see_the_same() -> None:
    one = matcher()
    text = "plan  mode " * 50 + "use gemini"
    wanted = [(match.concept, match.spans) for match in one.match(text)]
    seen: list[bool] = []

    def read() -> None:
        seen.extend([(match.concept, match.spans) for match in one.match(text)] == wanted for _ in range(50))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert seen == [True] * 200
