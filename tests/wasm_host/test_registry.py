import os
from pathlib import Path
from typing import Any

import pytest
from wasm_modules import ROUTE, TARGETS, VIEW, answering, load, running
from wasmtime import wat2wasm

from wasm_host import audit, checking, compiler, registry
from wasm_host.inline import InlineRunner
from wasm_host.registry import load_file, load_rules
from wasm_host.rule import Rule, RuleSet

ABSTAINS = running("(i64.const 0)")
#: Another rule with another hash.
DENIES = running("(i64.const 0) (drop) (i64.const 0)")


def names(rules: RuleSet) -> list[str]:
    return [rule.name for rule in rules.rules]


def said(rules: RuleSet) -> str:
    return "\n".join(f"{problem.path}: {problem.message} ({problem.hint})" for problem in rules.problems)


def test_order_is_by_priority_then_name(tmp_path: Path) -> None:
    operator = {"b": {"priority": 60}, "d": {"priority": -5}}
    rules = load(tmp_path, {f"{name}.wat": ABSTAINS for name in "abcd"}, operator)
    assert names(rules) == ["d", "a", "c", "b"]
    assert rules.problems == ()


def test_binary_and_text_and_nothing_else(tmp_path: Path) -> None:
    rules = load(tmp_path, {"a.wat": ABSTAINS, "b.wasm": bytes(wat2wasm(ABSTAINS)), "c.txt": "x", "README.md": "x"})
    assert names(rules) == ["a", "b"]
    below = tmp_path / "plugins" / "below"
    below.mkdir()
    (below / "c.wat").write_text(ABSTAINS)
    assert names(load(tmp_path, {})) == ["a", "b"]


def test_what_an_interrupted_build_left_behind_is_passed_over(tmp_path: Path) -> None:
    plugins, cache = tmp_path / "plugins", tmp_path.parent / "artifacts"
    load(tmp_path, {"a.wat": ABSTAINS})
    found = checking.check(plugins, {}, cache=cache)
    for name in (".build-k2_x9", ".build-wat"):
        (plugins / name).mkdir()
        for file in ("a.wat", "b.wasm", "b.toml"):
            (plugins / name / file).write_text("half a fi")
    rules = load(tmp_path, {})
    assert (names(rules), rules.problems) == (["a"], ())
    assert [path.name for path in audit.modules(plugins)] == ["a.wat"]
    assert checking.check(plugins, {}, cache=cache) == found


def test_unchanged_modules_are_the_same_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(tmp_path, {"a.wat": ABSTAINS})
    monkeypatch.setattr(registry, "compile_module", None)
    second = load(tmp_path, {}, previous=first)
    assert second.rules[0] is first.rules[0]
    third = load(tmp_path, {}, {"a": {"priority": 3}}, previous=second)
    assert third.rules[0].compiled is first.rules[0].compiled
    assert third.identity() != first.identity()


def test_a_dropped_file_decides_and_a_removed_one_stops(tmp_path: Path) -> None:
    runner = InlineRunner()
    empty = load(tmp_path, {})
    assert runner.run(empty.rules, VIEW, TARGETS) == []
    one = load(tmp_path, {"a.wat": answering(ROUTE)}, previous=empty)
    assert [outcome.route for outcome in runner.run(one.rules, VIEW, TARGETS)] == ["a,b"]
    other = load(tmp_path, {"a.wat": answering('{"route":"c,d"}')}, previous=one)
    assert [outcome.route for outcome in runner.run(other.rules, VIEW, TARGETS)] == ["c,d"]
    (tmp_path / "plugins" / "a.wat").unlink()
    assert load(tmp_path, {}, previous=other).rules == ()
    assert [outcome.route for outcome in runner.run(one.rules, VIEW, TARGETS)] == ["a,b"]  # a request keeps its set


