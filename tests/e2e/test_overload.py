"""A proxy with little room, and clients that want more of it or do not let go."""

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from configs import write_config
from proxy import PATIENCE_S, RunningProxy, running
from upstream import Upstream
from upstream_script import Step

Opened = Callable[[str], AbstractContextManager[RunningProxy]]
PATHS = {"/v1/messages": 529, "/v1/chat/completions": 503}
LARGE = "x" * 10_000


@pytest.fixture
def opened(upstream: Upstream, clean_env: dict[str, str], tmp_path: Path) -> Opened:
    """A proxy with these settings of `[server]`."""

    @contextmanager
    def start(server: str) -> Iterator[RunningProxy]:
        path = write_config(tmp_path, upstream.url)
        path.write_text(path.read_text() + f"[server]\n{server}\n")
        with running({**clean_env, "ONE_KEY": "sk-upstream-canary"}, "--config", str(path)) as proxy:
            yield proxy

    return start


def body(*, stream: bool = False) -> dict[str, Any]:
    return {"model": "auto", "max_tokens": 9, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}


def sent(proxy: RunningProxy, data: bytes, receive: int = 0) -> socket.socket:
    """A connection on which this was sent."""
    connection = socket.socket()
    if receive:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    connection.settimeout(PATIENCE_S)
    host, _, port = proxy.url.removeprefix("http://").partition(":")
    connection.connect((host, int(port)))
    connection.sendall(data)
    return connection


def request(value: dict[str, Any], length: int | None = None) -> bytes:
    data = msgspec.json.encode(value)
    head = "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(data) if length is None else length}\r\n\r\n".encode() + data


def answer_of(connection: socket.socket) -> bytes:
    """All that comes until the connection closes."""
    received = b""
    with connection:
        while chunk := connection.recv(65536):
            received += chunk
    return received


def metric(proxy: RunningProxy, name: str) -> float:
    text = httpx.get(f"{proxy.url}/metrics").text
    return next((float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{name} ")), 0.0)


@pytest.mark.parametrize(
    ("server", "reason"), [("max_in_flight = 1", "max_in_flight"), ("max_memory_mb = 1", "max_memory_mb")]
)
def test_without_room_a_request_is_told_to_come_back(
    opened: Opened, upstream: Upstream, server: str, reason: str
) -> None:
    upstream.script(Step(text="hello", fault="stall", stall_s=60))
    with opened(server) as proxy:
        if reason == "max_memory_mb":
            proxy.wait_for(event="memory_high")
        with httpx.stream("POST", f"{proxy.url}/v1/messages", json=body(stream=True), timeout=PATIENCE_S) as stream:
            assert stream.status_code == 200
            for path, status in PATHS.items():
                refused = httpx.post(f"{proxy.url}{path}", json=body())
                assert (refused.status_code, refused.headers["retry-after"]) == (status, "1")
                assert refused.json()["error"]["type"] == "overloaded_error"
                assert f"server.{reason}" in refused.json()["error"]["message"]
            assert httpx.get(f"{proxy.url}/health").status_code == 200
            assert metric(proxy, "terraphim_in_flight") == 1
            assert metric(proxy, f'terraphim_refused_total{{reason="{reason}"}}') == 2
        upstream.wait_for(lambda requests: requests[0].left_early)
        assert httpx.post(f"{proxy.url}/v1/messages", json=body()).status_code == 200
        assert len(upstream.requests) == 2
        assert proxy.wait_for(event="refused", reason=reason)["level"] == "warning"
        assert not proxy.log(event="request", status=529)


def test_a_body_that_drips_is_refused_and_asks_nobody(opened: Opened, upstream: Upstream) -> None:
    with opened("body_s = 0.3\nbody_rate = 1000000") as proxy:
        answer = answer_of(sent(proxy, request(body(), length=500)))
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"connection: close" in answer
        assert b"server.body_s" in answer
        assert metric(proxy, 'terraphim_refused_total{reason="body_s"}') == 1
        assert metric(proxy, "terraphim_in_flight") == 0
    assert upstream.requests == []


def test_a_head_that_drips_is_refused(opened: Opened) -> None:
    with opened("header_s = 0.3") as proxy:
        assert answer_of(sent(proxy, b"POST /v1/messages HTTP/1.1\r\nHo")).startswith(b"HTTP/1.1 408")
        assert proxy.wait_for(event="refused")["reason"] == "header_s"


def test_a_client_that_never_reads_is_cut_off_and_its_upstream_too(opened: Opened, upstream: Upstream) -> None:
    upstream.script(Step(text=LARGE * 3000, chunk=10_000))
    with opened("write_s = 0.5") as proxy, sent(proxy, request(body(stream=True)), receive=4096):
        upstream.wait_for(lambda requests: bool(requests) and requests[0].left_early)
        line = proxy.wait_for(event="request")
        assert (line["status"], line["error"]) == (499, "client_left")
        assert metric(proxy, 'terraphim_refused_total{reason="write_s"}') == 1


def test_a_connection_over_the_cap_is_told_so_at_once(opened: Opened) -> None:
    with opened("max_connections = 2") as proxy:
        with sent(proxy, b"GET"), sent(proxy, b"GET"):
            answer = answer_of(sent(proxy, b""))
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 1\r\n" in answer
        assert proxy.wait_for(event="refused", reason="connections")["count"] == 1
        for _ in range(1000):
            if httpx.get(f"{proxy.url}/health").status_code == 200:
                break
        assert httpx.get(f"{proxy.url}/health").status_code == 200


def test_a_cap_that_does_not_fit_is_lowered_and_said(opened: Opened) -> None:
    with opened("max_connections = 2000000000") as proxy:
        assert 0 < proxy.wait_for(event="few_descriptors")["max_connections"] < 2_000_000_000


def test_a_flood_of_bad_connections_is_one_line(opened: Opened) -> None:
    with opened("") as proxy:
        for _ in range(200):
            assert answer_of(sent(proxy, b"nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400")
        assert metric(proxy, 'terraphim_refused_total{reason="malformed"}') == 200
        assert len(proxy.log(event="refused")) <= 2
        assert not proxy.log(event="library")
