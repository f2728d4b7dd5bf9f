"""The commands for authors of rules, each in a process of its own."""

from pathlib import Path

import pytest
from command import Cli
from configs import write_config
from facts import ROOT

DEMO = ROOT / "plugins" / "wasm-demo.wat"
HOSTILE = ROOT / "wasm_host" / "conformance" / "hostile"
RULE = """\
(module (memory (export "memory") 5) (data (i32.const 16) "{\\"route\\":\\"one,main\\",\\"reason\\":\\"mine\\"}")
  (func (export "rule_v1_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param i32 i32) (result i64) (i64.const 0x1000000024)))
"""
CASE = """\
routes = ["one,main"]
[[test]]
name = "always"
expect = { route = "one,main", reason = "mine" }
"""


@pytest.fixture
def cli(clean_env: dict[str, str], tmp_path: Path) -> Cli:
    """Commands in a folder with a configuration that they are told of, and one rule."""
    folder = tmp_path / "author"
    folder.mkdir()
    write_config(folder, "http://127.0.0.1:9")
    (folder / "mine.wat").write_text(RULE)
    (folder / "mine.toml").write_text(CASE)
    return Cli({**clean_env, "ONE_KEY": "sk-canary"}, folder)


def operator(cli: Cli, table: str) -> None:
    """Give the configuration a table `[rules.mine]`."""
    with (cli.cwd / "config.toml").open("a") as config:
        config.write(f"[rules.mine]\n{table}\n")


def test_a_module_is_inspected(cli: Cli) -> None:
    code, out, _ = cli("rules", "inspect", DEMO)
    assert code == 0
    assert "pure: true" in out
    assert "rule_v1_route: (i32, i32) -> (i64)" in out
    refused = cli.cwd / "no_route.wat"
    refused.write_text('(module (memory (export "memory") 1))')
    code, found = cli.json("rules", "inspect", refused)
    assert (code, found["refused"], found["file"], found["rule"]) == (1, "export", str(refused), "no_route")
    assert "rule_v1_alloc" in found["message"]
    assert "add it" in found["hint"]
    code, found = cli.json("rules", "inspect", "nothing.wat")
    assert (code, found["refused"], found["message"]) == (1, "file", "cannot be read: No such file or directory")


def test_the_operators_table_is_applied(cli: Cli) -> None:
    operator(cli, 'limits = { fuel = 20_000_000 }\nconfig = { x = 1 }\ngrant = ["session"]')
    code, found = cli.json("rules", "inspect", "mine.wat", "--config", "config.toml")
    assert (code, found["limits"]["fuel"]["in_force"], found["settings"]["grant"]) == (0, 20_000_000, ["session"])
    code, found = cli.json("rules", "run", "mine.wat", "--config", "config.toml")
    assert '"config":{"x":1}' in found["saw"]
    code, found = cli.json("rules", "inspect", "mine.wat")
    assert (code, found["limits"]["fuel"]["in_force"]) == (0, 10_000_000)


def test_a_module_is_run(cli: Cli) -> None:
    request = cli.cwd / "request.json"
    request.write_text('{"request": {"model": "wasm-demo"}}')
    code, out, _ = cli("rules", "run", DEMO, "-i", request)
    assert code == 0
    assert out.startswith("rule: wasm-demo\ncode: route\nroute: anthropic,claude-sonnet-4-5\nreason: wasm_demo\n")
    code, found = cli.json("rules", "run", DEMO)
    assert (code, found["code"]) == (0, "abstain")
    code, found = cli.json("rules", "run", HOSTILE / "loop.wat")
    assert (code, found["code"]) == (0, "fuel")
    assert "the example request ends in fuel" in found["notes"][0]
    request.write_text("[]")
    code, _, err = cli("rules", "run", DEMO, "-i", request)
    assert (code, err.partition(": Expected")[0]) == (1, f"error: {request}: the request is not a JSON object")
    request.write_text('{"session": 7}')
    assert cli("rules", "bench", DEMO, "-i", request) == (
        1, "", f"error: {request}: the request cannot be shown to a rule: session is not a table\n",
    )  # fmt: skip
    assert cli("rules", "run", DEMO, "-i", "nothing.json")[0] == 1


def test_a_field_can_be_granted_for_one_run(cli: Cli) -> None:
    assert "last_user" not in cli.json("rules", "run", "mine.wat")[1]["saw"]
    code, found = cli.json("rules", "run", "mine.wat", "--grant", "request.last_user")
    assert (code, found["saw_text"]) == (0, True)
    assert '"last_user":"Why does the build fail?"' in found["saw"]
    code, found = cli.json("rules", "run", "mine.wat", "--grant", "request.everything")
    assert (code, found["message"]) == (1, "input or grant: 'request.everything' is no field of the request")


