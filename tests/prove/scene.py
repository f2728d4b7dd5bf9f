"""A real proxy with a plugins folder of its own, clients in processes of their own, and what they saw."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from bench import children
from bench.stats import percentile

#: How long something may take that surely comes (s).
PATIENCE_S: Final = 30.0
#: After so long without a change, a file that differs from nothing is served (seconds).
_UNSEEN_S: Final = 3.0
TARGETS: Final = frozenset({"a,b", "a,e", "c,d"})
DEFAULT: Final = "a,e"
_CONFIG: Final = """\
[providers.a]
dialect = "loopback"
[providers.a.models]
b = {}
e = {}
[providers.c]
dialect = "loopback"
[providers.c.models]
d = {}
[routing]
default = "a,e"
[plugins]
dir = "plugins"
[taxonomy]
dir = "taxonomy"
"""


class Seen(NamedTuple):
    """One request as its client saw it; see `client`."""

    begun: float
    ms: float
    status: int
    reason: str
    target: str
    said: list[str]


@dataclass
class Client:
    """A client process; `seen` is there when it has ended."""

    seen: list[Seen] = field(default_factory=list)

    def failed(self) -> list[str]:
        """Requests that were not answered with 200."""
        return [f"status {one.status} after {one.ms:.0f} ms" for one in self.seen if one.status != 200]

    def ms(self, percent: float) -> float:
        """A percentile of the latencies."""
        return percentile([one.ms for one in self.seen], percent)


class Scene:
    """A running proxy."""

    def __init__(self, folder: Path, server: children.Server) -> None:
        self.folder = folder
        self.plugins = folder / "plugins"
        self.port = server.port
        self.process = server.process
        self._log = folder / "home" / "log"
        self._read = self._swaps = 0

    def request(self, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of one request."""
        return children.request(self.port, "POST" if body else "GET", path, body)

    def head_and_body(self, body: bytes) -> tuple[Message, str]:
        """Headers and body of an answer of any status."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request("POST", "/v1/messages", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            return answer.headers, answer.read().decode()
        finally:
            connection.close()

    def explain(self, body: bytes) -> dict[str, Any]:
        """What /v1/route says."""
        status, data = self.request("/v1/route", body)
        if status != 200:
            raise RuntimeError(f"/v1/route answers {status}: {data[:300]!r}")
        return msgspec.json.decode(data, type=dict[str, Any])

    def overview(self) -> dict[str, Any]:
        """What the page begins with."""
        token = (self.folder / "home" / ".local/state/terraphim-proxy/admin-token").read_text().strip()
        status, data = children.request(self.port, "GET", "/admin/overview", token=token)
        if status != 200:
            raise RuntimeError(f"/admin/overview answers {status}: {data[:300]!r}")
        return msgspec.json.decode(data, type=dict[str, Any])

    def metrics(self) -> str:
        """The text of /metrics."""
        return self.request("/metrics")[1].decode()

    def log(self, begin: int = 0) -> str:
        """What the proxy wrote so far, from this byte on."""
        with self._log.open("rb") as log:
            log.seek(begin)
            return log.read().decode(errors="replace")

    def log_size(self) -> int:
        """Bytes that the proxy wrote so far."""
        return self._log.stat().st_size

    def log_settled(self) -> None:
        """Return when what the proxy had to log stands in its log: it writes lines together."""
        size = -1
        while size != (size := self.log_size()):
            time.sleep(0.3)

    def put(self, name: str, content: str | bytes) -> None:
        """A file appears in the plugins folder at once, whole."""
        temporary = self.folder / "arriving"
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.rename(self.plugins / name)

    def loaded(self, name: str, text: str | bytes) -> None:
        """Put a rule there, alone, and wait until it is served.

        What was there before may have come and gone unseen: then nothing changes, and a while without change will do.
        """
        before, begin = self.swaps(), time.monotonic()
        for path in self.plugins.iterdir():
            path.unlink()
        self.put(name, text)

        def served() -> bool:
            changed = self.swaps() > before or time.monotonic() - begin > _UNSEEN_S
            return changed and self.rules() == [name.partition(".")[0]]

        wait(served, f"{name} is not served", 0.05)

    def swaps(self) -> int:
        """How many snapshots came after the first."""
        new, _, _ = self.log(self._read).rpartition("\n")  # who waits asks often, and a log has many megabytes
        self._read += len(new.encode())
        self._swaps += new.count('"snapshot_swapped"')
        return self._swaps

    def rules(self) -> list[str]:
        """The rules that a request is asked now."""
        steps = self.explain(ASKING)["trace"]
        return [step["detail"]["rule"] for step in steps if "rule" in step["detail"]]

    def whole(self) -> list[str]:
        """Findings if the proxy is not the process that was started."""
        status = self.process.poll()
        if status is not None:
            return [f"the proxy ended with status {status}: {self.log()[-500:]}"]
        return [] if self.request("/health")[0] == 200 else ["the proxy does not answer /health"]

    @contextmanager
    def client(self, method: str, path: str, body: bytes = b"", *, pause_ms: float) -> Iterator[Client]:
        """Requests in a process of their own while the block runs."""
        file = self.folder / f"body-{time.monotonic_ns()}"
        file.write_bytes(body)
        command = children.python(
            str(Path(__file__).with_name("client.py")), str(self.port), method, path, str(file), str(pause_ms)
        )
        env = children.environment(self.folder / "clients")
        process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        client = Client()
        try:
            yield client
            out, _ = process.communicate(timeout=PATIENCE_S)
            client.seen += [Seen(*one) for one in json.loads(out)]
        finally:
            process.kill()
            process.wait()


def body(model: str = "auto", text: str = "hello") -> bytes:
    """A request in Anthropic's dialect."""
    message = {"role": "user", "content": text}
    return msgspec.json.encode({"model": model, "max_tokens": 64, "messages": [message]})


#: A request for which rules are asked, and one whose client names its target, for which none is.
ASKING: Final = body()
NAMING: Final = body("c,d")


@contextmanager
def scene(folder: Path, *, config: str = "", rules: Sequence[tuple[str, str]] = ()) -> Iterator[Scene]:
    """A proxy in `folder`, with more configuration and rules (file name, content) that are there from the start."""
    for name in ("plugins", "taxonomy", "clients"):
        (folder / name).mkdir(parents=True)
    for name, content in rules:
        (folder / "plugins" / name).write_text(content)
    (folder / "config.toml").write_text(_CONFIG + config)
    with ExitStack() as stack:
        arguments = ("--config", str(folder / "config.toml"))
        server = stack.enter_context(children.proxy(*arguments, core=None, home=folder / "home"))
        yield Scene(folder, server)


def wait(condition: Callable[[], bool], problem: str, pause_s: float = 0.01, patience_s: float = PATIENCE_S) -> None:
    """Until `condition` holds; RuntimeError if it does not within the patience."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(problem)
        time.sleep(pause_s)


def outcomes(metrics: str) -> dict[str, dict[str, float]]:
    """Rule to outcome to count, from the text of /metrics."""
    found: dict[str, dict[str, float]] = {}
    for line in metrics.splitlines():
        if line.startswith("terraphim_rule_outcomes_total{"):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
            found.setdefault(labels["rule"], {})[labels["outcome"]] = float(line.rpartition(" ")[2])
    return found
