from core.rolegraph import build_taxonomy, examples, run_examples

WISH = "synonyms:: ask model\nroute:: p, m\npriority:: 40\n"


def test_sentences_that_hold_are_counted() -> None:
    report = examples.test_report(
        build_taxonomy([("a_b.md", f"{WISH}example:: Ask model please\nnot:: model\nnot:: a, b")])
    )
    assert (report.checked, report.failures) == (3, ())


def test_an_example_that_leads_nowhere_or_elsewhere() -> None:
    taxonomy = build_taxonomy(
        [
            ("x/a_b.md", f"{WISH}example:: nothing of it\nexample:: ask model, other model"),
            ("c_d.md", "synonyms:: other model\nroute:: q, m\npriority:: 90"),
        ]
    )
    first, second = run_examples(taxonomy)
    assert (first.path, first.line, first.concept, first.sentence, first.got) == (
        "x/a_b.md",
        4,
        "a_b",
        "nothing of it",
        "",
    )
    assert (second.line, second.got) == (5, "c_d")
    assert "leads to c_d" in second.message


def test_a_counter_example_that_leads_here() -> None:
    (failure,) = run_examples(build_taxonomy([("a_b.md", f"{WISH}not:: never ask model b")]))
    assert (failure.line, failure.got) == (4, "a_b")
    assert failure.hint


def test_in_a_file_without_routes_a_match_is_enough() -> None:
    text = "synonyms:: token count\nexample:: ask model for the token count\nnot:: count tokens"
    assert run_examples(build_taxonomy([("n.md", text), ("a_b.md", WISH)])) == []
    (failure,) = run_examples(build_taxonomy([("n.md", text.replace("count tokens", "a token count"))]))
    assert failure.line == 3
