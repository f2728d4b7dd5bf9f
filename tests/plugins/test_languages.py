"""`rules new` makes the same rule in every language: built by its toolchain, each decides like all others."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from builds import PATIENT, environment

from wasm_host import abi, examination, hostile, scaffold, trial
from wasm_host.inline import InlineRunner
from wasm_host.preflight import Refusal
from wasm_host.registry import load_rules
from wasm_host.rule import Rule

LANGUAGES = tuple(scaffold.LANGUAGES)
TARGET = "openrouter,google/gemini-2.5-flash"
TARGETS = frozenset({TARGET, "a,b"})
ABSTAINS = ("abstain", "", "")

pytestmark = pytest.mark.toolchain


class Made(NamedTuple):
    """A rule that was made by `rules new` and built by its own build script."""

    folder: Path
    module: Path
    rule: Rule


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """The rule in every language."""
    env = {**environment(tmp_path_factory.mktemp("home")), "PYTHON": sys.executable}
    root = tmp_path_factory.mktemp("languages")
    return {language: make(root, language, env) for language in LANGUAGES}


def make(root: Path, language: str, env: dict[str, str]) -> Made:
    name = f"in-{language}"
    scaffold.write(root, language, name)
    done = subprocess.run(
        ["/bin/sh", root / name / "build.sh"], env=env, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, f"{language}: {done.stdout}{done.stderr}"
    module = root / name / f"{name}{scaffold.LANGUAGES[language].suffix}"
    rule = loaded(module, root, PATIENT)
    return Made(root / name, module, rule)


def loaded(module: Path, root: Path, operator: dict[str, Any]) -> Rule:
    folder = root / "plugins" / module.stem
    folder.mkdir(parents=True, exist_ok=True)
    for path in (module, module.with_suffix(".toml")):
        (folder / path.name).write_bytes(path.read_bytes())
    rules = load_rules(folder, {module.stem: operator}, cache=root / "cache")
    assert not [problem for problem in rules.problems if not problem.warning]
    [rule] = rules.rules
    return rule


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_passes_its_own_cases_and_survives_hostile_requests(language: str, made: dict[str, Made]) -> None:
    checks = examination.examine(made[language].module, cache=made[language].folder.parent / "cache")
    assert not isinstance(checks, Refusal)
    assert [check.message for check in checks if not check.ok] == []
    assert sum(check.kind == "case" for check in checks) == 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_small_and_pure(language: str, made: dict[str, Made]) -> None:
    facts = made[language].rule.compiled.facts
    assert facts.pure is (language != "go")  # Go's runtime asks for a clock and randomness
    limit = {"go": 2 * abi.MIB, "js": abi.MIB}.get(language, 8 * abi.KIB)
    assert facts.wasm_size < limit


DECISIONS: list[tuple[str, dict[str, Any], dict[str, Any], tuple[str, str, str]]] = [
    ("the manifest's configuration", {"token_count": 60_001}, {}, ("route", TARGET, "long")),
    ("exactly the threshold", {"token_count": 60_000, "last_user": "hello"}, {}, ABSTAINS),
    ("the operator's threshold", {"token_count": 11}, {"config": {"threshold": 10}}, ("route", TARGET, "long")),
    ("the operator's target", {"token_count": 60_001}, {"config": {"target": "a,b"}}, ("route", "a,b", "long")),
    ("no target", {"token_count": 60_001}, {"config": {"target": 0}}, ABSTAINS),
    ("a target nobody knows", {"token_count": 60_001}, {"config": {"target": "no,where"}}, ("refused", "", "")),
    ("a word", {"token_count": 1, "last_user": "Bitte TRANSLATE: Grüße 🚀"}, {}, ("route", TARGET, "word")),
    ("a word that is not granted", {"token_count": 1, "last_user": "translate"}, {"grant": []}, ABSTAINS),
    ("a word behind the cut", {"token_count": 1, "last_user": "x" * 2000 + "translate"}, {}, ABSTAINS),
    ("the length goes first", {"token_count": 60_001, "last_user": "translate"}, {}, ("route", TARGET, "long")),
    ("256 KiB of text", {"token_count": 1, "last_user": '"\\\n' * 90_000}, {}, ABSTAINS),
]


@pytest.mark.parametrize(
    ("name", "request_fields", "operator", "expected"), DECISIONS, ids=[row[0] for row in DECISIONS]
)
def test_all_decide_alike(
    name: str,
    request_fields: dict[str, Any],
    operator: dict[str, Any],
    expected: tuple[str, str, str],
    made: dict[str, Made],
) -> None:
    view = abi.EXAMPLE | {
        "request": abi.EXAMPLE["request"] | request_fields,
        "targets": [{"name": target} for target in sorted(TARGETS)],
    }
    decided = {}
    for language, rule in made.items():
        own = PATIENT | {"grant": ["request.last_user"]} | operator
        [outcome] = InlineRunner().run([loaded(rule.module, rule.folder.parent, own)], view, TARGETS)
        decided[language] = (outcome.code, outcome.route, outcome.reason)
    assert decided == dict.fromkeys(LANGUAGES, expected)


def documents() -> Iterator[tuple[str, bytes, str | None]]:
    """(name, whole request, reason to route) of what a reader must cope with; None: it abstains."""
    for name, text, reason in msgspec.json.decode((Path(__file__).with_name("documents.json")).read_bytes()):
        yield name, text.encode(), reason
    tail = b',"request":{"token_count":11},"config":{"target":"a,b","threshold":10}}'
    yield "nested as deep as allowed", b'{"x":' + b"[" * 128 + b"]" * 128 + tail, "long"
    yield "nested deeper", b'{"x":' + b"[" * 129 + b"]" * 129 + tail, None
    yield "nested 100 000 deep", b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + tail, None
    yield "nested 100 000 deep, broken off", b'{"x":' + b'{"x":' * 40_000, None
    yield "a target too long for an answer", tail.replace(b"a,b", b"x" * 17_000).replace(b",", b"{", 1), None
    for cut in range(len(tail)):
        yield f"broken off at {cut}", (b'{"x":1' + tail)[: cut + 6], None


DOCUMENTS = list(documents())


@pytest.mark.parametrize("language", LANGUAGES)
def test_readers_are_strict_and_read_what_is_meant(language: str, made: dict[str, Made]) -> None:
    replies = trial.ask([trial.question(made[language].rule, data) for _, data, _ in DOCUMENTS])
    said = {name: reply.fault or reason(reply.answer) for (name, _, _), reply in zip(DOCUMENTS, replies, strict=True)}
    assert said == {name: expected for name, _, expected in DOCUMENTS}


def reason(answer: bytes) -> str | None:
    return str(msgspec.json.decode(answer)["reason"]) if answer else None


#: JavaScript's numbers do not know how they were written: there, 1e3 is the integer 1000.
WRITTEN_OTHERWISE = {"numbers: an exponent", "numbers: a huge exponent"}
CONFIG = rb'"config":{"target":"a,b","threshold":71234,"words":["\\ud800","model","\\"",7]}'


def test_all_answer_hostile_requests_alike(made: dict[str, Made]) -> None:
    shapes = [(name, re.sub(rb'"config":{[^{}]*}', CONFIG, data)) for name, data in hostile.shapes()]
    shapes = [(name, data) for name, data in shapes if name not in WRITTEN_OTHERWISE]
    said = {language: dict(asked(rule.rule, shapes)) for language, rule in made.items()}
    assert said == dict.fromkeys(LANGUAGES, said["c"])
    assert set(said["c"].values()) == {"long", "word", None}


def asked(rule: Rule, shapes: list[tuple[str, bytes]]) -> Iterator[tuple[str, str | None]]:
    replies = trial.ask([trial.question(rule, data) for _, data in shapes])
    for (name, _), reply in zip(shapes, replies, strict=True):
        yield name, reply.fault or reason(reply.answer)


def test_a_mistake_in_a_script_is_said_with_its_line(made: dict[str, Made], tmp_path: Path) -> None:
    env = {**environment(tmp_path), "PYTHON": sys.executable}
    scaffold.write(tmp_path, "js", "wrong")
    (tmp_path / "wrong" / "rule.js").write_text("function decide(view) {\n  return null;\n}\nundefinedName();\n")
    done = subprocess.run(
        ["/bin/sh", tmp_path / "wrong" / "build.sh"], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "ReferenceError: undefinedName is not defined" in done.stderr
    assert "rule.js:4" in done.stderr


@pytest.mark.parametrize("language", ["c", "assemblyscript"])
def test_a_toolchain_that_cannot_be_had_is_said(language: str, tmp_path: Path) -> None:
    scaffold.write(tmp_path, language, "mine")
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHON": "/bin/false"}
    (tmp_path / "npm").mkdir()
    (tmp_path / "npm" / "npm").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "npm" / "npm").chmod(0o755)
    env["PATH"] = f"{tmp_path / 'npm'}:{env['PATH']}"
    done = subprocess.run(
        ["/bin/sh", tmp_path / "mine" / "build.sh"], env=env, capture_output=True, text=True, timeout=10, check=False
    )
    assert done.returncode == 69
    assert "MISSING: " in done.stderr
    assert not list((tmp_path / "mine").glob("mine.wasm"))
