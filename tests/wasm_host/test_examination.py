from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from wasm_modules import ROUTE, answering, running, seeing

from wasm_host import trial
from wasm_host.examination import Check, examine
from wasm_host.preflight import Refusal
from wasm_host.trial import Question, Reply

CASE = '[[test]]\nname = "always"\nexpect = { route = "a,b" }\n'
#: Traps unless the request begins with `{"`.
TRAPS_ON_EMPTY = """
  (if (i32.ne (i32.load8_u offset=1 (local.get 0)) (i32.const 0x22)) (then unreachable)) (i64.const 0)"""


def examined(folder: Path, text: str, manifest: str = "", **operator: Any) -> list[Check]:
    checks = examine(written(folder, text, manifest), cache=folder.parent / "artifacts", operator=operator)
    assert isinstance(checks, list), checks
    return checks


def written(folder: Path, text: str, manifest: str) -> Path:
    path = folder / "mine.wat"
    path.write_text(text)
    if manifest:
        path.with_suffix(".toml").write_text(manifest)
    return path


def failed(checks: Sequence[Check], kind: str = "") -> list[Check]:
    return [check for check in checks if not check.ok and (not kind or check.kind == kind)]


def test_a_good_rule_passes_its_cases_the_hostile_requests_and_the_second_run(tmp_path: Path) -> None:
    checks = examined(tmp_path, answering(ROUTE), 'routes = ["a,b"]\n' + CASE)
    assert failed(checks) == []
    assert [check.name for check in checks if check.kind == "case"] == ["always"]
    assert sum(check.kind == "hostile" for check in checks) > 60
    [same] = [check for check in checks if check.kind == "same"]
    assert same.name == f"{len(checks) - 1} requests twice: equal bytes, equal fuel"


def test_a_case_that_fails_names_file_rule_difference_and_next_step(tmp_path: Path) -> None:
    [check] = failed(examined(tmp_path, answering('{"abstain":true,"reason":"no"}'), CASE))
    assert check.message == (
        f"{tmp_path}/mine.wat: rule mine: outcome is abstain, expected route; route is none, expected a,b; "
        "mend the rule or the case"
    )
    assert check.request.startswith('{"abi":1')
    assert check.outcome is not None
    assert check.outcome.reason == "no"


def test_a_rule_without_cases_fails_and_says_how_to_write_one(tmp_path: Path) -> None:
    [check] = failed(examined(tmp_path, answering('{"abstain":true}')))
    assert (check.kind, check.name) == ("none", "no cases")
    assert "mine.wat: the manifest of rule mine has no cases" in check.message
    assert "[[test]]" in check.message


def test_a_case_that_cannot_be_read_fails_and_the_others_run(tmp_path: Path) -> None:
    checks = examined(tmp_path, answering(ROUTE), CASE + '[[test]]\nname = "two"\nexpect = { rute = "a,b" }\n')
    [check] = failed(checks, "case")
    assert "mine.toml: test 2 (two), expect: unknown key 'rute', did you mean 'route'?" in check.message
    assert [check.name for check in checks if check.kind == "case" and check.ok] == ["always"]


def test_a_case_has_its_own_request_config_and_grants(tmp_path: Path) -> None:
    manifest = """
input = ["request.token_count", "request.last_user", "session.turns"]
[config]
kept = 1
[[test]]
name = "granted"
request = { token_count = 7, last_user = "hello", session = { turns = 3 }, config = { own = 2 }, seed = 9 }
operator = { grant = ["request.last_user"] }
expect = { abstain = true }
[[test]]
name = "plain"
expect = { abstain = true }
"""
    checks = examined(tmp_path, seeing(), manifest, config={"base": 0})
    logs = {check.name: check.outcome.log for check in checks if check.kind == "case" and check.outcome}
    assert '"seed":9,"request":{"token_count":7,"last_user":"hello"}' in logs["granted"]
    assert '"config":{"base":0,"kept":1,"own":2}' in logs["granted"]
    assert "session" not in logs["granted"]
    assert '"request":{"token_count":71234},"config":{"base":0,"kept":1}' in logs["plain"]


