from typing import Any

import pytest

from wasm_host import abi
from wasm_host.answer import Outcome
from wasm_host.casework import BadCase, complete, differs, read_case, target_names

ABSTAIN = {"abstain": True}


def case(**entry: Any) -> Any:
    return read_case({"name": "one", "expect": ABSTAIN} | entry, 1)


def test_fields_and_parts_find_their_places() -> None:
    found = case(request={"token_count": 7, "session": {"turns": 2}, "request": {"model": "x"}, "targets": ["a,b"]})
    assert found.view == {
        "request": {"token_count": 7, "model": "x"},
        "session": {"turns": 2},
        "targets": [{"name": "a,b"}],
    }


def test_config_is_the_operators() -> None:
    found = case(request={"config": {"limit": 3}}, operator={"grant": ["session"]})
    assert found.operator == {"grant": ["session"], "config": {"limit": 3}}
    assert "config" not in found.view


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"request": {"tokencount": 1}}, "request: unknown key 'tokencount', did you mean 'token_count'?"),
        ({"expct": {}}, "test 1 (one): unknown key 'expct', did you mean 'expect'?"),
        ({"expect": {"rute": "a,b"}}, "expect: unknown key 'rute', did you mean 'route'?"),
        ({"expect": {"zzz": 1}}, "known are abstain, deny, error"),
        ({"expect": {}}, "expect says nothing; say one of route, abstain, deny, error, outcome"),
        ({"expect": {"route": "a,b", "abstain": True}}, "expect says route and abstain"),
        ({"expect": {"outcome": "explode"}}, "outcome 'explode' is none of route, abstain"),
        ({"expect": {"route": 7}}, "Expected `str`, got `int`"),
        ({"name": 7}, "Expected `str`, got `int`"),
        ({"request": {"targets": 7}}, "targets is not a list of tables with a name"),
        ({"request": {"targets": [7]}}, "targets is not a list of tables with a name"),
        ({"request": {"targets": [{}]}}, "targets is not a list of tables with a name"),
        ({"request": {"config": []}}, "config is not a table"),
        ({"request": {"tools": 7}}, "request.tools is not a list"),
        ({"request": {"session": 7}}, "session is not a table"),
        ({"request": {"now_ms": "7"}}, "now_ms is not an integer of 64 bits"),
        ({"request": {"seed": 1 << 63}}, "seed is not an integer of 64 bits"),
        ({"request": {"seed": True}}, "seed is not an integer of 64 bits"),
        ({"request": {"request": 7}}, "request.request is not a table"),
        ({"request": {"request": {"modell": 7}}}, "did you mean 'model'?"),
    ],
)
def test_a_wrong_case_is_named_with_what_was_meant(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(BadCase, match=r"^test 1 \(") as caught:
        case(**entry)
    assert message in str(caught.value)


@pytest.mark.parametrize("entry", [7, "text", None, [], {}])
def test_what_is_no_case_is_said(entry: Any) -> None:
    with pytest.raises(BadCase, match=r"^test 3"):
        read_case(entry, 3)


def test_what_a_request_lacks_is_the_examples() -> None:
    view = complete({"request": {"model": "x"}, "seed": 1})
    assert view["request"] == abi.EXAMPLE["request"] | {"model": "x"}
    assert (view["seed"], view["session"]) == (1, abi.EXAMPLE["session"])


def test_targets_are_the_requests_or_the_examples_and_those_that_are_named() -> None:
    [example] = target_names(abi.EXAMPLE)
    assert target_names(complete({}, ["a,b", example])) == {"a,b", example}
    assert [target["name"] for target in complete({}, ["a,b", example])["targets"]] == [example, "a,b"]
    assert target_names(complete({"targets": [{"name": "c,d"}]}, ["a,b"])) == {"c,d"}


@pytest.mark.parametrize(
    ("expect", "outcome", "difference"),
    [
        ({"route": "a,b"}, {"code": "route", "route": "a,b", "reason": "any"}, ""),
        ({"route": "a,b"}, {"code": "route", "route": "c,d"}, "route is c,d, expected a,b"),
        ({"route": "a,b"}, {"code": "abstain"}, "outcome is abstain, expected route; route is none, expected a,b"),
        ({"abstain": True}, {"code": "abstain"}, ""),
        ({"abstain": True, "reason": "x"}, {"code": "abstain", "reason": "y"}, "reason is y, expected x"),
        ({"deny": 429}, {"code": "deny", "deny_status": 429}, ""),
        ({"deny": True}, {"code": "deny", "deny_status": 503}, ""),
        ({"deny": 429}, {"code": "deny", "deny_status": 503}, "status is 503, expected 429"),
        ({"error": True}, {"code": "error", "reason": "x"}, ""),
        ({"error": "no_config"}, {"code": "error", "reason": "x"}, "reason is x, expected no_config"),
        ({"outcome": "fuel"}, {"code": "fuel"}, ""),
        ({"outcome": "fuel"}, {"code": "trap"}, "outcome is trap, expected fuel"),
        ({"abstain": True, "score": 3}, {"code": "abstain"}, "score is null, expected 3"),
        ({"abstain": True, "tags": {"a": "b"}}, {"code": "abstain"}, 'tags is {}, expected {"a":"b"}'),
        ({"abstain": True, "tags": {"a": "b"}}, {"code": "abstain", "tags": {"a": "b"}}, ""),
    ],
)
def test_what_differs_is_said(expect: dict[str, Any], outcome: dict[str, Any], difference: str) -> None:
    assert differs(case(expect=expect).expect, Outcome(rule="mine", **outcome)) == difference
