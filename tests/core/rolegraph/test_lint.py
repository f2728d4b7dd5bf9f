from core.rolegraph import Finding, build_taxonomy, lint_report

TESTED = "example:: x\nnot:: y\n"


def report(
    files: dict[str, str], targets: list[str] | None = None, any_model: list[str] | None = None
) -> list[Finding]:
    return lint_report(build_taxonomy(files.items()), targets, any_model or [])


def kinds(files: dict[str, str]) -> list[tuple[str, str, int]]:
    return [(finding.kind, finding.path, finding.line) for finding in report(files)]


def test_a_sound_taxonomy_has_no_findings() -> None:
    assert (
        report({"ask_model.md": f"synonyms:: model please\nroute:: p, m\n{TESTED}", "talk.md": "synonyms:: a, it"})
        == []
    )


def test_what_the_parser_said_is_a_finding() -> None:
    (finding,) = report({"x.md": "priority:: 400"})
    assert (finding.kind, finding.path, finding.line) == ("parse", "x.md", 1)
    assert finding.hint


def test_two_files_of_one_name() -> None:
    assert kinds({"a/x.md": "", "b/x.md": ""}) == [("duplicate", "b/x.md", 0)]


def test_one_pattern_in_two_routing_files() -> None:
    files = {"first_wish.md": f"synonyms:: same words\nroute:: p, m\n{TESTED}"}
    files["second_wish.md"] = f"route:: p, m\nsynonyms:: Same  Words\n{TESTED}"
    assert kinds(files) == [("collision", "second_wish.md", 2)]
    assert kinds({**files, "second_wish.md": "synonyms:: same words"}) == []


def test_a_longer_pattern_that_hides_one_of_higher_priority() -> None:
    low = f"synonyms:: please use gemini\nroute:: p, m\npriority:: 10\n{TESTED}"
    high = f"route:: p, m\npriority:: 90\n{TESTED}"
    assert kinds({"low_one.md": low, "use_gemini.md": high}) == [("shadowed", "low_one.md", 1)]
    assert kinds({"low_one.md": low.replace("10", "95"), "use_gemini.md": high}) == []


def test_a_longer_pattern_that_adds_nothing() -> None:
    routing = f"synonyms:: please use gemini\nroute:: p, m\n{TESTED}"
    assert kinds({"use_gemini.md": routing}) == [("redundant", "use_gemini.md", 1)]
    # Here it does: without it, the words would go to the file that takes mentions away.
    assert kinds({"use_gemini.md": routing, "talk.md": "synonyms:: please use"}) == []


def test_patterns_that_are_too_short_or_too_general() -> None:
    files = {"use_it.md": f"synonyms:: r1, model, 思考, go on fast\nroute:: p, m\n{TESTED}"}
    assert [(finding.kind, finding.message.split("'")[1]) for finding in report(files)] == [
        ("generic", "use it"),
        ("generic", "model"),
        ("short", "r1"),
    ]
    assert report({"it.md": "synonyms:: r1, model"}) == []


def test_routing_files_without_sentences() -> None:
    assert kinds({"ask_model.md": "# T\nroute:: p, m\nexample:: x"}) == [("untested", "ask_model.md", 2)]


def test_targets_that_are_not_configured() -> None:
    files = {"ask_model.md": f"{TESTED}route:: P, Model-One\nroute:: p, model-on\nroute:: free, whatever\nroute:: q, m"}
    findings = report(files, ["p,model-one"], ["free"])
    assert [(finding.kind, finding.line) for finding in findings] == [("target", 4), ("target", 6)]
    assert findings[0].hint == "did you mean p,model-one?"
    assert report(files) == []


def test_a_finding_reads_as_a_line() -> None:
    (finding,) = report({"a/x.md": "priority:: 400"})
    assert str(finding) == "a/x.md:1: priority '400' is not a whole number from 0 to 100 (50 is used)"


def test_a_target_that_a_file_names_twice() -> None:
    files = {"ask_model.md": f"synonyms:: model please\nroute:: p, m\nroute:: q, m\nroute:: P, M\n{TESTED}"}
    assert kinds(files) == [("repeated", "ask_model.md", 4)]


def test_what_says_nothing_without_a_route() -> None:
    assert kinds({"talk.md": "priority:: 90\nsynonyms:: a"}) == [("unrouted", "talk.md", 0)]
    assert kinds({"talk.md": "pinned:: true"}) == [("unrouted", "talk.md", 0)]
    assert kinds({"talk.md": "synonyms:: a", "x_y.md": "priority:: 50"}) == []
