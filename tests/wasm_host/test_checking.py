from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from wasm_modules import ROUTE, answering, running

from wasm_host.checking import Finding, check

ABSTAIN = '{"abstain":true}'


def findings(
    folder: Path,
    text: str,
    manifest: str = "",
    operator: Mapping[str, Any] | None = None,
    targets: frozenset[str] | None = None,
) -> list[Finding]:
    path = folder / "mine.wat"
    path.write_text(text)
    if manifest:
        path.with_suffix(".toml").write_text(manifest)
    found = check(path, {"mine": operator or {}}, cache=folder.parent / "artifacts", targets=targets)
    assert all(finding.file == str(path) and finding.rule == "mine" and finding.hint for finding in found)
    return found


def test_a_good_rule_has_no_findings(tmp_path: Path) -> None:
    assert findings(tmp_path, answering(ABSTAIN)) == []
    assert findings(tmp_path, answering(ROUTE)) == []  # nobody knows here what is configured
    assert findings(tmp_path, answering(ROUTE), 'routes = ["a,b"]\n[config]\nto = "c,d"\n') == []


@pytest.mark.parametrize(
    ("text", "manifest", "operator", "code", "said"),
    [
        ("(module)", "", {}, "export", ("does not export the function rule_v1_alloc", "add it, with the type")),
        ("(module", "", {}, "text", ("the text is not valid", "mend the .wat file")),
        (answering(ABSTAIN), "[rule", {}, "file", ("mine.toml: ", "mend the manifest")),
        (answering(ABSTAIN), "priority = 'x'", {}, "file", ("mine.toml: Expected `int`", "mend the manifest")),
        (
            answering(ABSTAIN), "", {"limits": {"fuel": 10**10}}, "file",
            ("limits.fuel = 10000000000 is over the cap of 200000000", "mend the manifest"),
        ),
        (answering("no json"), "", {}, "example_refused", ("the answer is not JSON", "terraphim-proxy rules run")),
        (running("unreachable"), "", {}, "example_trap", ("ends in trap: unreachable", "terraphim-proxy rules run")),
        (
            answering(ABSTAIN), 'input = ["request"]\n[limits]\nrequest = 50\n', {}, "oversize",
            ("over its limit of 50 bytes", "declare less in input"),
        ),
    ],
)  # fmt: skip
def test_errors_say_what_is_wrong_and_what_to_do(
    tmp_path: Path, text: str, manifest: str, operator: dict[str, Any], code: str, said: tuple[str, str]
) -> None:
    [finding] = findings(tmp_path, text, manifest, operator)
    message, hint = said
    assert (finding.code, finding.error) == (code, True)
    assert message in finding.message
    assert hint in finding.hint


@pytest.mark.parametrize(
    ("text", "manifest", "code", "message", "hint"),
    [
        (answering(ABSTAIN), "prioritee = 4", "manifest", "'prioritee', did you mean 'priority'?", "mend the manifest"),
        (
            answering(ABSTAIN), "allow_deny = true", "manifest", "allow_deny counts only in the operator's config",
            "let the operator say it in [rules.mine]",
        ),
        (
            answering(ABSTAIN), 'input = ["request.last_user[:9]"]', "grant",
            "request.last_user[:9] is declared and not granted",
            'set grant = ["request.last_user[:9]"] in [rules.mine]',
        ),
        (
            answering('{"abstain":true,"reson":"x"}'), "", "answer_key", "has the key reson (did you mean reason?)",
            "correct or drop it",
        ),
        (
            answering(ABSTAIN), "[limits]\nfuel = 5\n", "close", "takes over 50 % of its fuel",
            "see: terraphim-proxy rules run",
        ),
    ],
)  # fmt: skip
def test_warnings_say_what_is_strange_and_what_to_do(
    tmp_path: Path, text: str, manifest: str, code: str, message: str, hint: str
) -> None:
    [finding] = findings(tmp_path, text, manifest)
    assert (finding.code, finding.error) == (code, False)
    assert message in finding.message
    assert hint in finding.hint


def test_targets_that_are_not_configured_are_named_where_they_stand(tmp_path: Path) -> None:
    manifest = 'routes = ["a,b", "mine,lage"]\n[config]\nto = "mine,larg"\nfine = "a,b"\ntext = "well, no target"\n'
    found = findings(tmp_path, answering(ABSTAIN), manifest, targets=frozenset({"a,b", "mine,large"}))
    assert [(finding.code, finding.error, finding.message) for finding in found] == [
        ("target", True, "routes names 'mine,lage', which is no configured target"),
        ("target", True, "config.to names 'mine,larg', which is no configured target"),
    ]
    assert found[0].hint == "write 'mine,large', or add the model to its provider in the configuration"


def test_an_answer_that_names_no_configured_target_is_found(tmp_path: Path) -> None:
    [finding] = findings(tmp_path, answering(ROUTE), targets=frozenset({"c,d"}))
    assert finding.code == "example_refused"
    assert findings(tmp_path, answering(ROUTE), targets=frozenset({"a,b"})) == []


def test_a_folder_is_checked_file_by_file(tmp_path: Path) -> None:
    cache = tmp_path.parent / "artifacts"
    [empty] = check(tmp_path, {}, cache=cache)
    assert (empty.code, empty.error) == ("empty", True)
    (tmp_path / "good.wat").write_text(answering(ABSTAIN))
    (tmp_path / "bad.wat").write_text("(module)")
    (tmp_path / "Bad Name.wat").write_text(answering(ABSTAIN))
    (tmp_path / "notes.txt").write_text("not a module")
    assert [(finding.rule, finding.code) for finding in check(tmp_path, {}, cache=cache)] == [
        ("Bad Name", "file"), ("bad", "export"),
    ]  # fmt: skip


def test_a_folder_shows_what_no_single_file_does(tmp_path: Path) -> None:
    (tmp_path / "one.wat").write_text(answering(ABSTAIN))
    (tmp_path / "one.wasm").write_bytes(b"\0asm")
    tmp_path.chmod(0o777)
    found = check(tmp_path, {}, cache=tmp_path.parent / "artifacts")
    assert [finding.code for finding in found][:2] == ["folder", "twice"]
    assert found[0].hint == f"run: chmod o-w {tmp_path}"
    assert "one.wasm and one.wat give one rule twice" in found[1].message


def test_a_finding_reads_as_file_rule_problem_and_next_step(tmp_path: Path) -> None:
    [finding] = findings(tmp_path, "(module)")
    assert str(finding) == (
        f"error: {tmp_path}/mine.wat: rule mine: does not export the function rule_v1_alloc [export]\n"
        "  next: add it, with the type (i32) -> (i32)"
    )
