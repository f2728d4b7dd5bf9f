"""Child processes with a clean environment, a HOME of their own, and a core of their own where there are two."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from types import MappingProxyType
from typing import IO

from bench import native_programs

#: A hang bound, in seconds.
PATIENCE_S = 60.0
HERE = Path(__file__).parent
#: What the console script `terraphim-proxy` does.
PROGRAM = "from core.cli import main; main()"


@dataclass(frozen=True)
class Cores:
    """Where the measured program runs, and where everything around it does."""

    measured: int
    around: int

    @classmethod
    def available(cls) -> "Cores":
        """The first two cores that this process may use; the same one twice if there is only one."""
        cores = sorted(os.sched_getaffinity(0))
        return cls(cores[0], cores[min(1, len(cores) - 1)])


@dataclass
class Server:
    """A running child that listens on `port`."""

    process: subprocess.Popen[bytes]
    port: int


def environment(home: Path) -> dict[str, str]:
    """Nothing of this machine's but where programs are."""
    home.mkdir(parents=True, exist_ok=True)
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TERRAPHIM_DISCOVERY": "off"}


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Children that start in this block run on `core`: they inherit it, so all their threads do."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def python(*args: str, cache: Path | None = None) -> list[str]:
    """An isolated interpreter. `cache` is where its compiled modules are kept, whatever the environment says."""
    return [sys.executable, "-I", *(["-X", f"pycache_prefix={cache}"] if cache else []), *args]


def program(file: Path, *args: str, core: int, home: Path) -> AbstractContextManager[Server]:
    """One of our own programs in Python, which print their port."""
    return _printing(python(str(file), *args), core, home)


def native(name: str, *args: str, core: int, home: Path, sanitized: bool = False) -> AbstractContextManager[Server]:
    """One of our own programs in C (`bench/native`), which print their port."""
    return _printing([str(native_programs.program(name, sanitized=sanitized)), *args], core, home)


@contextmanager
def _printing(command: Sequence[str], core: int, home: Path) -> Iterator[Server]:
    env = environment(home)
    with pinned(core):
        process = subprocess.Popen(command, env=env, cwd=home, stdout=subprocess.PIPE)
    with _stopped(process):
        line = process.stdout.readline() if process.stdout else b""
        yield Server(process, int(line))


@contextmanager
def proxy(
    *args: str,
    core: int | None,
    home: Path,
    cache: Path | None = None,
    variables: Mapping[str, str] = MappingProxyType({}),
    program: Sequence[str] = ("-c", PROGRAM),
) -> Iterator[Server]:
    """`terraphim-proxy serve` on a free port, when it has answered /health. Its log goes to a file, as in service.
    `program` is what the interpreter runs.
    """
    env = {**environment(home), **variables}
    with ExitStack() as stack:
        log = stack.enter_context((home / "log").open("wb"))
        if core is not None:
            stack.enter_context(pinned(core))
        command = python(*program, "serve", "--port", "0", *args, cache=cache)
        process = subprocess.Popen(command, env=env, cwd=home, stderr=log)
    with _stopped(process):
        port = _announced(process, home / "log")
        _healthy(process, port)
        yield Server(process, port)


def _announced(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        if found := re.search(rb"listens on http://127\.0\.0\.1:(\d+)", log.read_bytes()):
            return int(found[1])
        time.sleep(0.002)
    raise RuntimeError(f"the proxy did not start: {log.read_text()[-2000:]}")


def _healthy(process: subprocess.Popen[bytes], port: int) -> None:
    if not answering(process, port, "/health"):
        raise RuntimeError("the proxy does not answer /health")


def answering(process: subprocess.Popen[bytes], port: int, path: str, patience_s: float = PATIENCE_S) -> bool:
    """Whether a GET of that path is answered with 200 in time."""

    def answered() -> bool:
        return request(port, "GET", path)[0] == 200

    return until(lambda: process.poll() is not None or answered(), patience_s) and process.poll() is None


def until(holds: Callable[[], bool], patience_s: float = PATIENCE_S, pause_s: float = 0.002) -> bool:
    """Whether it held within that time; asked again and again."""
    deadline = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_s)
    return True


def free_port() -> int:
    """A port that nobody listened on a moment ago, for programs that cannot choose one themselves."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def request(port: int, method: str, path: str, body: bytes = b"", *, token: str = "") -> tuple[int, bytes]:
    """Status and body of one request; status 0 if nobody listens yet."""
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except ConnectionError:
        return 0, b""
    finally:
        connection.close()


@contextmanager
def _stopped(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _close(process.stdout)


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        stream.close()
