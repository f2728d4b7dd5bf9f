"""Clients with keys of their own: who may come in, what they may ask, and how their keys are exchanged."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from command import Cli
from proxy import PATIENCE_S, RunningProxy, running

from core.errors import TYPE_OF_STATUS

CONFIG = """\
[[server.keys]]
name = "all"
key = { env = "ALL_KEY" }
[[server.keys]]
name = "ci"
keys = [{ file = "ci-a.key" }, { file = "ci-b.key" }]
targets = ["a,*", "C,D"]
[providers.a]
dialect = "loopback"
models = { b = {}, e = {} }
[providers.c]
dialect = "loopback"
models = { d = {}, f = {} }
[routing]
default = "c,f"
fallback = ["a,b"]
[plugins]
dir = "plugins"
[taxonomy]
dir = "taxonomy"
"""
ALL, CI_A, CI_B = "key-of-all-0123456789", "first-key-of-ci-012345", "second-key-of-ci-01234"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("config")
    for name in ("plugins", "taxonomy"):
        (folder / name).mkdir()
    for name, secret in (("ci-a.key", CI_A), ("ci-b.key", CI_B)):
        (folder / name).write_text(f"{secret}\n")
        (folder / name).chmod(0o600)
    (folder / "config.toml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="module")
def guarded(folder: Path, session_env: dict[str, str]) -> Iterator[RunningProxy]:
    with running({**session_env, "ALL_KEY": ALL}, "--config", str(folder / "config.toml")) as proxy:
        yield proxy


def ask(proxy: RunningProxy, key: str = CI_A, model: str = "auto", path: str = "/v1/messages") -> httpx.Response:
    body = {"model": model, "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"x-api-key": key} if key else {}
    return httpx.post(proxy.url + path, json=body, headers=headers)


def message_of(response: httpx.Response, status: int) -> str:
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (status, TYPE_OF_STATUS[status])
    message: str = error["message"]
    return message


def answered(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return f"{response.headers['x-terraphim-provider']},{response.headers['x-terraphim-model']}"


def test_each_secret_of_a_name_is_its_client(guarded: RunningProxy) -> None:
    assert [answered(ask(guarded, key)) for key in (ALL, CI_A, CI_B)] == ["c,f", "a,b", "a,b"]
    clients = [guarded.wait_for(event="request", client=name)["client"] for name in ("all", "ci")]
    assert clients == ["all", "ci"]


@pytest.mark.parametrize("key", ["", "wrong", CI_A[:-1], f"{CI_A}x", "ci"])
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions", "/v1/route", "/v1/messages/count_tokens"])
def test_without_a_key_nobody_comes_in(guarded: RunningProxy, path: str, key: str) -> None:
    response = ask(guarded, key, path=path)
    assert "key" in message_of(response, 401)
    assert response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/a,b"])
def test_the_models_need_a_key_too(guarded: RunningProxy, path: str) -> None:
    assert httpx.get(guarded.url + path).status_code == 401
    twice = [("x-api-key", CI_A), ("x-api-key", CI_A)]
    assert httpx.get(guarded.url + path, headers=twice).status_code == 401
    assert httpx.get(guarded.url + path, headers={"x-api-key": CI_A}).status_code == 200


def test_a_key_is_shown_the_models_that_it_may_ask(guarded: RunningProxy) -> None:
    def listed(key: str) -> list[str]:
        answer = httpx.get(f"{guarded.url}/v1/models", headers={"authorization": f"Bearer {key}"}).json()
        return [model["id"] for model in answer["data"]]

    assert listed(ALL) == ["auto", "a,b", "a,e", "c,d", "c,f"]
    assert listed(CI_B) == ["auto", "a,b", "a,e", "c,d"]
    one = httpx.get(f"{guarded.url}/v1/models/c,f", headers={"x-api-key": CI_A})
    assert "key 'ci' may not ask c,f" in message_of(one, 403)


@pytest.mark.parametrize("model", ["c,f", "C:F"])
def test_a_named_target_that_is_not_the_keys_is_forbidden(guarded: RunningProxy, model: str) -> None:
    said = message_of(ask(guarded, model=model), 403)
    assert said == (
        "key 'ci' may not ask c,f: its server.keys[].targets are a,*, C,D. GET /v1/models lists what it may ask."
    )
    assert answered(ask(guarded, ALL, model)) == "c,f"
    assert answered(ask(guarded, model="c,d")) == "c,d"


def test_counting_asks_nobody_and_is_open_to_every_key(guarded: RunningProxy) -> None:
    assert ask(guarded, model="c,f", path="/v1/messages/count_tokens").status_code == 200


def test_the_explanation_shows_what_was_turned_away(
    guarded: RunningProxy, session_env: dict[str, str], folder: Path
) -> None:
    shown = ask(guarded, path="/v1/route?dialect=anthropic").json()
    assert shown["features"]["allowed"] == ["a,*", "C,D"]
    assert removed(shown) == [{"target": "c,f", "why": ["the client's key may not ask it"]}]
    (folder / "body.json").write_text('{"model": "auto", "messages": [{"role": "user", "content": "hello"}]}')
    explain = ("explain", folder / "body.json", "--config", folder / "config.toml")
    cli = Cli({**session_env, "ALL_KEY": ALL}, folder)
    assert removed(cli.json(*explain, "--key", "ci")[1]) == removed(shown)
    assert removed(cli.json(*explain)[1]) == []
    code, _, said = cli(*explain, "--key", "nobody")
    assert (code, said) == (2, "error: no client's key is named 'nobody'; there are: all, ci\n")


def removed(shown: dict[str, Any]) -> list[dict[str, Any]]:
    return [step["detail"] for step in shown["trace"] if step["outcome"] == "removed"]


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions", "/v1/route"])
@pytest.mark.parametrize("model", ["{},m", "a,{}", "a:{}", "{}:x"])
def test_a_key_in_a_models_place_is_refused_and_not_repeated(guarded: RunningProxy, path: str, model: str) -> None:
    for key in (ALL, CI_B):
        response = ask(guarded, model=model.format(key), path=path)
        assert "a key stands here" in message_of(response, 400)
        assert key not in response.text + str(response.headers)


def test_a_key_in_a_path_or_a_query_is_not_repeated(guarded: RunningProxy) -> None:
    headers = {"x-api-key": CI_A}
    for path in (f"/{ALL}", f"/v1/models/{ALL}", f"/v1/models/{ALL},x", f"/v1/models?after_id={ALL}"):
        response = httpx.get(guarded.url + path, headers=headers | {"anthropic-version": "1"})
        assert ALL not in response.text
        assert "[redacted]" in response.text
    response = httpx.post(f"{guarded.url}/v1/route?dialect={ALL}", json={}, headers=headers)
    assert "dialect: '[redacted]' is not one of" in message_of(response, 400)
    shown = httpx.post(f"{guarded.url}/v1/route", json={"model": ALL, "messages": []}, headers=headers)
    assert ALL not in shown.text


def test_a_key_as_a_sessions_name_is_hashed(guarded: RunningProxy) -> None:
    body = {"model": "auto", "max_tokens": 1, "messages": [{"role": "user", "content": "hello"}]}
    for name in ("x-claude-code-session-id", "session_id", "x-claude-code-agent-id"):
        shown = httpx.post(
            f"{guarded.url}/v1/route?dialect=anthropic", json=body, headers={"x-api-key": CI_A, name: ALL}
        ).json()
        ids = shown["features"]["session_id"] + shown["features"]["thread"]
        assert ALL not in ids
        assert "[redacted]" not in ids  # it went no further than to a hash


def test_keys_are_exchanged_without_a_restart_and_bad_ones_change_nothing(
    clean_env: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    for file in folder.glob("*.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
        (tmp_path / file.name).chmod(0o600)
    for name in ("plugins", "taxonomy"):
        (tmp_path / name).mkdir()
    with running({**clean_env, "ALL_KEY": ALL}, "--config", str(tmp_path / "config.toml")) as proxy:
        newest = "third-key-of-ci-0123456"
        (tmp_path / "ci-a.key").write_text(newest)
        until(proxy, newest, 200)
        assert [ask(proxy, key).status_code for key in (CI_A, CI_B, newest)] == [401, 200, 200]
        (tmp_path / "ci-b.key").write_text(newest)  # the same as the other: refused
        proxy.wait_for(event="reload_failed")
        assert [ask(proxy, key).status_code for key in (CI_B, newest)] == [200, 200]
        (tmp_path / "config.toml").write_text(CONFIG.replace(', { file = "ci-b.key" }', ""))
        until(proxy, CI_B, 401)
        assert ask(proxy, newest).status_code == 200
        assert not any(secret in "".join(proxy.lines) for secret in (ALL, CI_A, CI_B, newest))


def until(proxy: RunningProxy, key: str, status: int) -> None:
    """Wait until this key is answered like that."""
    deadline = time.monotonic() + PATIENCE_S
    while ask(proxy, key).status_code != status:
        assert time.monotonic() < deadline, f"the key is not answered {status}"
        time.sleep(0.05)