@pytest.mark.parametrize("broken", ["", "(module", answering(ROUTE)[:-20], "\0asm"])
def test_a_broken_file_changes_nothing_and_is_named(tmp_path: Path, broken: str) -> None:
    first = load(tmp_path, {"a.wat": answering(ROUTE), "b.wat": ABSTAINS})
    second = load(tmp_path, {"a.wat": broken}, previous=first)
    assert second.rules == first.rules
    [problem] = second.problems
    assert problem.path.endswith("a.wat")
    assert "its last good version keeps serving" in problem.message
    assert problem.hint
    assert not problem.warning
    assert names(load(tmp_path, {})) == ["b"]
    assert load(tmp_path, {"a.wat": answering(ROUTE)}, previous=second).problems == ()


def test_a_refusal_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(tmp_path, {"a.wat": "(module)"})
    monkeypatch.setattr(registry, "compile_module", None)
    assert said(load(tmp_path, {}, previous=first)) == said(first) != ""


def test_two_files_of_one_name(tmp_path: Path) -> None:
    rules = load(tmp_path, {"a.wat": ABSTAINS, "a.wasm": bytes(wat2wasm(ABSTAINS)), "b.wat": ABSTAINS})
    assert names(rules) == ["b"]
    assert "a.wasm and a.wat give one rule twice" in said(rules)


@pytest.mark.parametrize("name", ["A.wat", "a b.wat", "ä.wat", "a.b.wat", ".wat.wat", "x" * 65 + ".wat"])
def test_names(tmp_path: Path, name: str) -> None:
    rules = load(tmp_path, {name: ABSTAINS, "good-name_1.wat": ABSTAINS})
    assert names(rules) == ["good-name_1"]
    assert "the name is not allowed" in said(rules)


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    load(tmp_path, {"real.wat": ABSTAINS})
    plugins = tmp_path / "plugins"
    (plugins / "link.wat").symlink_to(plugins / "real.wat")
    (plugins / "dangling.wat").symlink_to(plugins / "nowhere")
    os.mkfifo(plugins / "fifo.wat")
    (plugins / "folder.wat").mkdir()
    (plugins / "open.wat").write_text(ABSTAINS)
    (plugins / "open.wat").chmod(0o666)
    rules = load(tmp_path, {})
    assert names(rules) == ["real"]
    assert len(rules.problems) == 5
    for words in ("symbolic link", "not a regular file", "everybody may write to it"):
        assert words in said(rules)


def test_size(tmp_path: Path) -> None:
    rules = load(tmp_path, {"a.wat": ABSTAINS + " " * 2000}, {"a": {"limits": {"module": 2000}}})
    assert "larger than 2000 bytes" in said(rules)


def test_a_folder_that_others_may_write(tmp_path: Path) -> None:
    first = load(tmp_path, {"a.wat": ABSTAINS})
    plugins = tmp_path / "plugins"
    plugins.chmod(0o777)
    second = load(tmp_path, {}, previous=first)
    assert second.rules == first.rules
    assert f"chmod o-w {plugins}" in said(second)


def test_no_folder(tmp_path: Path) -> None:
    rules = load_rules(tmp_path / "nowhere", {}, cache=tmp_path.parent / "artifacts")
    assert rules.rules == ()
    assert "No such file" in said(rules)


