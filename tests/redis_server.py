"""A real redis-server of its own for a test: `with redis_running(folder) as server`."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

#: A hang bound, not a measurement.
PATIENCE_S = 10.0


@dataclass
class RedisServer:
    """A server that answers on loopback."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def redis_running(folder: Path, *options: str, port: int = 0) -> Iterator[RedisServer]:
    """Start `redis-server` (Debian's package) with nothing kept on disk; skips loudly where it is not installed."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("SKIPPED: redis-server is not installed (Debian: apt-get install redis-server)")
    port = port or free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder), *options]
    process = subprocess.Popen(command, env={"HOME": str(folder)}, stdout=subprocess.DEVNULL)
    try:
        _wait_for(process, port)
        yield RedisServer(process, port)
    finally:
        process.kill()
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(b"PING\r\n")
            if connection.recv(16):  # `+PONG`, or an error that says that it wants a password
                return
        time.sleep(0.02)
    raise AssertionError("redis-server did not start")
