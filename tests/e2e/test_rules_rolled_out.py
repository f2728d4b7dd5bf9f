"""A rule on its way from shadow to everybody and back, in a proxy that serves meanwhile."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from command import Cli
from configs import write_config
from proxy import RunningProxy, running
from test_rules_while_serving import ROUTE, until
from upstream import Upstream
from upstream_script import Step

HOSTILE = "(unreachable)"
BODY: dict[str, Any] = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]}
STREAMS, PLAIN = 20, 80
CLIENT = httpx.Client(timeout=20, limits=httpx.Limits(max_connections=STREAMS + 5))


@pytest.fixture(scope="module", autouse=True)
def _closing() -> Iterator[None]:
    with CLIENT:
        yield


@pytest.fixture
def folder(tmp_path: Path, upstream: Upstream) -> Path:
    config = write_config(tmp_path, upstream.url)
    (tmp_path / "plugins" / "always.wat").write_text(ROUTE)
    config.write_text(config.read_text() + '[rules.always]\nmode = "shadow"\n')
    return tmp_path


@pytest.fixture
def proxy(folder: Path, clean_env: dict[str, str]) -> Iterator[RunningProxy]:
    with running({**clean_env, "ONE_KEY": "k"}, "--config", str(folder / "config.toml")) as started:
        yield started


@pytest.fixture
def rules(folder: Path, clean_env: dict[str, str]) -> Callable[..., Any]:
    cli = Cli({**clean_env, "ONE_KEY": "k", "TERRAPHIM_CONFIG": str(folder / "config.toml")}, folder)
    return lambda *args: cli.json("rules", *args)[1]


def asked(proxy: RunningProxy, session: str = "s") -> tuple[str, str]:
    """Reason and snapshot of an answer."""
    answer = CLIENT.post(f"{proxy.url}/v1/messages", json=BODY, headers={"x-session-id": session})
    assert answer.status_code == 200
    return answer.headers["x-terraphim-reason"], answer.headers["x-terraphim-snapshot"]


def test_what_runs_keeps_its_snapshot_while_the_rule_is_promoted(
    proxy: RunningProxy, rules: Callable[..., Any], upstream: Upstream
) -> None:
    upstream.script(Step(text="word " * 300, chunk_delay=0.02, times=STREAMS))
    opened, moved = threading.Barrier(STREAMS + 1, timeout=20), threading.Event()

    def streamed(number: int) -> tuple[str, str, str]:
        headers = {"x-session-id": f"stream-{number}"}
        body = BODY | {"stream": True, "max_tokens": 4000}
        with CLIENT.stream("POST", f"{proxy.url}/v1/messages", json=body, headers=headers) as answer:
            opened.wait()
            assert moved.wait(20)
            return answer.headers["x-terraphim-reason"], answer.headers["x-terraphim-snapshot"], answer.read().decode()

    with ThreadPoolExecutor(STREAMS) as pool:
        streams = [pool.submit(streamed, number) for number in range(STREAMS)]
        opened.wait()
        old = CLIENT.get(f"{proxy.url}/health").json()["snapshot"]
        assert rules("promote", "always", "--to", "enforce")["to"] == "enforce"
        until(lambda: asked(proxy)[0] == "rule:always")
        moved.set()
        ended = [stream.result() for stream in streams]
    assert {(reason, snapshot) for reason, snapshot, _ in ended} == {("default", old)}
    assert all(text.count("event: message_stop") == 1 for _, _, text in ended)
    assert asked(proxy)[1] != old
    assert proxy.wait_for(event="rule_moved", to="enforce")["by"]


def test_requests_at_once_with_a_move_are_each_of_one_stage(proxy: RunningProxy, rules: Callable[..., Any]) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(asked, proxy, f"s{number}") for number in range(PLAIN // 2)]
        rules("promote", "always", "--to", "canary", "--share", "50%")
        until(lambda: 'terraphim_rule_share{rule="always"} 50.0' in CLIENT.get(f"{proxy.url}/metrics").text)
        answers += [pool.submit(asked, proxy, f"s{number}") for number in range(PLAIN // 2)]
        seen = [answer.result() for answer in answers]
    stages = dict.fromkeys(snapshot for _, snapshot in seen)
    assert len(stages) == 2
    first, second = stages
    assert {reason for reason, snapshot in seen if snapshot == first} == {"default"}
    assert {reason for reason, snapshot in seen if snapshot == second} == {"default", "rule:always"}


def test_a_canary_that_fails_goes_back_of_itself_and_says_why(
    proxy: RunningProxy, rules: Callable[..., Any], folder: Path
) -> None:
    (folder / "plugins" / "always.wat").write_text(ROUTE.replace("(i64.const 39)", HOSTILE))
    until(lambda: 'outcome="trap",rule="always"' in metrics_after(proxy))
    rules("promote", "always", "--to", "canary", "--share", "100%")
    proxy.wait_for(event="rule_moved", to="canary 100%")
    until(lambda: (asked(proxy), stage(proxy))[1] == "shadow")
    move = proxy.wait_for(event="rule_moved", action="rollback")
    assert (move["automatic"], move["level"]) == (True, "warning")
    assert "calls failed (trap" in move["why"]
    metrics = CLIENT.get(f"{proxy.url}/metrics").text
    assert 'terraphim_rollout_moves_total{action="rollback",automatic="yes",rule="always"} 1.0' in metrics
    [row] = rules("status", "always", "--url", proxy.url)["rules"]
    assert (row["stage"], row["held"], row["history"][-1]["by"]) == ("shadow", True, "proxy")
    assert asked(proxy)[0] == "default"


def stage(proxy: RunningProxy) -> str:
    return str(CLIENT.get(f"{proxy.url}/health").json()["rollouts"]["always"]["stage"])


def metrics_after(proxy: RunningProxy) -> str:
    asked(proxy)
    return CLIENT.get(f"{proxy.url}/metrics").text


def test_another_module_begins_again(proxy: RunningProxy, rules: Callable[..., Any], folder: Path) -> None:
    rules("promote", "always", "--to", "enforce")
    until(lambda: asked(proxy)[0] == "rule:always")
    module = folder / "plugins" / "always.wat"
    module.write_text(ROUTE + ";; another\n")
    until(lambda: asked(proxy)[0] == "default")
    module.write_text(ROUTE)
    until(lambda: asked(proxy)[0] == "rule:always")


def test_explaining_is_not_counted(proxy: RunningProxy) -> None:
    asked(proxy)
    for _ in range(5):
        steps = CLIENT.post(f"{proxy.url}/v1/route", json=BODY).json()["trace"]
        assert any(step["outcome"] == "shadow" for step in steps)
    figures = CLIENT.get(f"{proxy.url}/health").json()["rollouts"]["always"]
    assert (figures["calls"], figures["would_decide"], figures["disagreed"]) == (1, 1, 1)
