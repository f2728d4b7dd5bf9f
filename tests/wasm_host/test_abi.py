import ast
from pathlib import Path

import msgspec

from wasm_host import abi


def test_the_contract_holds_no_code() -> None:
    tree = ast.parse(Path(abi.__file__).read_text())
    functions = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert functions == ["__str__"]


def test_the_example_has_all_keys_in_order() -> None:
    optional = {"headers", "truncated"}
    assert tuple(abi.EXAMPLE) == tuple(key for key in abi.REQUEST_KEYS if key not in optional)
    assert tuple(abi.EXAMPLE["request"]) == (*abi.REQUEST_FIELDS, "last_user")


def test_the_example_keeps_the_rules_of_the_wire() -> None:
    def check(value: object) -> None:
        assert not isinstance(value, float)
        if isinstance(value, int):
            assert abs(value) < 1 << 53
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            check(inner)

    check(abi.EXAMPLE)
    assert msgspec.json.decode(msgspec.json.encode(abi.EXAMPLE)) == abi.EXAMPLE


def test_caps_are_not_under_defaults() -> None:
    assert all(limit.default <= limit.cap for limit in abi.LIMITS.values())
    assert set(abi.OUTCOMES) >= abi.FAULTS
