"""A stop: who is under way is served or told, who comes late is refused, and the process ends with 0."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from configs import write_config
from proxy import PATIENCE_S, RunningProxy, running
from upstream import Upstream
from upstream_script import Step

CLI = [sys.executable, "-I", "-m", "core.cli"]
PATHS = pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
STATUS = {"/v1/messages": 529, "/v1/chat/completions": 503}
ENDLESS = Step(text="word " * 20, fault="stall", chunk_delay=0.01)
ASK: dict[str, Any] = {"model": "one,main", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]}


@contextmanager
def serving(env: dict[str, str], folder: Path, url: str, server: str) -> Iterator[RunningProxy]:
    config = write_config(folder, url)
    config.write_text(f"[server]\n{server}\n" + config.read_text())
    with running({**env, "ONE_KEY": "sk-canary"}, "--config", str(config)) as proxy:
        yield proxy


def opened(proxy: RunningProxy, stack: ExitStack) -> socket.socket:
    address = urlsplit(proxy.url)
    connection = socket.create_connection((address.hostname or "", address.port or 0), timeout=PATIENCE_S)
    return stack.enter_context(connection)


def asked(connection: socket.socket, path: str, body: dict[str, Any] | None = None) -> None:
    data = msgspec.json.encode(body) if body else b""
    head = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    connection.sendall(head.encode() + b"content-length: %d\r\n\r\n" % len(data) + data)


def rest(connection: socket.socket) -> bytes:
    """All that comes until the connection is closed."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


def stop(proxy: RunningProxy, stage: str, ending: signal.Signals = signal.SIGTERM) -> None:
    """Signal, and wait for the stage."""
    proxy.process.send_signal(ending)
    proxy.wait_for(event="stopping", stage=stage)


def test_not_ready_but_serving_then_gone(clean_env: dict[str, str], upstream: Upstream, tmp_path: Path) -> None:
    with serving(clean_env, tmp_path, upstream.url, "drain_delay_s = 600") as proxy, ExitStack() as stack:
        kept = opened(proxy, stack)
        stop(proxy, "draining")
        for path, status in (("/health/ready", 503), ("/health", 503), ("/health/live", 200)):
            answer = httpx.get(proxy.url + path)
            assert (answer.status_code, answer.headers["connection"]) == (status, "close")
        answer = httpx.post(f"{proxy.url}/v1/messages", json=ASK)
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        asked(kept, "/health/live")
        assert b"connection: close" in rest(kept)
        proxy.process.send_signal(signal.SIGTERM)
        assert proxy.process.wait(PATIENCE_S) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{proxy.url}/health/live")


def test_what_is_under_way_finishes_and_nobody_else_gets_in(
    clean_env: dict[str, str], upstream: Upstream, tmp_path: Path
) -> None:
    upstream.script(Step(text="word " * 20, delay=2), Step(text="word " * 20, fault="stall", stall_s=2))
    with serving(clean_env, tmp_path, upstream.url, "") as proxy, ExitStack() as stack:
        whole, stream, unused = (opened(proxy, stack) for _ in range(3))
        asked(whole, "/v1/messages", ASK)
        upstream.wait_for(lambda requests: len(requests) == 1)
        asked(stream, "/v1/messages", {**ASK, "stream": True})
        first = stream.recv(100)
        stop(proxy, "closing")
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{proxy.url}/health/live")
        answers = rest(whole), first + rest(stream)
        assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
        assert b"connection: close" in answers[0]
        assert b"event: message_stop" in answers[1]
        assert answers[1].endswith(b"\r\n0\r\n\r\n")
        assert rest(unused) == b""
        assert proxy.process.wait(PATIENCE_S) == 0
        assert proxy.log(event="stopped")[0]["told"] == 0


