"""Providers that repeat our key, answer with odd statuses, and clients that must not hear of it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from configs import write_config
from proxy import RunningProxy, running
from upstream import Upstream
from upstream_script import Step

KEY = "sk-upstream-canary"
BODY: dict[str, Any] = {"model": "one,main", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]}
PATHS = pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])


@pytest.fixture(scope="module")
def alone(
    fake: Upstream, session_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningProxy]:
    """A proxy with one provider and nobody behind it."""
    config = write_config(tmp_path_factory.mktemp("alone"), fake.url)
    config.write_text(config.read_text().replace('fallback = ["two,spare"]\n', ""))
    with running({**session_env, "ONE_KEY": KEY}, "--config", str(config)) as proxy:
        yield proxy


@PATHS
@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_that_repeats_our_key(alone: RunningProxy, fake: Upstream, path: str, stream: bool) -> None:
    fake.script(Step(status=401, message=f"invalid key {KEY}", headers={"request-id": KEY}))
    response = httpx.post(alone.url + path, json={**BODY, "stream": stream})
    assert response.status_code == 401
    assert response.json()["error"]["message"] == "invalid key [redacted]"
    assert response.headers["x-should-retry"] == "false"
    assert KEY not in str(response.headers)
    alone.wait_for(request_id=response.headers["x-terraphim-request-id"])
    assert KEY not in "".join(alone.lines)


def read(url: str, received: bytearray) -> None:
    with httpx.stream("POST", url, json={**BODY, "stream": True}) as response:
        for chunk in response.iter_raw():
            received += chunk


@PATHS
@pytest.mark.parametrize("kind", ["overloaded_error", f"odd_{KEY}"])
def test_a_stream_that_ends_with_our_key(alone: RunningProxy, fake: Upstream, path: str, kind: str) -> None:
    fake.script(Step(text="word " * 20, fault="midstream_error", error_type=kind, message=KEY, chunk_delay=0.02))
    received = bytearray()
    with pytest.raises(httpx.RemoteProtocolError):
        read(f"{alone.url}{path}", received)
    assert b"[redacted]" in received
    assert KEY.encode() not in received
    alone.wait_for(error=f"{'api_error' if KEY in kind else kind}: after the first byte")
    assert KEY not in "".join(alone.lines)


@pytest.mark.parametrize("status", [302, 600, 799])
def test_an_odd_status_is_an_answer_too(alone: RunningProxy, fake: Upstream, status: int) -> None:
    fake.script(Step(status=status, times=2))
    response = httpx.post(f"{alone.url}/v1/messages", json=BODY)
    assert response.status_code == 502
    assert str(status) in response.json()["error"]["message"]


@PATHS
def test_odd_bytes_in_headers_are_no_bug(alone: RunningProxy, path: str) -> None:
    headers = [(b"accept", b"\xe9"), (b"anthropic-beta", b"\xe9")]
    assert httpx.post(alone.url + path, json=BODY, headers=headers).status_code == 200
    assert httpx.post(alone.url + path, json=BODY, headers={"origin": "http://["}).status_code == 403
    assert httpx.get(f"{alone.url}/v1/models", headers={"origin": "http://["}).status_code == 403
    assert not alone.log(event="bug")
