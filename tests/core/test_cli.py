"""The commands as a user runs them, each in a process of its own with a clean environment."""

import signal
import socket
from pathlib import Path

import httpx
import msgspec
import pytest
from command import Cli
from facts import ROOT
from proxy import PATIENCE_S, running

from core import __version__

GOOD = """\
[providers.mine]
dialect = "openai"
base_url = "http://127.0.0.1:9/v1"
allow_private = true
api_key = { env = "MINE_KEY" }
[providers.mine.models.m]
context_window = 1000
[routing]
default = "mine,m"
[routing.runtime]
background = "mine,m"
[plugins]
dir = "plugins"
[taxonomy]
dir = "taxonomy"
"""
CONCEPT = """\
# Less
synonyms:: use the small one
route:: mine, m
example:: Please use the small one.
not:: The small one is old.
"""
ASK = b'{"model": "auto", "messages": [{"role": "user", "content": "hello"}]}'
DEMO = ROOT / "plugins" / "wasm-demo.wat"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration with one rule and one concept."""
    (tmp_path / "config.toml").write_text(GOOD)
    for name in ("plugins", "taxonomy"):
        (tmp_path / name).mkdir()
    (tmp_path / "plugins" / "wasm-demo.wat").write_text(DEMO.read_text())
    (tmp_path / "taxonomy" / "frugal_choice.md").write_text(CONCEPT)
    return tmp_path


@pytest.fixture
def cli(clean_env: dict[str, str], folder: Path) -> Cli:
    return Cli({**clean_env, "MINE_KEY": "sk-canary"}, folder)


@pytest.fixture
def fresh(cli: Cli) -> Cli:
    """The same as a user starts them: each in an interpreter of its own."""
    return Cli(cli.env, cli.cwd, fresh=True)


def test_version_and_help(fresh: Cli) -> None:
    assert fresh("--version") == (0, f"terraphim-proxy {__version__}\n", "")
    code, out, _ = fresh("--help")
    assert code == 0
    assert all(name in out for name in ("serve", "check", "explain", "rules", "taxonomy", "config"))
    assert fresh("nonsense")[0] == 2
    assert fresh("serve", "--port", "65536")[0] == 2


def test_check_of_a_good_configuration(cli: Cli) -> None:
    code, out, _ = cli("check", "--config", "config.toml")
    assert (code, out.startswith("snapshot ")) == (0, True)
    assert out.endswith("targets 1, rules 1, concepts 1\n")
    code, found = cli.json("check", "--config", "config.toml")
    assert (code, found["problems"], found["rules"]) == (0, [], 1)


def test_check_reports_all_mistakes_of_a_configuration(cli: Cli, folder: Path) -> None:
    (folder / "config.toml").write_text(GOOD.replace("dialect", "dialct").replace("context_window", "context_windw"))
    code, out, _ = cli("check", "--config", "config.toml")
    assert code == 78
    assert "config.toml:2: providers.mine.dialct: unknown key (did you mean 'dialect'?)" in out
    assert "config.toml:7: providers.mine.models.m.context_windw: unknown key" in out
    code, found = cli.json("check", "--config", "config.toml")
    assert code == 78
    assert {problem["line"] for problem in found["problems"]} >= {2, 7}


def test_check_names_bad_rules_and_bad_concepts(cli: Cli, folder: Path) -> None:
    (folder / "plugins" / "broken.wat").write_text("(module (broken")
    (folder / "taxonomy" / "frugal_choice.md").write_text(CONCEPT + "priority:: 500\n")
    code, out, _ = cli("check", "--config", "config.toml")
    assert code == 1
    assert "broken.wat: the text is not valid" in out
    assert "frugal_choice.md:6: priority" in out


def test_a_missing_key_is_a_warning(cli: Cli) -> None:
    del cli.env["MINE_KEY"]
    code, out, _ = cli("check", "--config", "config.toml")
    assert code == 0
    assert "provider 'mine' has no key: MINE_KEY is empty or not there" in out


def test_what_serve_cannot_use_it_refuses_before_it_listens(cli: Cli, folder: Path) -> None:
    code, out, err = cli("serve", "--config", "nothing.toml")
    assert (code, out) == (78, "")
    assert "nothing.toml" in err
    code, _, err = cli("serve", "--host", "192.0.2.1")
    assert code == 78
    assert "needs at least one [[server.keys]]" in err
    (folder / "config.toml").chmod(0o666)
    code, _, err = cli("serve", "--config", "config.toml")
    assert code == 78
    assert "chmod go-w" in err


def test_a_port_in_use_is_said(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = cli("serve", "--config", "config.toml", "--port", str(port))
    assert code == 1
    assert f"error: cannot listen on 127.0.0.1:{port}: Address already in use. Try --port.\n" in err


def test_serving_protects_its_memory_and_says_so(clean_env: dict[str, str]) -> None:
    with running(clean_env) as proxy:
        lines = httpx.get(f"{proxy.url}/metrics", timeout=PATIENCE_S).text.splitlines()
    assert 'terraphim_rule_hardening{layer="proxy_memory"} 1.0' in lines


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_serve_after_its_last_log_line(clean_env: dict[str, str], ending: signal.Signals) -> None:
    with running(clean_env, fresh=True) as proxy:
        answer = httpx.post(
            f"{proxy.url}/v1/chat/completions", content=ASK, headers={"content-type": "application/json"}
        )
        proxy.process.send_signal(ending)
        assert proxy.process.wait(PATIENCE_S) == 0
        assert proxy.wait_for(event="request")["request_id"] == answer.headers["x-terraphim-request-id"]


def test_explain_a_file_and_standard_input(cli: Cli, folder: Path) -> None:
    (folder / "body.json").write_bytes(ASK)
    from_file = cli("explain", folder / "body.json", "--config", "config.toml")
    code, out, _ = cli("explain", "-", "--config", "config.toml", stdin=ASK)
    assert code == from_file[0] == 0
    for text in (out, from_file[1]):
        assert text.startswith("mine,m   phase default, reason default\n")
        assert "      wasm-demo   abstain, fuel " in text
    code, found = cli.json("explain", "-", "--config", "config.toml", stdin=ASK.replace(b"hello", b"use the small one"))
    assert (code, found["decision"]["reason"]) == (0, "concept:frugal_choice")
    assert [step["phase"] for step in found["trace"]] == ["runtime", "custom", "pattern"]


def test_explain_a_request_of_a_session(cli: Cli) -> None:
    words = b"word " * 9000 + b"review this thoroughly"
    said = '{"turns": 12, "last_target": "anthropic,claude-sonnet-4-6", "cached_prefix_tokens": 8000}'
    code, found = cli.json("explain", "-", "--session", said, stdin=ASK.replace(b"hello", words))
    assert (code, found["decision"]["phase"], found["decision"]["reason"]) == (
        0,
        "pattern",
        "sticky:thorough_code_review",
    )
    [line] = [step for step in found["trace"] if step["phase"] == "sticky"]
    figures = line["detail"]
    assert (line["outcome"], figures["why"], figures["cached_tokens"]) == ("stayed", "cheaper to stay", 8000)
    assert 0 < figures["stay_micro_usd"] < figures["leave_micro_usd"]
    code, out, _ = cli("explain", "-", "--session", said, stdin=ASK.replace(b"hello", words))
    assert f"({figures['stay_micro_usd']} micro-USD)" in " ".join(out.split())
    for wrong in ("{", "[]", '{"turns": -1}', '{"turns": "many"}'):
        code, _, err = cli("explain", "-", "--session", wrong, stdin=ASK)
        assert (code, err.startswith("error: --session: ")) == (2, True), wrong


def test_explain_refuses_with_the_reason(cli: Cli) -> None:
    code, out, _ = cli("explain", "-", "--config", "config.toml", stdin=ASK.replace(b"auto", b"nobody,m"))
    assert code == 1
    assert out.startswith("refused with 404: model: no provider 'nobody' is configured")
    code, out, _ = cli("explain", "-", "--config", "config.toml", stdin=b"{")
    assert (code, out.startswith("error: body: not valid JSON")) == (1, True)
    code, found = cli.json("explain", "-", "--dialect", "x", "--config", "config.toml", stdin=ASK)
    assert (code, found) == (1, {"error": {"message": "dialect 'x' is not one of anthropic, openai, openai-responses"}})
    code, _, err = cli("explain", "nothing.json")
    assert (code, err) == (1, "error: nothing.json: No such file or directory\n")


def test_rules_are_listed_with_what_was_refused_and_what_hides_them(cli: Cli, folder: Path) -> None:
    code, out, _ = cli("rules", "list", "--config", "config.toml")
    assert code == 0
    assert out.splitlines()[1].split()[:5] == ["wasm-demo", "50", "enforce", "default", "yes"]
    assert "note: runtime routes (background) are asked before the rules and can hide them" in out
    (folder / "plugins" / "broken.wat").write_text("(module (broken")
    (folder / "config.toml").write_text(GOOD + "[rules.absent]\npriority = 1\n[rules.wasm-demo]\npriority = 7\n")
    code, out, _ = cli("rules", "list", "--config", "config.toml")
    assert code == 1
    assert "note: [rules.absent]: there is no such module in the plugins folder" in out
    assert "broken.wat: the text is not valid" in out
    code, found = cli.json("rules", "list", "--config", "config.toml")
    assert (code, [(rule["name"], rule["priority"]) for rule in found["rules"]]) == (1, [("wasm-demo", 7)])


def test_the_taxonomy_is_linted(cli: Cli, folder: Path) -> None:
    assert cli("taxonomy", "lint", "--config", "config.toml") == (0, "1 files, 0 findings\n", "")
    (folder / "taxonomy" / "frugal_choice.md").write_text(CONCEPT.replace(", m", ", n").replace("use the ", ""))
    code, out, _ = cli("taxonomy", "lint", "--config", "config.toml")
    assert code == 1
    assert out == (
        "frugal_choice.md:3: mine,n is not configured, the route is skipped (did you mean mine,m?)\n"
        "1 files, 1 findings\n"
    )


def test_the_taxonomy_is_tested(cli: Cli, folder: Path) -> None:
    assert cli("taxonomy", "test", "--config", "config.toml") == (0, "2 passed, 0 failed\n", "")
    (folder / "taxonomy" / "frugal_choice.md").write_text(
        CONCEPT.replace("Please use the small one.", "Something else.")
    )
    code, out, _ = cli("taxonomy", "test", "--config", "config.toml")
    assert code == 1
    assert out.startswith("frugal_choice.md:4: example:: 'Something else.' leads to nothing, not to frugal_choice")
    assert out.endswith("1 passed, 1 failed\n")
    code, out, err = cli("taxonomy", "test", "--taxonomy", "nothing")
    assert (code, out) == (1, "")
    assert "there is no such folder" in err


def test_the_configuration_in_force_is_shown_without_secrets(cli: Cli, folder: Path) -> None:
    assert cli("config", "path") == (0, "none: the embedded default\n", "")
    assert cli("config", "path", "--config", "config.toml") == (0, "config.toml\n", "")
    code, out, _ = cli("config", "show", "--config", "config.toml")
    shown = msgspec.json.decode(out)
    assert code == 0
    assert shown["providers"]["mine"]["api_key"] == {"env": "MINE_KEY", "file": None}
    assert shown["plugins"]["dir"] == str(folder / "plugins")
    assert shown["routing"]["order"] == ["runtime", "custom", "pattern", "default"]
    assert "sk-canary" not in out
