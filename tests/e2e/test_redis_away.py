"""The whole program with a Redis that goes and comes back, and one that wants another password."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from configs import write_config
from proxy import PATIENCE_S, RunningProxy, running
from redis_server import redis_running
from upstream import Upstream

from core.state.redis_link import LONGEST_AGAIN_S

BODY = {"model": "auto", "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}]}


@contextmanager
def proxy_on(folder: Path, env: dict[str, str], upstream: Upstream, url: str, more: str = "") -> Iterator[RunningProxy]:
    config = write_config(folder, upstream.url)
    config.write_text(f'{config.read_text()}[redis]\nurl = "{url}"\ntimeout_ms = 1000\n{more}\n')
    with running({**env, "ONE_KEY": "k"}, "--config", str(config)) as proxy:
        yield proxy


def ask(proxy: RunningProxy) -> int:
    headers = {"anthropic-version": "2023-06-01", "x-claude-code-session-id": "s"}
    return httpx.post(f"{proxy.url}/v1/messages", json=BODY, headers=headers).status_code


def health(proxy: RunningProxy) -> str:
    response = httpx.get(f"{proxy.url}/health")
    assert response.status_code == 200
    return str(response.json()["redis"])


def wait_for_health(proxy: RunningProxy, wanted: str) -> None:
    deadline = time.monotonic() + PATIENCE_S + LONGEST_AGAIN_S
    while time.monotonic() < deadline:
        if health(proxy) == wanted:
            return
        time.sleep(0.02)
    raise AssertionError(f"Redis never was {wanted!r}:\n" + "".join(proxy.lines))


def test_a_server_that_goes_and_comes_back(tmp_path: Path, clean_env: dict[str, str], upstream: Upstream) -> None:
    with redis_running(tmp_path) as server, proxy_on(tmp_path, clean_env, upstream, server.url) as proxy:
        assert (ask(proxy), health(proxy)) == (200, "ok")
        server.process.kill()
        server.process.wait()
        assert [ask(proxy) for _ in range(5)] == [200] * 5
        wait_for_health(proxy, "down")
        assert [line["why"] in {"closed", "unreachable"} for line in proxy.log(event="redis_down")] == [True]
        with redis_running(tmp_path, port=server.port):
            wait_for_health(proxy, "ok")
            assert ask(proxy) == 200
        assert len(proxy.log(event="redis_up")) == 1


def test_a_password_file_that_changes_is_read(tmp_path: Path, clean_env: dict[str, str], upstream: Upstream) -> None:
    secret = tmp_path / "redis.password"
    secret.write_text("canary-old")
    with (
        redis_running(tmp_path, "--requirepass", "canary-new") as server,
        proxy_on(tmp_path, clean_env, upstream, server.url, 'password = { file = "redis.password" }') as proxy,
    ):
        wait_for_health(proxy, "down")
        assert ask(proxy) == 200
        assert proxy.wait_for(event="redis_down")["why"] == "password"
        secret.write_text("canary-new")
        wait_for_health(proxy, "ok")
        assert ask(proxy) == 200
        assert "canary" not in "".join(proxy.lines)


def test_without_a_server_there_is_nothing_to_say(embedded: RunningProxy) -> None:
    assert health(embedded) == "none"
