"""The real program on a real port: `with running(env) as proxy`."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import forks
import httpx
import msgspec

#: A hang bound, not a measurement.
PATIENCE_S = 20.0


@dataclass
class RunningProxy:
    """A proxy in its own process; `lines` is what it wrote to stderr so far."""

    process: subprocess.Popen[str] | forks.Fork
    url: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def token(self) -> str:
        """The admin token, as the banner has it."""
        return next(m[1] for line in self.lines if (m := re.search(r"/ui#token=(\S+)", line)))

    @property
    def admin(self) -> dict[str, str]:
        """The header that the admin plane asks for."""
        return {"authorization": f"Bearer {self.token}"}

    def log(self, **wanted: object) -> list[dict[str, Any]]:
        """Log records with these values."""
        records = [msgspec.json.decode(line) for line in list(self.lines) if line.startswith("{")]
        return [record for record in records if wanted.items() <= record.items()]

    def stopped(self) -> int:
        """Tell it to stop; the exit status once it has, within `PATIENCE_S`."""
        self.process.terminate()
        return self.process.wait(PATIENCE_S)

    def wait_for_text(self, text: str, times: int = 1) -> str:
        """The line in which this stands for so many times, one a line; fails after `PATIENCE_S`."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if len(found := [line for line in list(self.lines) if text in line]) >= times:
                return found[times - 1]
            time.sleep(0.02)
        raise AssertionError(f"no {text!r} in:\n" + "".join(self.lines))

    def wait_for(self, **wanted: object) -> dict[str, Any]:
        """The first log record with these values; fails after `PATIENCE_S`."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if found := self.log(**wanted):
                return found[0]
            time.sleep(0.02)
        raise AssertionError(f"no log line with {wanted} in:\n" + "".join(self.lines))


@contextmanager
def running(env: Mapping[str, str], *args: str, cwd: Path | None = None, fresh: bool = False) -> Iterator[RunningProxy]:
    """Start `terraphim-proxy serve` on a free port and wait until it answers; stop it at the end.

    `fresh`: in an interpreter of its own, where tests would fork.
    """
    process = _started(["serve", "--port", "0", *args], env, cwd, fresh=fresh)
    proxy = RunningProxy(process)
    reader = Thread(target=_read, args=(proxy,), daemon=True)
    reader.start()
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not proxy.url and process.poll() is None and time.monotonic() < deadline:
            proxy.url = next((m[1] for line in proxy.lines if (m := re.search(r"listens on (http://\S+)", line))), "")
            time.sleep(0.01)
        if not proxy.url:
            raise AssertionError("the proxy did not start:\n" + "".join(proxy.lines))
        _healthy(proxy.url, deadline)
        yield proxy
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        process.wait()
        reader.join(5)
        if process.stderr:
            process.stderr.close()


def _healthy(url: str, deadline: float) -> None:
    """Return when it serves: one that it replaces may answer first, that it serves no more."""
    while (answer := httpx.get(f"{url}/health", timeout=PATIENCE_S)).status_code == httpx.codes.SERVICE_UNAVAILABLE:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    answer.raise_for_status()


def _started(
    args: list[str], env: Mapping[str, str], cwd: Path | None, *, fresh: bool
) -> subprocess.Popen[str] | forks.Fork:
    if fresh or forks.current is None:
        command = [sys.executable, "-I", "-m", "core.cli", *args]
        return subprocess.Popen(command, env=dict(env), cwd=cwd, stderr=subprocess.PIPE, text=True, bufsize=1)
    reads, writes = os.pipe()
    with os.fdopen(writes, "wb"), Path(os.devnull).open("rb") as nothing:
        said = os.fdopen(reads, encoding="utf-8")
        streams = (nothing.fileno(), 1, writes)
        return forks.current.start(args, env=env, cwd=cwd, streams=streams, stderr=said)


def _read(proxy: RunningProxy) -> None:
    if proxy.process.stderr:
        with suppress(ValueError):
            proxy.lines.extend(iter(proxy.process.stderr.readline, ""))
