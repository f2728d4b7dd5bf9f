from pathlib import Path

import msgspec
from wasm_modules import load, running

from wasm_host import abi
from wasm_host.rule import RuleSet


def test_an_empty_set_is_whole() -> None:
    assert RuleSet().identity() == []
    assert RuleSet().wants == frozenset()


def test_identity_is_canonical_json(tmp_path: Path) -> None:
    operator = {"b": {"tags": {"z": ["2", "1"], "a": ["x"]}, "routes": ["c,d", "a,b"]}}
    rules = load(tmp_path, {"a.wat": running("(i64.const 0)"), "b.wat": running("(i64.const 0)")}, operator)
    first, second = msgspec.json.decode(msgspec.json.encode(rules.identity()))
    assert first["abi"] == abi.NAME
    assert (first["name"], second["name"]) == ("a", "b")
    assert first["sha256"] == second["sha256"] == rules.rules[0].sha256
    assert list(second["tags"].items()) == [("a", ["x"]), ("z", ["1", "2"])]
    assert second["routes"] == ["a,b", "c,d"]