def test_an_impossible_operator_table_fails_its_case(tmp_path: Path) -> None:
    case = '[[test]]\nname = "much"\noperator = { limits = { fuel = 999999999999 } }\nexpect = { abstain = true }\n'
    [check] = failed(examined(tmp_path, answering('{"abstain":true}'), case))
    assert "mine.wat: its operator table: the operator's config: limits.fuel = 999999999999 is over the cap" in (
        check.message
    )


def test_a_case_may_expect_that_the_rule_is_not_asked(tmp_path: Path) -> None:
    case = """
input = ["request.tools"]
[limits]
request = 100
[[test]]
name = "too many tools"
request = { tools = ["a-tool-with-a-long-name", "another-tool-with-a-long-name"] }
expect = { outcome = "skipped" }
"""
    checks = examined(tmp_path, answering('{"abstain":true}'), case)
    assert failed(checks) == []


def test_cases_may_stand_in_the_module_and_the_file_beside_it_wins(tmp_path: Path) -> None:
    metadata = '{"test":[{"name":"inside","expect":{"abstain":true}}]}'
    describe = f'(func (export "rule_v1_describe") (result i64) (i64.const {200 << 32 | len(metadata)}))'
    text = metadata.replace('"', '\\"')
    module = answering('{"abstain":true}', f'(data (i32.const 200) "{text}") {describe}')
    assert [check.name for check in examined(tmp_path, module) if check.kind == "case"] == ["inside"]
    beside = '[[test]]\nname = "beside"\nexpect = { abstain = true }\n'
    assert [check.name for check in examined(tmp_path, module, beside) if check.kind == "case"] == ["beside"]


def test_a_rule_that_breaks_on_a_hostile_request_is_found(tmp_path: Path) -> None:
    checks = failed(examined(tmp_path, running(TRAPS_ON_EMPTY)), "hostile")
    assert "empty object" in [check.name for check in checks]
    assert "only the version" not in [check.name for check in checks]
    assert all(
        "rule mine: ends in trap (unreachable); answer, abstain or say error" in check.message for check in checks
    )


def test_saying_error_to_a_hostile_request_is_legal(tmp_path: Path) -> None:
    assert failed(examined(tmp_path, answering('{"error":{"code":"what"}}')), "hostile") == []


def test_naming_no_target_is_found_and_naming_a_configured_one_is_not(tmp_path: Path) -> None:
    assert failed(examined(tmp_path, answering(ROUTE)), "hostile") != []
    assert failed(examined(tmp_path, answering(ROUTE), config={"to": ["x", {"deep": "a,b"}]}), "hostile") == []


def test_what_an_operator_may_grant_is_granted_for_hostile_requests(tmp_path: Path) -> None:
    for manifest in ("", 'input = ["request.last_user[:100000]"]\n'):
        checks = examined(tmp_path, seeing(), manifest)
        flood = next(check for check in checks if check.name == "64 KiB of plain text")
        assert flood.outcome is not None
        assert '"last_user":"lorem ipsum' in flood.outcome.log


def test_a_rule_that_differs_from_run_to_run_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = 0

    def fickle(questions: Sequence[Question]) -> list[Reply]:
        nonlocal runs
        runs += 1
        return [Reply(answer=b"", fuel=runs if asked.request == b'{"abi":1}' else 7) for asked in questions]

    monkeypatch.setattr(trial, "ask", fickle)
    [check] = failed(examined(tmp_path, answering(ROUTE)), "same")
    assert "rule mine answers 1 requests differently in a second run, first 'only the version'" in check.message
    assert check.request == '{"abi":1}'


def test_a_refused_module_is_not_examined(tmp_path: Path) -> None:
    refusal = examine(written(tmp_path, "(module)", ""), cache=tmp_path.parent / "artifacts")
    assert isinstance(refusal, Refusal)
    assert refusal.code == "export"
