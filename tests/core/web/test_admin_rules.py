"""Rules on the admin plane: shown, switched and moved, by the same file as the command line's."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from configs import HERE
from facts import ROOT
from proxy import PATIENCE_S, RunningProxy, running
from wasm_modules import answering
from wasm_modules import running as running_rule

BODY = {"model": "auto", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]}
TABLES = '[rules.guard]\nfail = "deny"\nallow_deny = true\n[rules.tried]\nmode = "shadow"\n'
FIELDS = {
    "name", "file", "sha256", "priority", "mode", "share", "enabled", "breaker", "outcomes", "fuel", "micros", "grants",
    "wants", "problem", "hidden_by", "rollout",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("plugins", "taxonomy"):
        (tmp_path / name).mkdir()
    plugins = tmp_path / "plugins"
    (plugins / "always.wat").write_text(answering('{"route":"here,b"}'))
    (plugins / "tried.wat").write_text(answering('{"route":"here,b"}') + ";;")
    (plugins / "guard.wat").write_text(running_rule("(i64.const 0)"))
    (plugins / "Broken.wat").write_text("(module")
    (tmp_path / "c.toml").write_text(HERE + TABLES)
    return tmp_path


@pytest.fixture
def proxy(folder: Path, clean_env: dict[str, str]) -> Iterator[RunningProxy]:
    with running(clean_env, "--config", str(folder / "c.toml")) as started:
        yield started


@pytest.fixture
def rule(proxy: RunningProxy) -> Callable[[str], dict[str, Any]]:
    return lambda name: next(row for row in shown(proxy)["rules"] if row["name"] == name)


def shown(proxy: RunningProxy) -> dict[str, Any]:
    answer = httpx.get(f"{proxy.url}/admin/rules", headers=proxy.admin)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def act(proxy: RunningProxy, name: str, action: str, **wish: Any) -> tuple[int, dict[str, Any]]:
    answer = httpx.post(f"{proxy.url}/admin/rules/{name}/{action}", headers=proxy.admin, json=wish)
    return answer.status_code, answer.json()


def reason(proxy: RunningProxy) -> str:
    return httpx.post(f"{proxy.url}/v1/messages", json=BODY).headers["x-terraphim-reason"]


def test_rules_are_shown_with_what_they_said_and_took(proxy: RunningProxy) -> None:
    assert [reason(proxy) for _ in range(3)] == ["rule:always"] * 3
    found = shown(proxy)
    rows = {row["name"]: row for row in found["rules"]}
    assert [row["name"] for row in found["rules"]] == ["always", "guard", "tried"]
    assert all(row.keys() >= FIELDS for row in rows.values())
    always = rows["always"]
    assert (always["mode"], always["enabled"], always["breaker"], always["file"]) == (
        "on",
        True,
        "closed",
        "always.wat",
    )
    assert (always["outcomes"], rows["guard"]["outcomes"], rows["tried"]["mode"]) == ({"route": 3}, {}, "shadow")
    assert 0 < always["fuel"]["mean"] <= always["fuel"]["max"]
    assert always["micros"]["p50"] <= always["micros"]["p99"]
    assert rows["guard"]["fuel"] == {"mean": None, "max": None}
    assert (rows["tried"]["rollout"]["stage"], rows["tried"]["rollout"]["set_by"]) == ("shadow", "configuration")
    [refused] = found["refused"]
    assert (refused["file"], "name is not allowed" in refused["message"]) == ("Broken.wat", True)
    assert (found["isolation"], found["workers"], found["order"][0]) == ("process", 2, "runtime")


def test_a_rule_is_switched_off_and_on_and_that_survives_a_restart(
    proxy: RunningProxy, folder: Path, clean_env: dict[str, str], rule: Callable[[str], dict[str, Any]]
) -> None:
    assert reason(proxy) == "rule:always"
    status, said = act(proxy, "always", "disable", reason="it trips")
    assert (status, said["rule"]["mode"], said["rule"]["enabled"]) == (200, "off", False)
    assert said["said"] == "always: enforce → off"
    [move] = said["rule"]["rollout"]["history"]
    assert (move["by"], move["why"], move["action"]) == ("admin", "it trips", "disable")
    assert reason(proxy) == "default", "the next request sees it"
    with running(clean_env, "--config", str(folder / "c.toml")) as again:
        assert reason(again) == "default"
        assert act(again, "always", "enable")[1]["said"] == "always: off → enforce"
        assert reason(again) == "rule:always"
    proxy.wait_for(event="rule_moved", action="enable")
    assert rule("always")["mode"] == "on"


def test_a_rule_is_promoted_step_by_step_and_rolled_back(proxy: RunningProxy) -> None:
    stages = [act(proxy, "tried", "promote")[1]["rule"] for _ in range(3)]
    assert [row["next"] for row in stages] == ["canary 25%", "enforce", None]
    assert [(row["mode"], row["share"]) for row in stages] == [("canary", 5.0), ("canary", 25.0), ("on", None)]
    status, said = act(proxy, "tried", "promote")
    assert (status, said["error"]["message"]) == (409, "tried decides for everybody already")
    back = act(proxy, "tried", "rollback", to="canary", share="10%")[1]["rule"]
    assert (back["mode"], back["share"], back["rollout"]["held"]) == ("canary", 10.0, True)
    assert act(proxy, "always", "disable")[0] == 200
    moves = {row["name"]: [move["action"] for move in row["rollout"]["history"]] for row in shown(proxy)["rules"]}
    assert moves == {"always": ["disable"], "guard": [], "tried": ["promote"] * 3 + ["rollback"]}


def test_what_cannot_be_is_said_and_changes_nothing(proxy: RunningProxy) -> None:
    before = shown(proxy)["rules"]
    wrong: tuple[tuple[str, str, dict[str, Any], int, str], ...] = (
        ("always", "enable", {}, 409, "always is on already: at enforce"),
        ("guard", "promote", {}, 409, "decides for everybody already"),
        ("alway", "disable", {}, 404, "did you mean always?"),
        ("always", "explode", {}, 404, "none of enable, disable, promote, rollback"),
        ("%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E", "disable", {}, 404, "there is no rule"),
        ("..%2f..%2fetc", "disable", {}, 404, ""),
        ("always", "disable", {"reason": 5}, 400, "reason"),
        ("always", "disable", {"reason": "x" * 501}, 400, "at most 500"),
        ("tried", "promote", {"to": "canary"}, 409, "needs a share"),
        ("tried", "promote", {"to": "enfroce"}, 409, "does not lead to 'enfroce', but to canary, enforce"),
        ("always", "rollback", {"to": "off"}, 409, "does not lead to 'off', but to shadow, canary, configured"),
        ("always", "disable", {"to": "shadow"}, 409, "disable does not lead to 'shadow'"),
    )
    for name, action, wish, status, words in wrong:
        found = act(proxy, name, action, **wish)
        assert (found[0], words in found[1]["error"]["message"]) == (status, True), (name, found)
    after = shown(proxy)["rules"]
    assert [(row["mode"], row["rollout"]["history"]) for row in after] == [(row["mode"], []) for row in before]


def test_who_switches_a_guard_off_is_told(proxy: RunningProxy) -> None:
    said = act(proxy, "guard", "disable")[1]["said"]
    assert 'fail = "deny"' in said


def test_of_many_clicks_at_once_each_is_one_move_or_a_clear_no(proxy: RunningProxy) -> None:
    with ThreadPoolExecutor(6) as pool:
        ended = list(pool.map(lambda _: act(proxy, "always", "disable"), range(6)))
    assert sorted(status for status, _ in ended) == [200] + [409] * 5
    refused = {said["error"]["message"] for status, said in ended if status == 409}
    assert refused <= {
        "always is off already", "always was moved meanwhile, and is at off: look at it, and try again",
    }  # fmt: skip
    assert len(next(row for row in shown(proxy)["rules"] if row["name"] == "always")["rollout"]["history"]) == 1


def test_a_rule_whose_file_has_gone_and_a_configuration_that_is_broken(proxy: RunningProxy, folder: Path) -> None:
    (folder / "c.toml").write_text("this is no configuration")
    status, said = act(proxy, "always", "disable")
    assert (status, said["rule"]["mode"]) == (200, "on")
    assert "cannot be read now: this counts as soon as it is mended" in said["said"]
    (folder / "c.toml").write_text(HERE + TABLES)
    (folder / "plugins" / "tried.wat").unlink()
    proxy.wait_for(event="snapshot_swapped", rules=["always", "guard"])
    assert act(proxy, "tried", "promote")[0] == 404
    assert reason(proxy) == "default"


def test_what_the_files_say_of_hiding_is_shown(folder: Path, clean_env: dict[str, str]) -> None:
    config = HERE.replace('default = "here,a"', 'default = "here,a"\n[routing.runtime]\nimage = "here,b"')
    (folder / "c.toml").write_text(config)
    (folder / "plugins" / "always.wat").write_text((ROOT / "plugins" / "wasm-demo.wat").read_text())
    with running(clean_env, "--config", str(folder / "c.toml")) as proxy:
        assert {row["hidden_by"] for row in shown(proxy)["rules"]} == {"runtime:image"}
        (folder / "plugins" / "always.wat").write_text("(module")

        def problem() -> str:
            return str(next(row["problem"] for row in shown(proxy)["rules"] if row["name"] == "always"))

        deadline = time.monotonic() + PATIENCE_S
        while "last good version keeps serving" not in problem():
            assert time.monotonic() < deadline
            time.sleep(0.05)
