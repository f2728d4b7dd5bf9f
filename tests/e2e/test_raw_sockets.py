"""Bytes that no well-behaved client sends, and some that real ones do."""

import socket
from urllib.parse import urlsplit

import httpx
import pytest
from proxy import RunningProxy

BODY = b'{"model": "auto", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}'
HEAD = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)


def exchanged(proxy: RunningProxy, *parts: bytes) -> bytes:
    """All that comes back until the proxy closes the connection."""
    address = urlsplit(proxy.url)
    received = b""
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=20) as connection:
        try:
            for part in parts:
                connection.sendall(part)
        except ConnectionError:
            pass  # refused while it was being sent
        while chunk := connection.recv(65536):
            received += chunk
    return received


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (HEAD + LENGTH + BODY, b"200"),
        (HEAD.replace(b"localhost", b"evil.example") + LENGTH + BODY, b"403"),
        (HEAD + b"Host: evil.example\r\n" + LENGTH + BODY, b"400"),
        (HEAD + b"Content-Type: text/plain\r\n" + LENGTH + BODY, b"415"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY), b"200"),
        (HEAD + b"Transfer-Encoding: chunked\r\n" + LENGTH + BODY, b"400"),
        (HEAD.replace(b"localhost", b"[::1]:3456") + LENGTH + BODY, b"200"),
        (HEAD.replace(b"close", b"close, Upgrade, HTTP2-Settings") + b"Upgrade: h2c\r\n" + LENGTH + BODY, b"200"),
        (HEAD.replace(b"POST", b"HEAD") + b"\r\n", b"405"),
        (b"\x16\x03\x01\x02\x00\x01", b"400"),
    ],
)
def test_a_request_as_bytes(embedded: RunningProxy, request_bytes: bytes, status: bytes) -> None:
    answer = exchanged(embedded, request_bytes)
    assert answer.startswith(b"HTTP/1.1 " + status)
    if status == b"200":
        assert b'"type":"message"' in answer


def test_a_method_that_is_not_served_is_told_which_is(embedded: RunningProxy) -> None:
    assert httpx.request("OPTIONS", f"{embedded.url}/v1/messages").headers["allow"] == "POST"


def test_headers_without_end_are_refused(embedded: RunningProxy) -> None:
    try:
        answer = exchanged(embedded, HEAD, *[b"X-More: " + b"x" * 10_000 + b"\r\n"] * 200)
    except ConnectionResetError:
        answer = b""  # the rest of them was still on its way
    assert answer.startswith(b"HTTP/1.1 431")
    assert httpx.get(f"{embedded.url}/health").status_code == 200


def test_an_unknown_explicit_model_is_no_model(embedded: RunningProxy) -> None:
    assert httpx.get(f"{embedded.url}/v1/models/nobody,x").status_code == 404
    assert httpx.get(f"{embedded.url}/v1/models/claude-sonnet-4-6").status_code == 200
    assert httpx.get(f"{embedded.url}/v1/models/anthropic,claude-sonnet-4-6").status_code == 200


def test_paths_make_no_labels(embedded: RunningProxy) -> None:
    for number in range(20):
        httpx.get(f"{embedded.url}/made-up/{number}")
    assert "made-up" not in httpx.get(f"{embedded.url}/metrics").text
