"""A client's own request, shown to one rule as the proxy would show it."""

from pathlib import Path

import msgspec
import pytest
from command import Cli
from configs import write_config

from core.cli_rules_body import view_of
from core.config_file import parse
from core.credentials import Secrets
from core.settings import Loaded
from wasm_host.projection import project
from wasm_host.registry import load_file
from wasm_host.rule import Rule

SEES = """\
(module (import "terraphim" "log" (func $log (param i32 i32 i32))) (memory (export "memory") 5)
  (func (export "rule_v1_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param i32 i32) (result i64)
    (call $log (i32.const 2) (local.get 0) (local.get 1)) (i64.const 0)))
"""
BODY = {
    "model": "claude-x",
    "max_tokens": 99,
    "system": "Be brief.",
    "tools": [{"name": "Read", "input_schema": {"type": "object"}}],
    "messages": [{"role": "user", "content": "Please translate this."}],
}


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    path = write_config(tmp_path, "http://127.0.0.1:9")
    return Loaded(parse(path.read_text(), path), Secrets(), path)


def rule_of(folder: Path, **operator: object) -> Rule:
    (folder / "mine.wat").write_text(SEES)
    rule = load_file(folder / "mine.wat", operator, cache=folder.parent / "artifacts")
    assert isinstance(rule, Rule), rule
    return rule


def test_the_rule_is_shown_what_the_proxy_would_show(loaded: Loaded, tmp_path: Path) -> None:
    grant = ["request.last_user", "request.system", "request.messages"]
    rule = rule_of(tmp_path, input=["request", "scenario", "targets", *grant], grant=grant)
    view, targets = view_of(loaded, rule, msgspec.json.encode(BODY))
    seen = msgspec.json.decode(project(rule.plan, view) or b"")
    facts = seen["request"]
    assert (facts["dialect"], facts["model"], facts["max_tokens"], facts["tools"]) == (
        "anthropic",
        "claude-x",
        99,
        ["Read"],
    )
    assert (facts["last_user"], facts["system"]) == ("Please translate this.", "Be brief.")
    assert facts["messages"] == BODY["messages"]
    assert facts["token_count"] > 10
    assert {target["name"] for target in seen["targets"]} == targets
    assert {"one,main", "two,spare"} < targets


def test_a_body_that_names_its_target_asks_no_rule(loaded: Loaded, tmp_path: Path) -> None:
    body = msgspec.json.encode(BODY | {"model": "one,main"})
    with pytest.raises(ValueError, match=r"its target is decided before \(explicit\); give it another model"):
        view_of(loaded, rule_of(tmp_path), body)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model": 7}', b"\xff"])
def test_what_is_no_request_is_said(loaded: Loaded, tmp_path: Path, body: bytes) -> None:
    with pytest.raises(ValueError, match="the body is no request: "):
        view_of(loaded, rule_of(tmp_path), body)


def test_a_body_is_run(clean_env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "mine.wat").write_text(SEES)
    (tmp_path / "body.json").write_bytes(msgspec.json.encode(BODY))
    cli = Cli(clean_env, tmp_path)
    code, found = cli.json("rules", "run", "mine.wat", "--body", "body.json", "--grant", "request.last_user")
    assert (code, found["code"]) == (0, "abstain")
    assert '"model":"claude-x"' in found["saw"]
    assert '"last_user":"Please translate this."' in found["saw"]
    assert cli("rules", "run", "mine.wat", "--body", "body.json", "-i", "body.json")[0] == 2
    (tmp_path / "body.json").write_text("{}")
    code, out, err = cli("rules", "run", "mine.wat", "--body", "body.json")
    assert (code, out) == (1, "")
    assert err.startswith("error: body.json: the body is no request: ")
