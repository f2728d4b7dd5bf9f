"""Providers that fail, one after another: who is asked next, and what the client is told. Each case on real sockets."""

import email.utils
import re
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from proxy import RunningProxy, running
from upstream import Upstream
from upstream_script import Step

CONFIG = """\
[providers.one]
dialect = "anthropic"
base_url = "{url}/one"
allow_private = true
api_keys = [{{ env = "KEY_A" }}, {{ env = "KEY_B" }}]
[providers.two]
dialect = "openai"
base_url = "{url}/two"
allow_private = true
[providers.gone]
dialect = "anthropic"
base_url = "http://127.0.0.1:{closed}"
allow_private = true
[providers.mute]
dialect = "anthropic"
base_url = "http://127.0.0.1:{mute}"
allow_private = true
any_model = true
[providers.lone]
dialect = "anthropic"
base_url = "{url}/lone"
allow_private = true
any_model = true
[routing]
default = "one,main"
[routing.fallbacks]
"one,main" = ["two,spare"]
background = ["two,small"]
"gone,m" = ["two,spare"]
[routing.runtime]
background = "gone,small"
[resilience]
max_wait_s = 1
{resilience}
[plugins]
dir = "plugins"
[taxonomy]
dir = "taxonomy"
"""
KEYS = {"KEY_A": "sk-canary-aaaa", "KEY_B": "sk-canary-bbbb"}
BODY: dict[str, Any] = {"model": "auto", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]}


