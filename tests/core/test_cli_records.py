"""The commands as a user runs them, on records of a real proxy."""

import sqlite3
from pathlib import Path

import httpx
import msgspec
import pytest
from command import Cli
from proxy import running

from core.state.ledger import read

ASK = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "plum cake"}]}


@pytest.fixture(scope="module")
def used(session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Cli, list[str]]:
    """A state folder with three decisions, and their ids."""
    home = tmp_path_factory.mktemp("records")
    env = {**session_env, "HOME": str(home)}
    with running(env) as proxy:
        ids = [
            httpx.post(f"{proxy.url}/v1/messages", json=ASK | {"model": model}).headers["x-terraphim-request-id"]
            for model in ("auto", "openai,gpt-5-mini", "nobody,nothing")
        ]
        assert httpx.get(f"{proxy.url}/health").json()["decisions"] == "ok"
    return Cli(env, home), ids


@pytest.fixture
def folder(used: tuple[Cli, list[str]]) -> Path:
    return Path(used[0].env["HOME"]) / ".local" / "state" / "terraphim-proxy" / "decisions"


def test_the_newest_are_listed_first(used: tuple[Cli, list[str]]) -> None:
    cli, ids = used
    code, rows = cli.json("records", "list")
    assert (code, [row["request_id"] for row in rows]) == (0, ids[::-1])
    assert [(row["reason"], row["status"]) for row in rows] == [("explicit", 404), ("explicit", 200), ("default", 200)]
    _, rows = cli.json("records", "list", "--reason", "expl", "--limit", "1")
    assert [row["request_id"] for row in rows] == ids[2:]
    _, rows = cli.json("records", "list", "--target", "openai,gpt-5-mini", "--since", "1h", "--until", "2099-01-01")
    assert [row["request_id"] for row in rows] == ids[1:2]
    for none in (("--until", "2026-01-01"), ("--session", "x"), ("--rule", "x")):
        assert cli.json("records", "list", *none) == (0, [])
    code, out, _ = cli("records", "list")
    assert [line.split()[1] for line in out.splitlines()] == ids[::-1]
    assert cli("records", "list", "--since", "yesterday")[0] == 2


def test_one_is_shown_whole(used: tuple[Cli, list[str]], folder: Path) -> None:
    cli, ids = used
    code, out, _ = cli("records", "show", ids[0])
    shown = msgspec.json.decode(out)
    assert (code, shown["number"], shown["record"]["request_id"]) == (0, 1, ids[0])
    assert "plum" not in out
    code, _, err = cli("records", "show", "req_0")
    assert (code, "records list" in err) == (1, True)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_an_export_is_verified_like_the_ledger(used: tuple[Cli, list[str]], folder: Path, tmp_path: Path) -> None:
    cli, ids = used
    code, head, _ = cli("records", "head")
    (tmp_path / "heads").write_text(head)
    assert cli("records", "export", tmp_path / "all.jsonl")[0] == 0
    assert (tmp_path / "all.jsonl").stat().st_mode & 0o777 == 0o600
    for what in ((), (tmp_path / "all.jsonl",)):
        code, out, _ = cli("records", "verify", *what, "--head", tmp_path / "heads")
        assert (code, out.splitlines()[0]) == (0, "3 records in 1 files: as they were written")
    assert cli("records", "verify", "--head", head.strip())[0] == 0
    assert cli("records", "verify", "--head", "7")[0] == 2
    changed = (tmp_path / "all.jsonl").read_bytes().replace(b'"status":404', b'"status":200')
    (tmp_path / "changed.jsonl").write_bytes(changed)
    code, found = cli.json("records", "verify", tmp_path / "changed.jsonl")
    assert (code, [fault["request_id"] for fault in found["faults"]]) == (1, ids[2:])
    code, _, err = cli("records", "verify", tmp_path / "heads")
    assert (code, "export of records" in err) == (1, True)
    code, out, _ = cli("records", "export", "--reason", "default")
    assert [line.count('"record":') for line in out.splitlines()] == [0, 0, 1]


def test_what_was_changed_is_said(used: tuple[Cli, list[str]], folder: Path) -> None:
    cli, ids = used
    [path] = folder.glob("*.db")
    before = list(read(folder))
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE records SET number = number + 1 WHERE number = 3")
    code, out, _ = cli("records", "verify")
    assert code == 1
    assert out.splitlines()[0] == f"{path.stem}, record 4 ({ids[2]}): record 3 is missing before it"
    with connection:
        connection.execute("UPDATE records SET number = number - 1 WHERE number = 4")
    connection.close()
    assert cli("records", "verify")[0] == 0
    assert list(read(folder)) == before


def test_nothing_is_recorded(cli_without: Cli) -> None:
    code, _, err = cli_without("records", "list")
    assert (code, "records.decisions = false" in err) == (1, True)


@pytest.fixture
def cli_without(clean_env: dict[str, str], tmp_path: Path) -> Cli:
    return Cli({**clean_env, "TERRAPHIM_RECORDS__DECISIONS": "false"}, tmp_path)
