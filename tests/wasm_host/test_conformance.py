"""Every module under wasm_host/conformance does what its first line says: adding a case is adding a file."""

import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from prove.vectors import FOLDER, TARGETS, VIEW, Vector, vectors
from wasm_host import abi, compiler
from wasm_host.compiler import Compiled, compile_module
from wasm_host.inline import InlineRunner
from wasm_host.preflight import Refusal
from wasm_host.registry import load_rules
from wasm_host.rule import RuleSet

RUNNER = InlineRunner()
CASES = vectors()
RUNNING = [vector for vector in CASES if vector.group != "refused"]
REFUSED = [vector for vector in CASES if vector.group == "refused"]
#: One for each reason is judged in a child, as in service; `make conformance` has all of them judged so.
IN_A_CHILD = list({vector.code: vector for vector in REFUSED}.values())


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp() / "artifacts"


@contextmanager
def without_children() -> Iterator[None]:
    """Modules are judged in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiler, "_ask_child", partial(compiler._judge, allow_cpu=lambda _seconds: None))
        yield


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RuleSet]:
    """The modules that load. They will run in this process anyway, so it compiles them too and saves 75 children.

    On a busy machine fuel may take longer to burn than a rule has by default, and here it is fuel that must end them.
    """
    cache = tmp_path_factory.mktemp("inline")
    with without_children():
        patient = {vector.path.stem: {"limits": {"timeout_ms": abi.LIMITS["timeout_ms"].cap}} for vector in RUNNING}
        return {name: load_rules(FOLDER / name, patient, cache=cache) for name in ("good", "hostile")}


@pytest.fixture(scope="module")
def compiled(cache: Path) -> dict[Vector, Compiled | Refusal]:
    def compile_(vector: Vector) -> Compiled | Refusal:
        return compile_module(vector.path.read_bytes(), text=True, cache=cache)

    with without_children():
        here = {vector: compile_(vector) for vector in REFUSED if vector not in IN_A_CHILD}
    with ThreadPoolExecutor(2) as pool:
        return here | dict(zip(IN_A_CHILD, pool.map(compile_, IN_A_CHILD), strict=True))


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 60
    assert len({vector.path.stem for vector in CASES}) == len(CASES)


@pytest.mark.parametrize("vector", RUNNING, ids=str)
def test_outcome(vector: Vector, loaded: dict[str, RuleSet]) -> None:
    path, kind, code = vector
    assert kind == "outcome"
    [rule] = [rule for rule in loaded[vector.group].rules if rule.name == path.stem]
    for _ in range(2):
        [outcome] = RUNNER.run([rule], VIEW, TARGETS)
        assert (outcome.code, outcome.rule) == (code, path.stem), outcome.message
        assert outcome.message or code not in abi.FAULTS or path.stem == "echo_error"
        assert len(outcome.log.encode()) <= abi.LOG
        assert "\n" not in outcome.log or path.stem.startswith("log_loop")


@pytest.mark.parametrize("vector", REFUSED, ids=str)
def test_refusal(vector: Vector, compiled: dict[Vector, Compiled | Refusal]) -> None:
    assert vector.kind == "load"
    result = compiled[vector]
    assert isinstance(result, Refusal)
    assert result.code == vector.code, result
    assert result.message
    assert result.hint


def test_faults_leave_no_memory_behind(loaded: dict[str, RuleSet]) -> None:
    names = ("grow_to_cap", "unreachable", "fill_loop", "recursion", "grow_then_use")
    rules = [rule for rule in loaded["hostile"].rules if rule.name in names]
    assert len(rules) == len(names)

    def faults(rounds: int) -> int:
        for _ in range(rounds):
            assert len(RUNNER.run(rules, VIEW, TARGETS)) == len(rules)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = faults(5)
    # Each round leaves five stores, two of them with 16 MiB: were they kept, this would be over 1 GiB.
    assert faults(40) - before < 64 * 1024
