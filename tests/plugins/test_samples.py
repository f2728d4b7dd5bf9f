"""The sample rules, built by their toolchains, decide as their vectors say: adding a case is adding a line of JSON."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from builds import PATIENT, environment
from facts import ROOT

from wasm_host import abi, trial
from wasm_host.inline import InlineRunner
from wasm_host.registry import load_rules
from wasm_host.rule import RuleSet

TARGETS = frozenset({"a,b", "c,d", 'a,"\\'})
SAMPLES = tuple(sorted(path.name for path in (ROOT / "plugins" / "src").iterdir()))
VECTORS = [
    pytest.param(name, vector, id=f"{name}: {vector['name']}")
    for name in SAMPLES
    for vector in msgspec.json.decode((ROOT / "plugins" / "src" / name / "vectors.json").read_bytes())
]
#: Samples that carry a language's runtime with them; the others are small.
RUNTIMES = {"ladder", "phrases"}

pytestmark = pytest.mark.toolchain


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All samples, built afresh."""
    folder = tmp_path_factory.mktemp("samples")
    subprocess.run(
        [sys.executable, ROOT / "plugins" / "build.py", "--strict", "--into", folder],
        check=True,
        timeout=900,
        env=environment(tmp_path_factory.mktemp("home")),
    )
    return folder


@pytest.fixture(scope="module")
def plain(folder: Path) -> RuleSet:
    return load_rules(folder, dict.fromkeys(SAMPLES, PATIENT), cache=folder / "cache")


def test_samples_load_and_are_pure(plain: RuleSet) -> None:
    assert tuple(sorted(rule.name for rule in plain.rules)) == SAMPLES
    assert not [problem for problem in plain.problems if not problem.warning]
    assert {rule.name for rule in plain.rules if not rule.compiled.facts.pure} <= {"ladder"}
    large = {rule.name for rule in plain.rules if rule.compiled.facts.wasm_size > 12 * abi.KIB}
    assert large == RUNTIMES


def test_the_only_remark_is_on_text_that_nobody_granted(plain: RuleSet) -> None:
    assert {rule.name: rule.notes for rule in plain.rules if rule.notes} == {
        "phrases": ("request.last_user[:4000] is declared but not granted: the rule does not see it",)
    }


def test_samples_abstain_until_they_are_configured(plain: RuleSet) -> None:
    outcomes = InlineRunner().run(plain.rules, abi.EXAMPLE, TARGETS)
    assert [outcome.code for outcome in outcomes] == ["abstain"] * len(SAMPLES)


@pytest.mark.parametrize(("name", "vector"), VECTORS)
def test_vector(name: str, vector: dict[str, Any], folder: Path, plain: RuleSet) -> None:
    operator = PATIENT | {"config": vector["config"], "grant": vector.get("grant", [])}
    loaded = load_rules(folder, {name: operator}, cache=folder / "cache", previous=plain)
    [rule] = [rule for rule in loaded.rules if rule.name == name]
    example = abi.EXAMPLE | {"targets": [{"name": target} for target in sorted(TARGETS)]}
    view = example | vector.get("view", {}) | {"request": abi.EXAMPLE["request"] | vector.get("request", {})}
    [outcome] = InlineRunner().run([rule], view, TARGETS)
    expected = {"route": "", "reason": ""} | vector["expect"]
    assert {key: getattr(outcome, key) for key in expected} == expected, outcome.message


SPACED = """ {
  "a" : [ 1 , [ ] , { "config" : { } } ] , "b" : "\\\\\\"" , "now_ms" : 1763496000000 , "seed" : 7 ,
  "tz_offset_min" : 0 , "request" : { "x" : { } , "model" : "fast" , "token_count" : 5 , "plan_mode" : true ,
  "last_user" : "x" } , "client" : { "key" : "laptop" } ,
  "targets" : [ { "name" : "x,y" } , { "name" : "a,b" , "price" : { "input" : 9 } , "budget_left" : -1 } ] ,
  "config" : { "cheap" : "c,d" , "watch" : "a,b" , "aliases" : { "slow" : "x,y" , "fast" : "a,b" } ,
  "planner" : "c,d" , "keys" : { "laptop" : "x,y" } , "arms" : [ { "share" : 1000 , "target" : "c,d" } ] ,
  "ladder" : [ "no,where" , "a,b" ] ,
  "phrases" : [ { "pattern" : "^x$" , "target" : "a,b" } ] }
} """
ANSWERS = {
    "ab_split": "c,d", "budget_guard": "c,d", "ladder": "a,b", "model_alias": "a,b", "office_hours": "c,d",
    "phrases": "a,b", "plan_mode": "c,d", "team_router": "x,y",
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_readers_cope_with_any_layout_and_with_text_that_breaks_off(name: str, plain: RuleSet) -> None:
    """No broken text ever comes from the host; a reader must not run away on it all the same."""
    [rule] = [rule for rule in plain.rules if rule.name == name]
    text = SPACED.strip().encode()
    whole, *broken = trial.ask([trial.question(rule, text[:length]) for length in (len(text), *range(0, len(text), 7))])
    assert msgspec.json.decode(whole.answer)["route"] == ANSWERS[name]
    assert {(reply.fault, reply.answer) for reply in broken} == {("", b"")}
