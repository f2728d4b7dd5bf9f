"""The playground's own worker, and what it keeps."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from wasm_modules import ROUTE, TARGETS, VIEW, answering, load, running

from core import rule_runner
from core.routing.proposal import Ask
from core.rule_runner import RuleRunner
from wasm_host.compiler import read_artifact
from wasm_host.frames import Load
from wasm_host.rule import Rule


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rule]:
    texts = {f"{name}.wat": running(f"(drop (i32.const {number})) (i64.const 0)") for number, name in enumerate("abcd")}
    texts["own.wat"] = answering(ROUTE)
    return {rule.name: rule for rule in load(tmp_path_factory.mktemp("rules"), texts).rules}


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Iterator[RuleRunner]:
    monkeypatch.setattr(rule_runner, "MODULES_MAX", 2)
    made = RuleRunner()
    yield made
    made.close()


def said(runner: RuleRunner, *rules: Rule) -> list[str]:
    return [outcome.code for outcome in runner.answer(Ask(list(rules), VIEW, frozenset(TARGETS)), {})]


def on_no_disk(rule: Rule) -> Rule:
    """As a candidate's, whose folder is gone by now."""
    gone = rule.compiled.artifact.with_suffix(".gone")
    return msgspec.structs.replace(rule, compiled=msgspec.structs.replace(rule.compiled, artifact=gone))


def test_a_module_that_is_on_no_disk_outlives_the_process(runner: RuleRunner, rules: dict[str, Rule]) -> None:
    """What has no room is given up with its process; what is tried now is told to the next one, too."""
    own = on_no_disk(rules["own"])
    code = read_artifact(rules["own"].compiled.artifact)
    assert code
    assert said(runner, rules["a"], rules["b"]) == ["abstain", "abstain"]
    first = runner.pid
    runner.have(Load(own.sha256, code, own.settings.limits.memory))
    assert said(runner, rules["a"], own) == ["abstain", "route"]
    assert runner.pid != first
    assert said(runner, rules["a"], rules["b"], rules["c"], own) == ["abstain"] * 3 + ["route"]


def test_more_rules_than_there_is_room_for_have_one_process(runner: RuleRunner, rules: dict[str, Rule]) -> None:
    every = [rules[name] for name in "abcd"]
    pids = [(said(runner, *every), runner.pid)[1] for _ in range(3)]
    assert len(set(pids)) == 1
    said(runner, rules["own"])
    assert runner.pid != pids[0], "that is one too many"


def test_what_is_closed_has_nothing_and_begins_anew(runner: RuleRunner, rules: dict[str, Rule], tmp_path: Path) -> None:
    assert said(runner, rules["a"]) == ["abstain"]
    runner.close()
    assert runner.pid is None
    assert said(runner, rules["a"]) == ["abstain"]
    assert runner.pid
    assert not list(tmp_path.iterdir())