@PATHS
@pytest.mark.parametrize("signals", [1, 2])
def test_what_takes_too_long_is_told_in_its_own_dialect(
    clean_env: dict[str, str], upstream: Upstream, tmp_path: Path, path: str, signals: int
) -> None:
    upstream.script(ENDLESS, Step(delay=600), Step(delay=600))
    grace = "drain_s = 0.5" if signals == 1 else "drain_s = 600"
    with serving(clean_env, tmp_path, upstream.url, grace) as proxy, ExitStack() as stack:
        stream, silent, whole, uploading = (opened(proxy, stack) for _ in range(4))
        asked(stream, path, {**ASK, "stream": True})
        first = stream.recv(100)
        for number, (connection, streamed) in enumerate(((silent, True), (whole, False)), 2):
            asked(connection, path, {**ASK, "stream": streamed})
            upstream.wait_for(lambda requests, number=number: len(requests) == number)  # type: ignore[misc]
        half = (
            f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{{"
        )
        uploading.sendall(half.encode())
        stop(proxy, "closing")
        if signals == 2:
            proxy.process.send_signal(signal.SIGTERM)
        told = first + rest(stream)
        assert b"overloaded_error" in told[-300:]
        assert b"shutting down" in told[-300:]
        assert not told.endswith(b"0\r\n\r\n")
        assert b"message_stop" not in told
        assert b"[DONE]" not in told
        for connection in (silent, whole, uploading):
            answer = rest(connection)
            assert answer.startswith(b"HTTP/1.1 %d" % STATUS[path])
            assert b"retry-after: 1" in answer
            assert b"overloaded_error" in answer
            assert answer.count(b"HTTP/1.1") == 1
        assert proxy.process.wait(PATIENCE_S) == 0
        assert proxy.log(event="stopped")[0] | {"time": ""} == {
            "time": "", "level": "info", "event": "stopped", "told": 4, "cut": 0,
        }  # fmt: skip
        assert proxy.log(level="error") == []
        upstream.wait_for(lambda requests: all(request.left_early for request in requests))


def test_who_does_not_read_is_cut(clean_env: dict[str, str], upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(Step(text="word " * 2_000_000, chunk=1_000_000))
    with serving(clean_env, tmp_path, upstream.url, "drain_s = 0.1") as proxy, ExitStack() as stack:
        deaf = opened(proxy, stack)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        asked(deaf, "/v1/messages", {**ASK, "stream": True})
        assert deaf.recv(15) == b"HTTP/1.1 200 OK"
        stop(proxy, "ending")
        assert proxy.process.wait(PATIENCE_S) == 0
        assert proxy.log(event="stopped")[0]["cut"] == 1


def test_a_thread_that_waits_for_ever_does_not_hold_up_the_end(
    clean_env: dict[str, str], upstream: Upstream, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("sk-canary")
    config = write_config(tmp_path, upstream.url)
    config.write_text(config.read_text().replace('{ env = "ONE_KEY" }', '{ file = "key" }'))
    with running(clean_env, "--config", str(config)) as proxy:
        key.unlink()
        os.mkfifo(key)
        writer = os.open(key, os.O_RDWR)  # somebody opens it, and never says a word
        try:
            proxy.process.send_signal(signal.SIGHUP)
            time.sleep(1)  # until the reload reads the key
            proxy.process.send_signal(signal.SIGTERM)
            assert proxy.process.wait(PATIENCE_S) == 0
            assert proxy.log(event="stopped")
        finally:
            os.close(writer)


def test_a_successor_takes_over_without_a_gap(clean_env: dict[str, str], upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(Step(text="word " * 20, delay=1, fault="stall", stall_s=2))
    with serving(clean_env, tmp_path, upstream.url, "") as old, ExitStack() as stack:
        stream = opened(old, stack)
        asked(stream, "/v1/messages", {**ASK, "stream": True})
        upstream.wait_for(lambda requests: len(requests) == 1)
        port = str(urlsplit(old.url).port)
        arguments = ("--config", str(tmp_path / "config.toml"), "--port", port, "--replace", str(old.process.pid))
        with running({**clean_env, "ONE_KEY": "sk-canary"}, *arguments) as new:
            assert new.wait_for(event="replaced", process=old.process.pid)["steered"]
            old.wait_for(event="stopping")  # the signal is heard in its next tick
            old.wait_for(event="stopping", stage="closing")
            assert httpx.get(f"{new.url}/health/ready").status_code == 200
            told = rest(stream)
            assert b"event: message_stop" in told
            assert told.endswith(b"\r\n0\r\n\r\n")
            assert old.process.wait(PATIENCE_S) == 0
            assert httpx.post(f"{new.url}/v1/messages", json=ASK).status_code == 200


def test_who_cannot_be_replaced_is_left_alone(clean_env: dict[str, str], upstream: Upstream, tmp_path: Path) -> None:
    with serving(clean_env, tmp_path, upstream.url, "") as old:
        arguments = [*CLI, "serve", "--config", str(tmp_path / "config.toml"), "--port"]
        port = str(urlsplit(old.url).port)
        for where, whom, said in (
            (port, None, "Try --port"),
            ("1", old.process.pid, f"Does process {old.process.pid} listen there?"),
            (port, 1, "no `terraphim-proxy serve`"),
            (port, 2**31 - 1, "no process"),
        ):
            more = [] if whom is None else ["--replace", str(whom)]
            env = {**clean_env, "ONE_KEY": "sk-canary"}
            ended = subprocess.run(
                [*arguments, where, *more], check=False, env=env, capture_output=True, text=True, timeout=60
            )
            assert ended.returncode == 1
            assert said in ended.stderr
        assert httpx.get(f"{old.url}/health/ready").status_code == 200
