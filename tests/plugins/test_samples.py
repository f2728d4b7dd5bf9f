"""The sample rules, built by their toolchains, decide as their vectors say: adding a case is adding a line of JSON."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from wasm_host import abi, guest
from wasm_host.inline import InlineRunner
from wasm_host.manifest import Limits
from wasm_host.registry import load_rules
from wasm_host.rule import RuleSet

ROOT = Path(__file__).parents[2]
TARGETS = frozenset({"a,b", "c,d", 'a,"\\'})
SAMPLES = ("office_hours", "budget_guard", "model_alias")
VECTORS = [
    pytest.param(name, vector, id=f"{name}: {vector['name']}")
    for name in SAMPLES
    for vector in msgspec.json.decode((ROOT / "plugins" / "src" / name / "vectors.json").read_bytes())
]

pytestmark = pytest.mark.toolchain


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All samples, built afresh. Package managers need the machine's PATH and their own configuration, and a HOME."""
    folder = tmp_path_factory.mktemp("samples")
    kept = {
        key: value for key, value in os.environ.items() if key == "PATH" or key.lower().startswith(("pip_", "npm_"))
    }
    subprocess.run(
        [sys.executable, ROOT / "plugins" / "build.py", "--strict", "--into", folder],
        check=True,
        timeout=600,
        env=kept | {"HOME": str(tmp_path_factory.mktemp("home"))},
    )
    return folder


@pytest.fixture(scope="module")
def plain(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    return load_rules(folder, {}, cache=folder / "cache")


def test_samples_are_pure_and_have_nothing_to_remark(plain: RuleSet) -> None:
    assert sorted(rule.name for rule in plain.rules) == sorted(SAMPLES)
    assert not plain.problems
    assert all(rule.compiled.facts.pure for rule in plain.rules)
    assert all(rule.compiled.facts.size < 8 * abi.KIB for rule in plain.rules)


def test_samples_abstain_until_they_are_configured(plain: RuleSet) -> None:
    outcomes = InlineRunner().run(plain.rules, abi.EXAMPLE, TARGETS)
    assert [outcome.code for outcome in outcomes] == ["abstain"] * len(SAMPLES)


@pytest.mark.parametrize(("name", "vector"), VECTORS)
def test_vector(name: str, vector: dict[str, Any], folder: Path, plain: RuleSet) -> None:
    loaded = load_rules(folder, {name: {"config": vector["config"]}}, cache=folder / "cache", previous=plain)
    [rule] = [rule for rule in loaded.rules if rule.name == name]
    example = abi.EXAMPLE | {"targets": [{"name": target} for target in sorted(TARGETS)]}
    view = example | vector.get("view", {}) | {"request": abi.EXAMPLE["request"] | vector.get("request", {})}
    [outcome] = InlineRunner().run([rule], view, TARGETS)
    expected = {"route": "", "reason": ""} | vector["expect"]
    assert {key: getattr(outcome, key) for key in expected} == expected, outcome.message


SPACED = """ {
  "a" : [ 1 , [ ] , { "config" : { } } ] , "b" : "\\\\\\"" , "now_ms" : 1763496000000 ,
  "tz_offset_min" : 0 , "request" : { "x" : { } , "model" : "fast" , "token_count" : 5 } ,
  "targets" : [ { "name" : "x,y" } , { "name" : "a,b" , "price" : { "input" : 9 } , "budget_left" : -1 } ] ,
  "config" : { "cheap" : "c,d" , "watch" : "a,b" , "aliases" : { "slow" : "x,y" , "fast" : "a,b" } }
} """


@pytest.mark.parametrize(
    ("name", "expected"),
    [("office_hours", "c,d"), ("budget_guard", "c,d"), ("model_alias", "a,b")],
)
def test_readers_cope_with_any_layout(name: str, expected: str, plain: RuleSet) -> None:
    [rule] = [rule for rule in plain.rules if rule.name == name]
    answer = msgspec.json.decode(ask(rule.compiled.artifact, SPACED.strip().encode()).answer)
    assert answer["route"] == expected


@pytest.mark.parametrize("name", SAMPLES)
def test_readers_survive_text_that_breaks_off(name: str, plain: RuleSet) -> None:
    """No such text ever comes from the host; a reader must not run away on it all the same."""
    [rule] = [rule for rule in plain.rules if rule.name == name]
    text = SPACED.strip().encode()
    for length in range(len(text)):
        fault = ask(rule.compiled.artifact, text[:length]).fault
        assert fault is None or fault.code == "trap", fault


def ask(artifact: Path, request: bytes) -> guest.Result:
    from wasm_host import compiler, paths  # noqa: PLC0415 - beside its only use

    code, runtime, limits = compiler.read_artifact(artifact), paths.serving().runtime, Limits(timeout_ms=1000)
    assert code
    return guest.execute(runtime, runtime.prepare(code, limits.memory), request, limits)
