"""Mistakes of clients: the right status, the client's own shape, what was wrong and where."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from configs import write_config
from proxy import RunningProxy, running

MESSAGES, CHAT = "/v1/messages", "/v1/chat/completions"
GOOD: dict[str, Any] = {"model": "auto", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}
JSON = {"content-type": "application/json"}


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The error object, once the whole body has the dialect's shape."""
    body = response.json()
    if response.request.url.path.startswith(MESSAGES):
        assert body["type"] == "error"
        assert body["request_id"] == response.headers["x-terraphim-request-id"]
        assert set(body["error"]) >= {"type", "message"}
    else:
        assert set(body["error"]) >= {"message", "type", "param", "code"}
    error: dict[str, Any] = body["error"]
    return error


@pytest.mark.parametrize("path", [MESSAGES, CHAT])
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"[1]", "object"),
        (b'{"model": "auto", "max_tokens": 1, "messages": 5}', "messages"),
        (b'{"model": 7, "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}', "model"),
        (b'{"model": "auto", "max_tokens": 1, "messages": [{"role": "user", "content": [{"text": 1}]}]}', "content"),
        (b'{"model": "auto", "max_tokens": 1, "messages": []}', "messages"),
        (b'{"max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}', "model"),
        (b'{"model": "auto", "max_tokens": NaN, "messages": [{"role": "user", "content": "x"}]}', "JSON"),
        (b'{"model": "auto", "x": ' + b"[" * 65 + b"]" * 65 + b"}", "deep"),
        (b'{"model": "auto", "x": ' + b"[" * 100_000, "arrays"),
        (b'{"model": "\xff"}', "UTF-8"),
    ],
)
def test_a_body_that_cannot_be_read(embedded: RunningProxy, path: str, body: bytes, said: str) -> None:
    response = httpx.post(embedded.url + path, content=body, headers=JSON)
    assert response.status_code == 400
    assert error_of(response)["type"] == "invalid_request_error"
    assert said in error_of(response)["message"]


@pytest.mark.parametrize("path", [MESSAGES, CHAT])
@pytest.mark.parametrize(
    ("headers", "status", "said"),
    [
        ({**JSON, "origin": "https://evil.example"}, 403, "evil.example"),
        ({**JSON, "host": "evil.example"}, 403, "evil.example"),
        ({"content-type": "text/plain"}, 415, "application/json"),
        ({**JSON, "content-encoding": "gzip"}, 415, "compressed"),
    ],
)
def test_the_rules_of_the_door(
    embedded: RunningProxy, path: str, headers: dict[str, str], status: int, said: str
) -> None:
    response = httpx.post(embedded.url + path, content=b"{}", headers=headers)
    assert response.status_code == status
    assert said in error_of(response)["message"]


@pytest.mark.parametrize("path", [MESSAGES, CHAT])
def test_40_megabytes_are_refused_and_the_proxy_lives(embedded: RunningProxy, path: str) -> None:
    body = b'{"model": "' + b"x" * 40_000_000 + b'"}'
    try:
        response = httpx.post(embedded.url + path, content=body, headers=JSON)
        assert response.status_code == 413
        assert "33554432" in error_of(response)["message"]
    except httpx.WriteError:
        pass  # refused by its declared length while the body was still on its way
    assert httpx.get(f"{embedded.url}/health").status_code == 200


def test_40_megabytes_without_a_declared_length(embedded: RunningProxy) -> None:
    chunks = (b"x" * 1_000_000 for _ in range(40))
    try:
        response = httpx.post(embedded.url + MESSAGES, content=chunks, headers=JSON)
        assert response.status_code == 413
    except httpx.WriteError:
        pass
    assert httpx.get(f"{embedded.url}/health").status_code == 200


@pytest.mark.parametrize("path", [MESSAGES, CHAT])
def test_an_unknown_explicit_target_is_a_404_with_the_closest(embedded: RunningProxy, path: str) -> None:
    response = httpx.post(embedded.url + path, json={**GOOD, "model": "openrouter:deepseek/deepsek-r9,x"})
    assert response.status_code in {200, 404}
    response = httpx.post(embedded.url + path, json={**GOOD, "model": "openai,gpt-55"})
    assert response.status_code == 404
    assert "openai,gpt-5" in error_of(response)["message"]
    assert response.headers["x-terraphim-phase"] == "explicit"


def test_other_methods_and_paths(embedded: RunningProxy) -> None:
    assert httpx.get(embedded.url + MESSAGES).status_code == 405
    missing = httpx.get(f"{embedded.url}/v1/nothing", headers={"anthropic-version": "2023-06-01"})
    assert missing.status_code == 404
    assert missing.json()["type"] == "error"
    assert httpx.get(f"{embedded.url}/v1/models", headers={"host": "evil.example"}).status_code == 403


def test_client_keys(session_env: dict[str, str], tmp_path: Path) -> None:
    config = write_config(tmp_path, "http://127.0.0.1:9")
    config.write_text(
        config.read_text().replace('dialect = "anthropic"\nbase_url = "http://127.0.0.1:9"', 'dialect = "loopback"')
        + '[[server.keys]]\nname = "laptop"\nkey = { env = "LAPTOP_KEY" }\n'
    )
    env = {**session_env, "LAPTOP_KEY": "canary-client-key", "ONE_KEY": "canary-provider-key"}
    with running(env, "--config", str(config)) as proxy:
        for headers, status in (
            ({}, 401),
            ({"x-api-key": "wrong"}, 401),
            ({"x-api-key": "canary-client-key"}, 200),
            ({"authorization": "Bearer canary-client-key"}, 200),
        ):
            response = httpx.post(proxy.url + MESSAGES, json=GOOD, headers=headers)
            assert response.status_code == status
            models = httpx.get(f"{proxy.url}/v1/models", headers=headers)
            assert models.status_code == status
        assert proxy.wait_for(event="request", status=200)["client"] == "laptop"
        shown = "".join(proxy.lines) + httpx.get(f"{proxy.url}/metrics").text
        assert "canary" not in shown