def test_a_manifest_beside_the_module(tmp_path: Path) -> None:
    manifest = (
        '[rule]\nversion = "1.2"\ninput = ["request.model", "session"]\n[policy]\npriority = 3\n[config]\na = 1\n'
    )
    rules = load(tmp_path, {"a.wat": ABSTAINS, "a.toml": manifest}, {"a": {"config": {"b": 2}}})
    [rule] = rules.rules
    assert (rule.settings.priority, rule.settings.version, rule.config) == (3, "1.2", b'{"a":1,"b":2}')
    assert rules.wants == {"request"}
    [problem] = rules.problems
    assert problem.warning
    assert "session is declared but not granted" in problem.message


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("priority = ", "a.toml"),
        ('[policy]\npriority = "x"', "priority"),
        ('[rule]\ninput = ["request.nonsense"]', "request.nonsense"),
        ("[limits]\nfuel = 0", "limits"),
        ("[config]\nx = " + "1" * 5000, "a.toml"),
    ],
)
def test_a_bad_manifest_keeps_the_old_rule(tmp_path: Path, manifest: str, words: str) -> None:
    first = load(tmp_path, {"a.wat": ABSTAINS})
    second = load(tmp_path, {"a.toml": manifest}, previous=first)
    assert second.rules == first.rules
    assert words in said(second)
    assert load(tmp_path, {}).rules == ()


def test_the_operator_s_mistakes_are_named(tmp_path: Path) -> None:
    rules = load(tmp_path, {"a.wat": ABSTAINS}, {"a": {"limits": {"fuel": 10**12}}, "ghost": {}})
    assert "over the cap" in said(rules)
    assert "[rules.ghost]: there is no such module" in said(rules)


def test_metadata_of_section_and_description(tmp_path: Path) -> None:
    section = '(@custom "terraphim.rule.v1" "{\\22policy\\22:{\\22priority\\22:9}}")'
    rules = load(tmp_path, {"a.wat": running("(i64.const 0)", section)})
    assert rules.rules[0].settings.priority == 9


def test_a_rule_that_faults_on_the_example_is_loaded_with_a_warning(tmp_path: Path) -> None:
    rules = load(tmp_path, {"a.wat": running("(unreachable)")})
    assert names(rules) == ["a"]
    assert "the example request ends in trap" in said(rules)


def test_wants_is_what_any_rule_needs(tmp_path: Path) -> None:
    operator = {"a": {"input": ["targets.price"]}, "b": {"input": ["session"], "grant": ["session"]}}
    rules = load(tmp_path, {"a.wat": ABSTAINS, "b.wat": ABSTAINS}, operator)
    assert rules.wants == {"targets", "targets.facts", "session"}


def test_identity_holds_what_decides_and_nothing_of_this_machine(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    base = load(one, {"a.wat": ABSTAINS}).identity()
    assert load(two, {"a.wat": ABSTAINS}).identity() == base
    changes: list[dict[str, Any]] = [
               {"priority": 1}, {"mode": "shadow"}, {"mode": "canary", "share": 5},
               {"mode": "canary", "share": 6}, {"fail": "deny"}, {"allow_deny": True}, {"routes": ["a,b"]},
               {"tags": {"t": ["v"]}}, {"limits": {"fuel": 5}}, {"limits": {"request": 5}}, {"config": {"x": 1}},
               {"input": []}, {"grant": ["request.last_user"]}]  # fmt: skip
    seen = [load(one, {}, {"a": change}).identity() for change in changes]
    assert all(identity != base for identity in seen)
    assert load(one, {"a.wat": DENIES}).identity() != base


def test_a_lost_artifact_is_made_again(tmp_path: Path) -> None:
    first = load(tmp_path, {"a.wat": answering(ROUTE)})
    first.rules[0].compiled.artifact.unlink()
    second = load(tmp_path, {}, previous=first)
    assert compiler.read_artifact(second.rules[0].compiled.artifact)


def test_one_file_wherever_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "a.wat"
    path.write_text(ABSTAINS)
    rule = load_file(path, {"priority": 4}, cache=tmp_path.parent / "artifacts")
    assert isinstance(rule, Rule)
    assert rule.settings.priority == 4
    path.write_text("(module)")
    refusal = load_file(path, {}, cache=tmp_path.parent / "artifacts")
    assert not isinstance(refusal, Rule)
    assert refusal.code == "export"
    missing = load_file(tmp_path / "b.wat", {}, cache=tmp_path.parent / "artifacts")
    assert not isinstance(missing, Rule)
    assert missing.code == "file"
