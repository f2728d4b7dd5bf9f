"""Clients with limits, on the real program: what they are told, when, and what is counted."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest
from anthropic.types import TextBlock
from proxy import RunningProxy, running
from upstream import Upstream
from upstream_script import Spent, Step

#: A client key each, so that no test is in the way of another: name to its limits.
LIMITED = {
    "slow": "requests_per_minute = 2",
    "sdk": "requests_per_minute = 40",
    "tokens": "tokens_per_minute = 1000",
    "lone": "concurrent = 1",
    "often": "requests_per_minute = 1",
    "free": "",
}
CONFIG = """\
[server]
trusted_proxies = ["127.0.0.0/8"]
[providers.one]
dialect = "anthropic"
base_url = "{url}/one"
allow_private = true
models = {{ main = {{}}, full = {{}} }}
[providers.two]
dialect = "openai"
base_url = "{url}/two"
allow_private = true
models = {{ spare = {{}} }}
[routing]
default = "one,main"
fallback = ["two,spare"]
[limits.address]
requests_per_minute = 200
[limits.targets."one,f*"]
requests_per_minute = 1
[plugins]
dir = "plugins"
[taxonomy]
dir = "taxonomy"
"""
BODY: dict[str, Any] = {"model": "auto", "max_tokens": 200, "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(scope="module")
def proxy(
    fake: Upstream, session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningProxy]:
    folder = tmp_path_factory.mktemp("config")
    for name in ("plugins", "taxonomy"):
        (folder / name).mkdir()
    keys = "".join(
        f'[[server.keys]]\nname = "{name}"\nkey = {{ env = "KEY_{name.upper()}" }}\nlimits = {{ {limits} }}\n'
        for name, limits in LIMITED.items()
    )
    (folder / "config.toml").write_text(CONFIG.format(url=fake.url) + keys)
    secrets = {f"KEY_{name.upper()}": secret(name) for name in LIMITED}
    with running({**session_env, **secrets}, "--config", str(folder / "config.toml")) as one:
        yield one


def secret(name: str) -> str:
    return f"client-key-{name}-0123456789"


def address(name: str) -> str:
    return f"192.0.2.{list(LIMITED).index(name) + 1}"


def headers(name: str) -> dict[str, str]:
    return {"x-api-key": secret(name), "x-forwarded-for": address(name)}


def ask(proxy: RunningProxy, name: str, path: str = "/v1/messages", **more: Any) -> httpx.Response:
    return httpx.post(proxy.url + path, headers=headers(name), json=BODY | more)


def test_who_asks_too_often_is_told_in_its_own_dialect_before_its_body_is_read(
    proxy: RunningProxy, fake: Upstream
) -> None:
    first = ask(proxy, "slow")
    assert first.status_code == 200
    assert first.headers["anthropic-ratelimit-requests-limit"] == "2"
    assert first.headers["anthropic-ratelimit-requests-remaining"] == "1"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first.headers["anthropic-ratelimit-requests-reset"])
    before = len(fake.requests)
    again = ask(proxy, "slow")
    assert (again.status_code, again.json()["error"]["type"]) == (429, "rate_limit_error")
    assert (
        "'slow': no more than 2 requests a minute (server.keys[\"slow\"].limits.requests_per_minute)"
        in (again.json()["error"]["message"])
    )
    assert 1 <= int(again.headers["retry-after"]) <= 60
    assert again.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert again.headers["ratelimit-policy"] == '"requests";q=2;w=60'
    other = ask(proxy, "slow", "/v1/chat/completions")
    assert (other.status_code, other.headers["x-ratelimit-remaining-requests"]) == (429, "0")
    assert other.json()["error"]["type"] == "rate_limit_error"
    assert len(fake.requests) == before
    host, port = proxy.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers("slow").items())
        connection.sendall(
            f"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\n{head}"
            "content-type: application/json\r\ncontent-length: 100000\r\n\r\n".encode()
        )
        assert connection.recv(64).startswith(b"HTTP/1.1 429")


def test_the_sdks_wait_as_they_are_told_and_are_served(proxy: RunningProxy) -> None:
    """Four at once; then one comes back each 1.7 s, which is longer than their own first wait would be."""
    with openai.OpenAI(base_url=f"{proxy.url}/v1", api_key=secret("sdk"), max_retries=2) as gpt:
        told = [
            gpt.chat.completions.with_raw_response.create(
                model="auto", messages=[{"role": "user", "content": "hello"}], max_tokens=9
            )
            for _ in range(3)
        ]
        assert [answer.headers["x-ratelimit-limit-requests"] for answer in told] == ["40"] * 3
        for _ in range(100):
            if waited := proxy.log(event="request", client="sdk", status=429):
                break
            gpt.chat.completions.create(model="auto", messages=[{"role": "user", "content": "hello"}], max_tokens=9)
        assert waited
    with anthropic.Anthropic(base_url=proxy.url, api_key=secret("sdk"), max_retries=2) as claude:
        answer = claude.messages.create(model="auto", max_tokens=9, messages=[{"role": "user", "content": "hello"}])
    assert isinstance(answer.content[0], TextBlock)


def left(response: httpx.Response) -> int:
    return int(response.headers["anthropic-ratelimit-tokens-remaining"])


def test_tokens_are_reserved_and_settled_with_what_was_used(proxy: RunningProxy, fake: Upstream) -> None:
    fake.script(Step(text="hi", usage=Spent(input=20, output=5)), Step(text="ho ho ho", chunk=1, chunk_delay=0.2))
    reserved = left(ask(proxy, "tokens", max_tokens=90))
    assert 890 <= reserved <= 909
    with httpx.stream(
        "POST", f"{proxy.url}/v1/messages", headers=headers("tokens"), json=BODY | {"stream": True} | {"max_tokens": 60}
    ) as stream:
        assert left(stream) > reserved  # the first one's words are known
        for line in stream.iter_lines():
            if "text_delta" in line:
                break
    proxy.wait_for(event="request", client="tokens", status=499)
    large = ask(proxy, "tokens", max_tokens=1000)
    assert (large.status_code, large.json()["error"]["type"]) == (400, "invalid_request_error")
    assert "lower max_tokens" in large.json()["error"]["message"]
    assert large.headers["x-should-retry"] == "false"
    fake.unscript()
    after = ask(proxy, "tokens", max_tokens=1)
    assert left(after) > 900  # the stream's 60 were not used
    assert after.status_code == 200


def test_one_at_a_time(proxy: RunningProxy, fake: Upstream) -> None:
    fake.script(Step(text="a long story", chunk=1, chunk_delay=0.1))
    with httpx.stream("POST", f"{proxy.url}/v1/messages", headers=headers("lone"), json=BODY | {"stream": True}):
        refused = ask(proxy, "lone")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert "no more than 1 requests at once" in refused.json()["error"]["message"]
    proxy.wait_for(event="request", client="lone", status=499)
    assert ask(proxy, "lone").status_code == 200


def test_a_full_target_is_passed_over(proxy: RunningProxy) -> None:
    answers = [ask(proxy, "free", model="one,full") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.headers["x-terraphim-provider"] for answer in answers] == ["one", "two"]
    assert proxy.wait_for(event="request", client="free", provider="two")["passed_over"] == [["one,full", "limit"]]


def test_an_address_has_its_limit_whoever_brings_it(proxy: RunningProxy) -> None:
    here = headers("free") | {"x-forwarded-for": "203.0.113.7"}
    with httpx.Client(base_url=proxy.url, headers=here) as client:
        answers = [client.post("/v1/messages/count_tokens", json=BODY) for _ in range(24)]
        assert 429 in [answer.status_code for answer in answers]
        assert "client address 203.0.113.7" in answers[-1].json()["error"]["message"]
        forged = client.post(
            "/v1/messages/count_tokens", json=BODY, headers={"x-forwarded-for": "1.1.1.1, 203.0.113.7"}
        )
        assert forged.status_code == 429
        elsewhere = client.post("/v1/messages/count_tokens", json=BODY, headers={"x-forwarded-for": "203.0.113.8"})
        assert elsewhere.status_code == 200


@pytest.mark.parametrize("header", ["x-forwarded-for: 203.0.113.{}", "forwarded: for=203.0.113.{}"])
def test_nobody_but_a_trusted_proxy_says_which_address_it_is(
    header: str, fake: Upstream, session_env: dict[str, str], tmp_path: Path
) -> None:
    """A local client would have a limit for each address that it invents."""
    for name in ("plugins", "taxonomy"):
        (tmp_path / name).mkdir()
    config = CONFIG.replace('trusted_proxies = ["127.0.0.0/8"]\n', "").replace("minute = 200", "minute = 1")
    (tmp_path / "config.toml").write_text(config.format(url=fake.url))
    name, _, value = header.partition(": ")
    with running(session_env, "--config", str(tmp_path / "config.toml")) as proxy:
        answers = [
            httpx.post(
                f"{proxy.url}/v1/messages/count_tokens", json=BODY, headers={name: value.format(number)}, timeout=20
            )
            for number in (1, 2)
        ]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert "client address 127.0.0.1" in answers[1].json()["error"]["message"]


def test_refusals_are_counted(proxy: RunningProxy) -> None:
    assert [ask(proxy, "often").status_code for _ in range(2)] == [200, 429]
    text = httpx.get(f"{proxy.url}/metrics", headers={"x-api-key": secret("free")}).text
    assert re.search(r'^terraphim_limited_total{limit="requests",scope="key"} [1-9]', text, re.MULTILINE)
    assert "terraphim_reservations 0.0" in text
