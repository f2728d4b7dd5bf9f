"""The shipped rule answers for one model name and leaves everything else alone."""

from pathlib import Path
from typing import Any

import pytest

from wasm_host import abi
from wasm_host.inline import InlineRunner
from wasm_host.manifest import Limits
from wasm_host.registry import load_rules
from wasm_host.rule import Rule

PLUGINS = Path(__file__).parents[2] / "plugins"
PREFERRED = "openrouter,deepseek/deepseek-chat"


@pytest.fixture(scope="module")
def rule(tmp_path_factory: pytest.TempPathFactory) -> Rule:
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "wasm-demo.wat").write_bytes((PLUGINS / "wasm-demo.wat").read_bytes())
    loaded = load_rules(folder, {}, cache=tmp_path_factory.mktemp("cache"))
    assert not loaded.problems
    [rule] = loaded.rules
    return rule


def ask(rule: Rule, targets: list[str], **request: Any) -> tuple[str, str, str]:
    view = abi.EXAMPLE | {
        "request": abi.EXAMPLE["request"] | request,
        "targets": [{"name": name} for name in targets],
    }
    [outcome] = InlineRunner().run([rule], view, frozenset(targets))
    return outcome.code, outcome.route, outcome.reason


def test_its_model_goes_to_the_preferred_target(rule: Rule) -> None:
    assert ask(rule, ["x,y", PREFERRED], model="wasm-demo") == ("route", PREFERRED, "wasm_demo")


@pytest.mark.parametrize("first", ["x,y", 'x,"quoted"', "x,back\\", "x,ü🚀", "x," + "m" * 900])
def test_or_to_the_first_target(rule: Rule, first: str) -> None:
    assert ask(rule, [first, "p,q"], model="wasm-demo") == ("route", first, "wasm_demo")


@pytest.mark.parametrize("targets", [[], ["x," + "m" * 2000]])
def test_or_nowhere(rule: Rule, targets: list[str]) -> None:
    assert ask(rule, targets, model="wasm-demo")[0] == "abstain"


@pytest.mark.parametrize(
    "model", ["", "wasm", "wasm-demo2", "x-wasm-demo", "WASM-DEMO", 'wasm-demo"', "claude-sonnet-4-5"]
)
def test_other_models_are_left_alone(rule: Rule, model: str) -> None:
    assert ask(rule, [PREFERRED], model=model)[0] == "abstain"


@pytest.mark.parametrize("text", ['"model":"wasm-demo"', '\\"model":"wasm-demo"', ',"model":"wasm-demo",', "wasm-demo"])
def test_what_others_write_does_not_count(rule: Rule, text: str) -> None:
    assert ask(rule, [PREFERRED], model="other", tools=[text], dialect=text)[0] == "abstain"


def test_a_request_of_any_legal_size_fits(rule: Rule) -> None:
    from wasm_host import compiler, guest, paths  # noqa: PLC0415 - the engine is only needed here

    code, runtime, limits = compiler.read_artifact(rule.compiled.artifact), paths.serving().runtime, Limits()
    assert code
    prepared = runtime.prepare(code, limits.memory)
    for size, fits in ((1, True), (abi.LIMITS["request"].cap, True), (abi.LIMITS["request"].cap + 1, False)):
        result = guest.execute(runtime, prepared, b"x" * size, limits)
        assert result.answer == b""
        assert "no room" in result.fault.message if result.fault else fits
