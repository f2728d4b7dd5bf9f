"""`backtest`, as a user calls it, over generated traffic."""

import re
from pathlib import Path

import pytest
from command import Cli
from documents import DOCS, blocks
from facts import ROOT

from core.lab.traffic import Mix
from prove.expected_backtest import RULE
from prove.recorded import record

CONFIG = f"""\
[providers.anthropic]
dialect = "anthropic"
models = {{ "claude-sonnet-4-5" = {{}}, "claude-haiku-4-5" = {{}} }}
[routing]
default = "anthropic,claude-sonnet-4-5"
[taxonomy]
dir = "{ROOT / "taxonomy"}"
"""


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A home with 160 recorded requests, a configuration and a candidate."""
    home = tmp_path_factory.mktemp("home")
    (home / "plugins").mkdir()
    (home / "config.toml").write_text(CONFIG + '[plugins]\ndir = "plugins"\n')
    (home / "thrift.wat").write_text(RULE)
    env = record(home, home / "config.toml", 3, 160, Mix(users=6))
    return Cli({**env, "TERRAPHIM_CONFIG": str(home / "config.toml")}, home)


def test_a_rule_is_tried_on_what_was_recorded(cli: Cli) -> None:
    code, found = cli.json("backtest", "--with", "thrift.wat")
    assert code == 0
    assert (found["records"], found["replayable"], found["candidate"]) == (160, 100.0, ["thrift.wat"])
    assert 0 < found["flips"] < 160
    [rule] = found["rules"]
    assert rule["decided"][1] == found["flips"] + sum(change["count"] for change in found["by_reason"])
    assert found["cost"]["requests"] == 160
    assert found["cost"]["days"][0][0] == "2026-03-02"


def test_the_same_bytes_again_and_from_an_export(cli: Cli) -> None:
    _, first, rate = cli("backtest", "--with", "thrift.wat", "--json")
    assert "160 records, " in rate
    _, second, _ = cli("backtest", "--with", "thrift.wat", "--json", "--cores", "1")
    assert first == second
    assert cli("records", "export", "all.jsonl")[0] == 0
    _, third, _ = cli("backtest", "--with", "thrift.wat", "--json", "--from", "all.jsonl")
    assert first == third


def test_records_are_chosen(cli: Cli) -> None:
    _, some = cli.json("backtest", "--with", "thrift.wat", "--limit", "30")
    assert some["records"] == 30
    example = some["by_target"][0]["examples"][-1]
    _, one = cli.json("backtest", "--with", "thrift.wat", "--session", example["session"])
    assert 0 < one["records"] < 160
    _, until = cli.json("backtest", "--with", "thrift.wat", "--until", example["time"])
    assert until["records"] < 160
    code, _, said = cli("backtest", "--with", "thrift.wat", "--key", "nobody")
    assert (code, "there is no such record" in said) == (1, True)


@pytest.mark.parametrize(
    ("option", "text", "code"),
    [
        ("--max-flips", "100%", 0),
        ("--max-flips", "0.1%", 1),
        ("--max-flips", "few", 2),
    ],
)
def test_bounds_are_the_exit_code(cli: Cli, option: str, text: str, code: int) -> None:
    found, _, said = cli("backtest", "--with", "thrift.wat", "--limit", "50", option, text)
    assert found == code
    assert (f"exceeded: {option} {text}: it is " in said) == (code == 1)


def test_reports_are_written(cli: Cli) -> None:
    code, said, _ = cli("backtest", "--with", "thrift.wat", "--limit", "50", "--markdown", "b.md", "--html", "b.html")
    assert code == 0
    assert said.startswith("thrift.wat against what was decided\n")
    assert (cli.cwd / "b.md").read_text().startswith("### Backtest of thrift.wat\n")
    assert (cli.cwd / "b.html").read_text().startswith("<!doctype html>")
    _, printed, _ = cli("backtest", "--with", "thrift.wat", "--limit", "50", "--markdown", "-")
    assert printed == (cli.cwd / "b.md").read_text()


def test_the_present_configuration_is_a_candidate_too(cli: Cli, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(CONFIG.replace('default = "anthropic,claude-sonnet', 'default = "anthropic,claude-haiku'))
    ledger = cli.cwd / ".local/state/terraphim-proxy/decisions"
    other.write_text(f'{other.read_text()}[records]\ndecisions_dir = "{ledger}"\n[plugins]\ndir = "{tmp_path}"\n')
    code, found = cli.json("backtest", "--base", "current", "--config", other)
    assert (code, found["candidate"], found["base"]) == (0, ["the present configuration"], "current")
    assert found["by_target"][0]["after"] == "anthropic,claude-haiku-4-5"


def test_wrong_use_is_said(cli: Cli) -> None:
    (cli.cwd / "wrong.toml").write_text('[routing]\ndefault = "nobody,x"\n')
    (cli.cwd / "bad.wat").write_text("(module")
    for args, code, why in (
        ((), 2, "give a candidate"),
        (("--with", "gone.wat"), 1, "No such file"),
        (("--with", "bad.wat"), 1, "bad.wat: "),
        (("--with", "wrong.toml"), 78, "providers: is missing"),
        (("--with", "thrift.wat", "--json", "--html", "-"), 2, "only one of"),
        (("--with", "thrift.wat", "--html", "nowhere/b.html", "--limit", "5"), 1, "nowhere/b.html: "),
    ):
        found, _, said = cli("backtest", *args)
        assert (found, why in said) == (code, True), (args, said)


def test_what_a_candidate_was_not_granted_is_noted(cli: Cli) -> None:
    (cli.cwd / "thrift.toml").write_text('[rule]\ninput = ["request.last_user"]\n')
    try:
        _, _, said = cli("backtest", "--with", "thrift.wat", "--limit", "5")
    finally:
        (cli.cwd / "thrift.toml").unlink()
    assert "note: thrift: request.last_user is declared but not granted" in said


def test_the_transcript_of_the_guide_runs(cli: Cli) -> None:
    """The figures are those of whoever runs it; the lines are these."""
    [transcript] = [block.text for block in blocks(DOCS / "rules.md", "console") if "backtest" in block.text]
    command, *shown = transcript.splitlines()
    assert command.startswith("$ terraphim-proxy backtest --with cheap_chat.wat ")
    _, said, _ = cli("backtest", "--with", "thrift.wat", *command.split()[5:])
    labels = [found[1] for line in shown if (found := re.match(r"  ([a-z][a-z, ]+[a-z])  ", line))]
    assert len(labels) == 8
    assert [label for label in labels if f"\n  {label}  " not in said] == []
