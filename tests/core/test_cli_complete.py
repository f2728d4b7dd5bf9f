from pathlib import Path

import httpx
import pytest
from command import Cli
from configs import write_config
from proxy import RunningProxy


@pytest.fixture
def cli(clean_env: dict[str, str], tmp_path: Path) -> Cli:
    config = write_config(tmp_path, "http://127.0.0.1:9")
    (tmp_path / "plugins" / "cheap.wat").write_text("(module)")
    (tmp_path / "plugins" / "night.wasm").write_bytes(b"")
    return Cli(clean_env | {"TERRAPHIM_CONFIG": str(config)}, tmp_path)


def offered(cli: Cli, line: str) -> list[str]:
    """What bash is told for a line whose last word is being written."""
    words = line.split(" ")
    env = cli.env | {
        "_TERRAPHIM_PROXY_COMPLETE": "complete_bash",
        "COMP_WORDS": f"terraphim-proxy {line}",
        "COMP_CWORD": str(len(words)),
    }
    program = "import sys; sys.argv[0] = 'terraphim-proxy'; from core.cli import main; main()"
    found = Cli(env, cli.cwd).python(program)
    assert found[2] == "", "nothing may be written on the line"
    return found[1].split()


def test_commands_and_options(cli: Cli) -> None:
    assert offered(cli, "sta") == ["statusline"]
    assert "--class" in offered(cli, "run --")


def test_rules_targets_and_snapshots(cli: Cli) -> None:
    assert offered(cli, "rules status ") == ["cheap", "night"]
    assert offered(cli, "rules promote ch") == ["cheap"]
    assert "one,main" in offered(cli, "records list --target one,")
    assert cli("snapshot", "save")[0] == 0
    [saved] = offered(cli, "snapshot diff ")
    assert cli("snapshot", "diff", saved)[0] == 0


def test_requests_on_record(cli: Cli, embedded: RunningProxy, session_env: dict[str, str]) -> None:
    body = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    answer = httpx.post(f"{embedded.url}/v1/messages", json=body)
    cli.env["XDG_STATE_HOME"] = f"{session_env['HOME']}/.local/state"
    embedded.wait_for(request_id=answer.headers["x-terraphim-request-id"])
    for _ in range(200):
        if (known := offered(cli, "records show req_")) and answer.headers["x-terraphim-request-id"] in known:
            break
    assert answer.headers["x-terraphim-request-id"] in offered(cli, "explain req_")


def test_what_cannot_be_read_is_not_offered(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[[[ broken")
    for line in ("rules status ", "records list --target ", "records show ", "replay --snapshot "):
        assert offered(cli, line) == []
