"""The command as a user runs it, on records of a real proxy with a rule that reads words."""

import sqlite3
from pathlib import Path

import httpx
import pytest
from command import Cli
from proxy import running
from relived import CONFIG, READS, saved

TEXTS = ("hello", "do it on the cheap", "never mind")


def asked(session_env: dict[str, str], folder: Path, *, capture: bool) -> tuple[Cli, list[str]]:
    """A proxy has answered three requests; the ids, the first begun first."""
    for name in ("plugins", "taxonomy", "home"):
        (folder / name).mkdir()
    (folder / "config.toml").write_text(f"{CONFIG}[records]\ncapture = {str(capture).lower()}\n")
    (folder / "plugins" / "reads.wat").write_text(READS)
    (folder / "taxonomy" / "kind.md").write_text("# Kind\nroute:: here, b\nsynonyms:: on the cheap\n")
    env = {**session_env, "HOME": str(folder / "home")}
    with running(env, "--config", str(folder / "config.toml")) as proxy:
        ids = []
        for text in TEXTS:
            body = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": text}]}
            answer = httpx.post(f"{proxy.url}/v1/messages", json=body)
            ids.append(answer.raise_for_status().headers["x-terraphim-request-id"])
    return Cli({**env, "TERRAPHIM_CONFIG": str(folder / "config.toml")}, folder), ids


@pytest.fixture(scope="module")
def captured(session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Cli, list[str]]:
    return asked(session_env, tmp_path_factory.mktemp("captured"), capture=True)


@pytest.fixture(scope="module")
def bare(session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Cli, list[str]]:
    return asked(session_env, tmp_path_factory.mktemp("bare"), capture=False)


def test_captured_words_make_every_decision_equal(captured: tuple[Cli, list[str]]) -> None:
    cli, _ = captured
    code, facts = cli.json("replay")
    assert (code, facts["records"], facts["equal"], facts["differing"]) == (0, 3, 3, [])
    assert facts["sha256"]["recorded"] == facts["sha256"]["replayed"]
    assert facts["records_per_second"] > 0


def test_without_them_some_is_taken_and_none_differs(bare: tuple[Cli, list[str]]) -> None:
    cli, ids = bare
    code, out, err = cli("replay")
    assert (code, err) == (0, "")
    assert out.startswith("3 records: 0 equal, 3 partial, 0 differ, 0 not replayable (")
    assert "from the record 3  rule reads: its words were not captured" in out
    code, out, _ = cli("replay", ids[1], "--show")
    assert code == 0
    assert "pattern   decided   target=here,b" in out
    assert out.count('{"phase":"pattern","reason":"concept:kind"') == 2


def test_what_is_chosen(captured: tuple[Cli, list[str]]) -> None:
    cli, ids = captured
    code, facts = cli.json("replay", "--reason", "concept:")
    assert (code, facts["records"], facts["equal"]) == (0, 1, 1)
    assert cli.json("replay", "--until", "2026-01-01")[1]["records"] == 0
    code, found = cli.json("replay", ids[2], ids[0])
    assert (code, [each["request_id"] for each in found]) == (0, [ids[2], ids[0]])
    assert {each["verdict"] for each in found} == {"equal"}
    assert "bytes" not in found[0]
    code, _, err = cli("replay", "req_0")
    assert (code, err) == (1, "error: no record of req_0 is kept: see terraphim-proxy records list\n")
    code, _, err = cli("replay", "--show")
    assert (code, err) == (2, "error: --show needs the ids of requests\n")
    code, _, err = cli("replay", "--snapshot", "dead0000")
    assert (code, "no snapshot dead0000 is saved here" in err) == (1, True)


def test_an_export_is_replayed_too(captured: tuple[Cli, list[str]], tmp_path: Path) -> None:
    cli, ids = captured
    code, out, _ = cli("records", "export")
    assert code == 0
    code, facts = cli.json("replay", "--from", "-", stdin=out.encode())
    assert (code, facts["equal"]) == (0, 3)
    file = tmp_path / "changed.jsonl"
    file.write_text(out.replace('"effort":"none"', '"effort":"max"').replace('"reason":"default"', '"reason":"whim"'))
    code, facts = cli.json("replay", "--from", file)
    assert code == 1
    assert (facts["differs"], len(facts["differing"])) == (3, 3)
    code, found = cli.json("replay", ids[0], "--from", file)
    assert (code, found[0]["verdict"]) == (1, "differs")
    assert found[0]["differences"][0]["phase"] == "runtime"


def test_by_another_snapshot_on_purpose(captured: tuple[Cli, list[str]], tmp_path: Path) -> None:
    cli, _ = captured
    other, _ = saved(tmp_path, Path(cli.env["HOME"]), CONFIG.replace('default = "here,a"', 'default = "here,b"'))
    code, facts = cli.json("replay", "--snapshot", other.id)
    assert (code, facts["equal"], facts["differs"]) == (1, 1, 2)
    assert "here,b" in str(facts["differing"][0]["differences"][0]["replayed"])


def test_a_record_that_cannot_be_read_is_said(captured: tuple[Cli, list[str]], tmp_path: Path) -> None:
    cli, _ = captured
    home = Path(cli.env["HOME"])
    [file] = (home / ".local" / "state" / "terraphim-proxy" / "decisions").glob("*.db")
    whole = file.read_bytes()
    try:
        with sqlite3.connect(file) as connection:
            [table] = [
                name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                if "body" in str(connection.execute(f"PRAGMA table_info({name})").fetchall())
            ]  # fmt: skip
            connection.execute(f"UPDATE {table} SET body = x'00' WHERE number = 2")  # noqa: S608 - its own table
        connection.close()
        code, out, err = cli("replay")
        assert (code, out.split(":")[0]) == (1, "2 records")
        assert "records verify" in err
    finally:
        file.write_bytes(whole)