class Mute:
    """Reads requests and closes without a word."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.requests = 0
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                data = b""
                while b"hello" not in data:  # the body is here
                    data += connection.recv(65536)
                self.requests += 1


@pytest.fixture(scope="module")
def mute() -> Iterator[Mute]:
    made = Mute()
    with closing(made.listener):
        yield made


@contextmanager
def started(
    folder: Path, env: dict[str, str], fake: Upstream, mute: int, resilience: str = "breaker = false"
) -> Iterator[RunningProxy]:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        closed = unused.getsockname()[1]
    for name in ("plugins", "taxonomy"):
        (folder / name).mkdir(exist_ok=True)
    config = folder / "config.toml"
    config.write_text(CONFIG.format(url=fake.url, closed=closed, mute=mute, resilience=resilience))
    with running({**env, **KEYS}, "--config", str(config)) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def proxy(
    fake: Upstream, mute: Mute, session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningProxy]:
    """Nobody is passed over: each case begins as the first."""
    with started(tmp_path_factory.mktemp("failover"), session_env, fake, mute.port) as running_proxy:
        yield running_proxy


@pytest.fixture(autouse=True)
def _fresh(fake: Upstream) -> None:
    fake.requests.clear()


def ask(proxy: RunningProxy, path: str = "/v1/messages", **more: Any) -> httpx.Response:
    return httpx.post(proxy.url + path, json=BODY | more, timeout=20)


def attempts(proxy: RunningProxy, response: httpx.Response) -> list[tuple[str, str]]:
    """Target and outcome of each, as the log has them."""
    line = proxy.wait_for(request_id=response.headers["x-terraphim-request-id"])
    return [(target, outcome) for target, outcome, _, _ in line.get("attempts", [])]


def served_by(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return f"{response.headers['x-terraphim-provider']},{response.headers['x-terraphim-model']}"


@pytest.mark.parametrize("status", [500, 502, 503, 529, 404, 402, 408])
def test_another_target_serves(proxy: RunningProxy, fake: Upstream, status: int) -> None:
    fake.script(Step(status=status, times=2 if status == 402 else 1))
    response = ask(proxy)
    assert served_by(response) == "two,spare"
    assert attempts(proxy, response)[-1] == ("two,spare", "ok")


def test_the_scenarios_chain_serves_when_its_route_is_down(proxy: RunningProxy) -> None:
    response = ask(proxy, model="claude-haiku-4-5")
    assert served_by(response) == "two,small"
    assert attempts(proxy, response) == [("gone,small", "not_sent"), ("gone,small", "not_sent"), ("two,small", "ok")]
    assert response.headers["x-terraphim-reason"] == "background"


def test_the_targets_own_chain_serves_when_it_is_down(proxy: RunningProxy) -> None:
    response = ask(proxy, model="gone,m")
    assert served_by(response) == "two,spare"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_request_that_may_have_been_worked_on_is_sent_twice_at_most(
    proxy: RunningProxy, mute: Mute, path: str, stream: bool
) -> None:
    before = mute.requests
    response = ask(proxy, path, model="mute,m", stream=stream)
    assert response.status_code == 502
    assert response.headers["x-should-retry"] == "false"
    assert attempts(proxy, response) == [("mute,m", "unknown")] * 2
    assert mute.requests == before + 2


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
@pytest.mark.parametrize("fault", ["disconnect", "truncate", "midstream_error"])
def test_after_the_first_content_nothing_is_repeated(
    proxy: RunningProxy, fake: Upstream, path: str, fault: Any
) -> None:
    fake.script(Step(text="word " * 20, fault=fault, after=3, error_type="overloaded_error", chunk_delay=0.05))
    received, body = bytearray(), BODY | {"stream": True}
    with httpx.stream("POST", proxy.url + path, json=body, timeout=20) as response, suppress(httpx.RemoteProtocolError):
        for chunk in response.iter_raw():
            received += chunk
    assert response.status_code == 200
    assert b"word" in received
    assert b"error" in received
    [(target, outcome)] = attempts(proxy, response)
    assert (target, outcome == "ok", len(fake.requests)) == ("one,main", False, 1)


@pytest.mark.parametrize(
    ("header", "value", "sent_on"),
    [
        ("retry-after", "30", "30"),
        ("retry-after", "1e9", "60"),
        ("retry-after", "9" * 40, "60"),
        ("retry-after", "soon", None),
        ("retry-after-ms", "30000", None),
    ],
)
def test_a_long_wait_is_the_clients(
    proxy: RunningProxy, fake: Upstream, header: str, value: str, sent_on: str | None
) -> None:
    fake.script(Step(status=429, headers={header: value}))
    response = ask(proxy, model="lone,m")
    assert response.status_code == 429
    assert response.json()["error"]["type"] == "rate_limit_error"
    assert response.headers.get("retry-after") == sent_on
    assert "x-should-retry" not in response.headers
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    ("header", "value"), [("retry-after-ms", "20"), ("retry-after", "0.02"), ("retry-after", "-7")]
)
def test_a_short_wait_is_waited_here(proxy: RunningProxy, fake: Upstream, header: str, value: str) -> None:
    fake.script(Step(status=429, headers={header: value}), Step(text="here I am"))
    response = ask(proxy, model="lone,m")
    assert served_by(response) == "lone,m"
    assert attempts(proxy, response) == [("lone,m", "429"), ("lone,m", "ok")]


def test_a_date_is_a_wait_too(proxy: RunningProxy, fake: Upstream) -> None:
    date = email.utils.formatdate(time.time() + 3000, usegmt=True)
    fake.script(Step(status=429, headers={"retry-after": date}))
    response = ask(proxy, model="lone,m")
    assert (response.status_code, response.headers["retry-after"]) == (429, date)
    past = email.utils.formatdate(time.time() - 3000, usegmt=True)
    fake.script(Step(status=429, headers={"retry-after": past}), Step(text="here I am"))
    assert served_by(ask(proxy, model="lone,m")) == "lone,m"


@pytest.mark.parametrize(
    ("steps", "status", "should_retry"),
    [
        ((Step(status=400),), 400, None),
        ((Step(status=401),), 401, "false"),
        ((Step(status=404),), 404, "false"),
        ((Step(status=529, times=2),), 529, "false"),
        ((Step(status=503, headers={"retry-after": "50"}),), 503, None),
    ],
)
def test_clients_are_told_whether_to_try_again(
    proxy: RunningProxy, fake: Upstream, steps: tuple[Step, ...], status: int, should_retry: str | None
) -> None:
    fake.script(*steps)
    response = ask(proxy, model="lone,m")
    assert (response.status_code, response.headers.get("x-should-retry")) == (status, should_retry)


def keys_sent(fake: Upstream) -> list[str]:
    return [request.headers.get("x-api-key", "") for request in fake.requests]


@pytest.mark.parametrize("status", [401, 429])
def test_the_next_key_serves_and_no_key_is_ever_told(
    fake: Upstream, mute: Mute, clean_env: dict[str, str], tmp_path: Path, status: int
) -> None:
    with started(tmp_path, clean_env, fake, mute.port, "") as own:
        said = " ".join(KEYS.values())
        fake.script(Step(status=status, message=said, headers={"request-id": KEYS["KEY_B"]}))
        response = ask(own, metadata={"user_id": "session_a"})
        assert served_by(response) == "one,main"
        first, second = keys_sent(fake)
        assert {first, second} == set(KEYS.values())
        line = own.wait_for(event="provider_key")
        assert (line["provider"], list(KEYS.values())[line["key"] - 1]) == ("one", first)
        request = own.wait_for(request_id=response.headers["x-terraphim-request-id"])
        assert [attempt[3] for attempt in request["attempts"]] == [line["key"], 3 - line["key"]]
        fake.requests.clear()
        for _ in range(4):
            assert served_by(ask(own)) == "one,main"
        assert set(keys_sent(fake)) == {second}
        fake.script(Step(status=401, message=said), Step(status=401, message=said))
        told = ask(own, model="one,main")
        metrics = httpx.get(f"{own.url}/metrics").text
        for text in (told.text, str(told.headers), "".join(own.lines), metrics):
            assert not any(key in text for key in KEYS.values())
        assert re.search(r'terraphim_key_rests_total\{provider="one",why="\w+"\} \d', metrics)


@pytest.mark.parametrize("stream", [False, True])
def test_a_good_answer_that_repeats_a_key_does_so_in_vain(proxy: RunningProxy, fake: Upstream, stream: bool) -> None:
    fake.script(Step(text="good", headers={"x-request-id": KEYS["KEY_A"], "request-id": f"r-{KEYS['KEY_B']}"}))
    response = ask(proxy, stream=stream)
    assert served_by(response) == "one,main"
    assert not any(key in str(response.headers) for key in KEYS.values())


def test_a_target_that_keeps_failing_is_passed_over_and_everybody_can_see_it(
    fake: Upstream, mute: Mute, clean_env: dict[str, str], tmp_path: Path
) -> None:
    with started(tmp_path, clean_env, fake, mute.port, "attempts = 1") as own:
        for _ in range(5):
            fake.script(Step(status=529), Step(text="spare"))
            assert served_by(ask(own)) == "two,spare"
        assert own.wait_for(event="target_breaker")["state"] == "open"
        fake.requests.clear()
        response = ask(own)
        assert served_by(response) == "two,spare"
        assert response.headers["x-terraphim-attempts"] == "1"
        assert [request.path for request in fake.requests] == ["/two/chat/completions"]
        line = own.wait_for(request_id=response.headers["x-terraphim-request-id"])
        assert line["passed_over"] == [["one,main", "breaker"]]
        assert 'terraphim_target_breaker{state="open",target="one,main"} 1.0' in httpx.get(f"{own.url}/metrics").text
        explained = httpx.post(f"{own.url}/v1/route", json=BODY).json()
        assert explained["targets"]["one,main"]["healthy"] is False
        assert explained["decision"]["model"] == "main"
        config = tmp_path / "config.toml"
        config.write_text(config.read_text().replace("max_wait_s = 1", "max_wait_s = 2"))
        own.wait_for(event="snapshot_swapped")
        assert served_by(ask(own)) == "two,spare"


@pytest.mark.parametrize(("path", "status"), [("/v1/messages", 529), ("/v1/chat/completions", 503)])
def test_when_everybody_is_passed_over_the_answer_comes_at_once(
    fake: Upstream, mute: Mute, clean_env: dict[str, str], tmp_path: Path, path: str, status: int
) -> None:
    with started(tmp_path, clean_env, fake, mute.port, "attempts = 1") as own:
        fake.script(Step(status=500, times=100))
        for _ in range(5):
            assert ask(own, path).status_code == 500
        fake.requests.clear()
        response = ask(own, path)
        assert response.status_code == status
        assert response.json()["error"]["type"] == "overloaded_error"
        assert "one,main (it kept failing" in response.json()["error"]["message"]
        assert 1 <= int(response.headers["retry-after"]) <= 10
        assert fake.requests == []
        fake.unscript()
