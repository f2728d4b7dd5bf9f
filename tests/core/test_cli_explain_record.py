"""`explain RECORD` in a real process, of requests that a real proxy decided."""

import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from command import Cli
from proxy import running
from relived import READS, TEXT, live, ruled

from core.cli_explain_record import of_record
from core.explain.people import text

ASK = {
    "model": "auto",
    "max_tokens": 500,
    "messages": [{"role": "user", "content": "Keep the zebra cheap: keep it cheap."}],
}
WISH = "nobody may read this wish"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recorded")


@pytest.fixture(scope="module")
def env(home: Path, session_env: dict[str, str]) -> dict[str, str]:
    return {**session_env, "HOME": str(home), "COLUMNS": "90"}


@pytest.fixture(scope="module")
def request_id(env: dict[str, str]) -> str:
    """A request on record: answered by the embedded default, which plays its answers."""
    with running(env) as proxy:
        answer = httpx.post(f"{proxy.url}/v1/messages", json=ASK, headers={"x-claude-code-session-id": "s1"})
        assert answer.status_code == 200
        return answer.headers["x-terraphim-request-id"]


def test_a_request_on_record_is_explained_with_its_result(env: dict[str, str], home: Path, request_id: str) -> None:
    cli = Cli(env, home)
    code, found = cli.json("explain", request_id)
    assert (code, found["decision"]["reason"]) == (0, "concept:use_the_cheapest_model")
    assert found["record"]["request_id"] == request_id
    assert "without_snapshot" not in found["record"]
    assert found["result"]["status"] == 200
    assert found["result"]["simulated"] is True
    assert found["result"]["answered_by"] == found["decision"]["candidates"][0]["target"]
    assert [phase["phase"] for phase in found["phases"]][:4] == ["explicit", "runtime", "custom", "pattern"]
    code, out, _ = cli("explain", request_id)
    assert code == 0
    assert "without captured text" in out
    assert "result    200" in out
    assert max(map(len, out.splitlines())) <= 90


def test_it_shows_positions_and_no_words(env: dict[str, str], home: Path, request_id: str) -> None:
    _, found = Cli(env, home).json("explain", request_id)
    [pattern] = [phase for phase in found["phases"] if phase["phase"] == "pattern"]
    assert pattern["matches"][0]["spans"] == [{"start": 22, "end": 35}]
    _, out, _ = Cli(env, home)("explain", request_id)
    assert "zebra" not in str(found) + out
    assert "keep it cheap" not in (str(found) + out).lower()
    assert found["features"]["last_user"] == "36 characters"
    [pattern] = [phase for phase in found["phases"] if phase["phase"] == "pattern"]
    assert pattern["looked_at"]["characters"] == 36


def test_without_its_snapshot_it_says_what_the_record_says(env: dict[str, str], home: Path, request_id: str) -> None:
    [snapshots] = home.glob("**/snapshots")
    away = snapshots.rename(home / "away")
    try:
        code, found = Cli(env, home).json("explain", request_id)
        assert (code, found["decision"]["reason"]) == (0, "concept:use_the_cheapest_model")
        assert "is saved here" in found["record"]["without_snapshot"]
        assert found["decision"]["candidates"][0]["expected"]["micro_usd"] is None
        assert "what the record says alone" in Cli(env, home)("explain", request_id)[1]
    finally:
        shutil.rmtree(snapshots, ignore_errors=True)
        away.rename(snapshots)


def test_what_is_not_on_record(env: dict[str, str], home: Path, request_id: str) -> None:
    cli = Cli(env, home)
    code, out, _ = cli("explain", "req_" + "0" * 32)
    assert code == 1
    assert out.startswith(f"error: no request req_{'0' * 32} is on record in {home}")
    code, _, err = cli("explain", request_id, "--key", "ci")
    assert (code, err) == (2, "error: --dialect, --key and --session: a request on record has its own\n")
    (home / "off.toml").write_text(
        '[providers.a]\ndialect = "loopback"\n[routing]\ndefault = "a,b"\n[records]\nstore = "none"\n'
    )
    code, out, _ = cli("explain", request_id, "--config", "off.toml")
    assert (code, out) == (1, "error: decisions are not recorded: set records.store and records.decisions\n")


@pytest.mark.parametrize("capture", [True, False])
def test_captured_words_are_shown_and_others_are_not_there(tmp_path: Path, capture: bool) -> None:
    shot = ruled(tmp_path, {"reads": READS}, {"reads": TEXT})
    record = live(shot, last_user=f"{WISH} on the cheap", capture=capture)
    found: dict[str, Any] = of_record(record, shot)
    [pattern] = [phase for phase in found["phases"] if phase["phase"] == "pattern"]
    words = [span.get("words") for span in pattern["matches"][0]["spans"]]
    assert words == (["on the cheap"] if capture else [None])
    assert found["record"]["captured"] is capture
    assert WISH not in str(found) + text(found)
    assert found["result"]["usd"] is None
