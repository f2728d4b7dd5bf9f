from pathlib import Path

import msgspec
from wasm_modules import ROUTE, answering, running, seeing

from wasm_host import abi, testing
from wasm_host.preflight import Refusal
from wasm_host.rule import Rule
from wasm_host.testing import Report


def rule_file(folder: Path, text: str) -> Path:
    path = folder / "mine.wat"
    path.write_text(text)
    return path


def report(result: Report | Refusal) -> Report:
    assert isinstance(result, Report), result
    return result


def test_run_reports_the_decision_and_what_it_took(tmp_path: Path) -> None:
    path = rule_file(tmp_path, answering(ROUTE))
    done = report(testing.run(path, {}, cache=tmp_path.parent / "artifacts", targets=["a,b"], calls=3))
    assert (done.outcome.rule, done.outcome.code, done.outcome.route) == ("mine", "route", "a,b")
    assert done.outcome.fuel > 0
    assert len(done.micros) == 3
    assert set(done.percent) == {"fuel", "request", "time"}
    assert 0 < done.percent["request"] <= 100


def test_run_takes_what_is_missing_from_the_example(tmp_path: Path) -> None:
    path = rule_file(tmp_path, seeing())
    request = {"request": {"model": "other"}, "seed": 7}
    done = report(testing.run(path, request, cache=tmp_path.parent / "artifacts", operator={"config": {"x": [1]}}))
    assert done.outcome.log == f"info: {done.request}"
    seen = msgspec.json.decode(done.request)
    assert (seen["seed"], seen["request"]["model"], seen["request"]["dialect"]) == (7, "other", "anthropic")
    assert seen["config"] == {"x": [1]}


def test_targets_are_those_of_the_request_unless_given(tmp_path: Path) -> None:
    path = rule_file(tmp_path, answering(ROUTE))
    cache = tmp_path.parent / "artifacts"
    assert report(testing.run(path, {}, cache=cache)).outcome.code == "refused"
    assert report(testing.run(path, {"targets": [{"name": "a,b"}]}, cache=cache)).outcome.code == "route"


def test_run_reports_faults(tmp_path: Path) -> None:
    path = rule_file(tmp_path, running("(loop $l (br $l)) (i64.const 0)"))
    done = report(testing.run(path, {}, cache=tmp_path.parent / "artifacts"))
    assert done.outcome.code == "fuel"
    assert done.percent["fuel"] == 100
    assert "the example request ends in fuel" in done.notes[0]


def test_a_refused_module_is_not_run(tmp_path: Path) -> None:
    result = testing.run(rule_file(tmp_path, "(module)"), {}, cache=tmp_path.parent / "artifacts")
    assert isinstance(result, Refusal)
    assert result.code == "export"


def test_facts_are_plain_values(tmp_path: Path) -> None:
    path = rule_file(tmp_path, answering(ROUTE))
    rule = testing.inspect(
        path, cache=tmp_path.parent / "artifacts", operator={"grant": ["session"], "input": ["session"]}
    )
    assert isinstance(rule, Rule)
    facts = testing.facts_of(rule)
    assert msgspec.json.decode(msgspec.json.encode(facts)) == msgspec.json.decode(
        msgspec.json.encode(facts, order="sorted")
    )
    assert (facts["name"], facts["pure"], facts["sees"]) == ("mine", True, ["session"])
    assert facts["facts"]["exports"][abi.ROUTE] == "(i32, i32) -> (i64)"
