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
    assert len(done.nanos) == 3
    assert done.answer == ROUTE.encode()
    assert set(done.percent) == {"fuel", "memory", "request", "time"}
    assert done.percent["memory"] == 1.95  # five pages of 256
    assert done.path in ("native", "public")
    assert 0 < done.percent["request"] <= 100


def test_run_takes_what_is_missing_from_the_example(tmp_path: Path) -> None:
    path = rule_file(tmp_path, seeing())
    request = {"request": {"model": "other"}, "seed": 7}
    done = report(testing.run(path, request, cache=tmp_path.parent / "artifacts", operator={"config": {"x": [1]}}))
    assert done.outcome.log == f"info: {done.request}"
    seen = msgspec.json.decode(done.request)
    assert (seen["seed"], seen["request"]["model"], seen["request"]["dialect"]) == (7, "other", "anthropic")
    assert seen["config"] == {"x": [1]}


def test_the_requests_config_is_laid_over_the_operators(tmp_path: Path) -> None:
    path = rule_file(tmp_path, seeing())
    operator = {"config": {"x": 1, "y": 2}}
    done = report(testing.run(path, {"config": {"y": 3}}, cache=tmp_path.parent / "artifacts", operator=operator))
    assert msgspec.json.decode(done.request)["config"] == {"x": 1, "y": 3}
    assert operator == {"config": {"x": 1, "y": 2}}
    assert testing.overlay({"grant": ["session"]}, {"config": {"x": 1}}) == {"grant": ["session"], "config": {"x": 1}}
    assert testing.overlay({"config": 7}, {"config": {"x": 1}}) == {"config": {"x": 1}}


def test_a_request_over_the_limit_is_not_asked(tmp_path: Path) -> None:
    path = rule_file(tmp_path, answering(ROUTE))
    operator = {"limits": {"request": 60}, "config": {"x": "y" * 100}}
    done = report(testing.run(path, {}, cache=tmp_path.parent / "artifacts", operator=operator))
    assert (done.outcome.code, done.nanos, done.request) == ("skipped", (), "")
    assert "over 60 bytes" in done.outcome.message


def test_percentiles_are_values_that_were_there() -> None:
    values = list(range(100, 0, -1))
    assert [testing.percentile(values, percent) for percent in (1, 50, 99, 100)] == [1, 50, 99, 100]
    assert testing.percentile([7], 50) == testing.percentile([7], 99) == 7
    assert testing.percentile([1, 2, 3], 50) == 2


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
    assert (facts["name"], facts["shape"], facts["pure"], facts["sees"]) == ("mine", "reactor", True, ["session"])
    assert facts["facts"]["exports"][abi.ROUTE] == "(i32, i32) -> (i64)"
    assert facts["limits"]["fuel"] == {"in_force": 10_000_000, "default": 10_000_000, "cap": 200_000_000}
    assert facts["limits"]["request"]["in_force"] == abi.LIMITS["request"].cap  # it declares what it wants
    assert facts["artifact_bytes"] > facts["facts"]["size"]