def test_a_target_that_nobody_configured_is_explained(cli: Cli) -> None:
    (cli.cwd / "elsewhere.wat").write_text(RULE)  # without the manifest that lists its route
    _, found = cli.json("rules", "run", "elsewhere.wat")
    assert found["code"] == "refused"
    assert "is not a configured target" in found["message"]
    assert found["next"].startswith("a proxy knows the targets of its configuration")
    assert "next" not in cli.json("rules", "run", "mine.wat")[1]


def test_a_rule_is_checked_against_the_configured_targets(cli: Cli) -> None:
    assert cli("rules", "check", "mine.wat") == (0, "mine.wat: 0 errors, 0 warnings\n", "")
    assert cli("rules", "check", "mine.wat", "--config", "config.toml")[0] == 0
    (cli.cwd / "mine.toml").write_text('routes = ["one,man"]\nprioritee = 1\n')
    code, out, _ = cli("rules", "check", "mine.wat", "--config", "config.toml")
    assert code == 1
    assert "error: mine.wat: rule mine: routes names 'one,man', which is no configured target [target]" in out
    assert "  next: write 'one,main', or add the model to its provider in the configuration" in out
    assert "warning: mine.wat: rule mine: mine.toml: unknown key 'prioritee', did you mean 'priority'?" in out
    code, found = cli.json("rules", "check", cli.cwd, "--config", "config.toml")
    assert (code, found["warnings"]) == (1, 1)
    assert {finding["code"] for finding in found["findings"]} == {"manifest", "target", "example_refused"}
    assert cli("rules", "check", "nothing.wat") == (1, "", "error: nothing.wat: No such file or folder\n")


def test_a_rule_is_tested(cli: Cli) -> None:
    code, out, _ = cli("rules", "test", "mine.wat")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "ok    case    always: route one,main"
    assert lines[1].startswith("ok    hostile ")
    assert lines[2].endswith("requests twice: equal bytes, equal fuel")
    assert lines[3].endswith(" passed, 0 failed")


def test_tests_ask_nobodys_configuration_unless_told_to(cli: Cli) -> None:
    operator(cli, 'routes = ["two,spare"]')
    assert cli("rules", "test", "mine.wat")[0] == 0
    code, out, _ = cli("rules", "test", "mine.wat", "--config", "config.toml")
    assert code == 1
    assert "FAIL  case    always: refused" in out
    assert "is not one of the manifest's routes" in out


def test_a_rule_that_fails_its_tests_exits_with_1(cli: Cli) -> None:
    (cli.cwd / "mine.toml").write_text(CASE.replace('"mine"', '"other"'))
    code, found = cli.json("rules", "test", "mine.wat")
    assert (code, found["failed"]) == (1, 1)
    [failed] = [check for check in found["checks"] if not check["ok"]]
    assert failed["message"] == "mine.wat: rule mine: reason is mine, expected other; mend the rule or the case"
    code, out, _ = cli("rules", "test", HOSTILE / "unreachable.wat")
    assert code == 1
    assert out.count("FAIL  hostile ") == 4  # the first three, and how many more
    assert "more: see --json" in out
    (cli.cwd / "bad.wat").write_text("(module)")
    code, found = cli.json("rules", "test", "bad.wat")
    assert (code, found["refused"]) == (1, "export")


def test_a_rule_is_measured(cli: Cli) -> None:
    code, found = cli.json("rules", "bench", "mine.wat", "--calls", "50")
    assert (code, found["calls"], found["code"]) == (0, 50, "route")
    assert list(found["micros"]) == list(found["calls_per_second"]) == ["fresh_inline", "worker_round_trip"]
    for percentiles in found["micros"].values():
        assert 0 < percentiles["p50"] <= percentiles["p99"]
    assert cli("rules", "bench", "mine.wat", "--calls", "0")[0] == 2
    (cli.cwd / "mine.toml").write_text("[limits]\nrequest = 9\n")
    code, found = cli.json("rules", "bench", "mine.wat")
    assert (code, found["refused"]) == (1, "skipped")


def test_a_broken_configuration_ends_with_78(cli: Cli) -> None:
    (cli.cwd / "config.toml").write_text("[server\n")
    for command in ("check", "test"):
        assert cli("rules", command, "mine.wat", "--config", "config.toml")[0] == 78, command
