"""A real nginx that runs the repository's own `deploy/nginx.conf`, with a test's addresses in it."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from facts import ROOT
from redis_server import PATIENCE_S, free_port

CONFIG = ROOT / "deploy" / "nginx.conf"
_LISTEN = re.compile(r"listen 8080;")
_SERVERS = re.compile(r"( *)server proxy-\d:3456 ([^;]*);.*\n")


def rendered(folder: Path, port: int, ports: Sequence[int]) -> str:
    """The file with these ports and this folder for its own files; nothing else differs."""
    text = CONFIG.read_text()
    first = _SERVERS.search(text)
    assert first is not None
    servers = "".join(f"{first[1]}server 127.0.0.1:{each} {first[2]};\n" for each in ports)
    text = text[: first.start()] + servers + _SERVERS.sub("", text[first.end() :])
    assert len(_LISTEN.findall(text)) == 1
    return _LISTEN.sub(f"listen 127.0.0.1:{port};", text).replace("/tmp/nginx", str(folder / "nginx"))  # noqa: S108


@contextmanager
def nginx_running(folder: Path, ports: Sequence[int]) -> Iterator[str]:
    """The URL of an nginx (Debian's package) before proxies on these ports; skips loudly where there is none."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if program is None:
        pytest.skip("SKIPPED: nginx is not installed (Debian: apt-get install nginx-light)")
    port = free_port()
    (folder / "nginx.conf").write_text(rendered(folder, port, ports))
    started_as = "user root; " if os.getuid() == 0 else ""  # the folder is its user's alone
    command = [program, "-p", str(folder), "-e", "stderr", "-c", "nginx.conf", "-g", f"{started_as}daemon off;"]
    with (folder / "nginx.log").open("wb") as log:
        process = subprocess.Popen(command, env={"HOME": str(folder)}, stderr=log)
    try:
        _wait_for(process, port, folder / "nginx.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_S)
        process.kill()
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError(f"nginx did not start: {log.read_text()}")
