"""`faultd`, a real proxy in front of it with short clocks, and requests that name their fault: what the proofs of the
data plane stand on.
"""

import json
import random
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from bench import children
from prove import chain
from prove.canary_search import Search
from prove.faultd_table import ENDLESS, FAULTS, Directive
from prove.oracle import Case
from prove.oracle_reading import CLIENTS, Client

#: What the proxy sends to the provider, and what no client may ever read.
KEY: Final = "sk-prove-0b5f7a9c4d2e8f61"
PORTS: Final = ("main", "refused", "backlog", "tls", "close", "stale")
DIALECTS: Final = ("anthropic", "openai", "openai-responses", "gemini")
#: The proxy's clocks (s): a fault that is a silence costs a request so much.
CLOCKS: Final = {"connect_s": 2.0, "first_content_s": 1.0, "between_content_s": 0.7, "total_s": 3.0}
#: An exchange that has no end after so long is a hang (s): more than the clocks allow, with a busy machine's delays.
BOUND_S: Final = 15.0


class Seen(NamedTuple):
    """What faultd says of the requests with one nonce; see there."""

    asked: int
    begun: float
    lost: float


class Ask(NamedTuple):
    """A request, ready to be sent, and what its answer is judged by."""

    fault: str
    upstream: str
    case: Case
    data: bytes


class Rig(NamedTuple):
    """Both processes. `ports` are faultd's."""

    folder: Path
    proxy: children.Server
    ports: dict[str, int]
    faultd: subprocess.Popen[bytes]

    def control(self) -> dict[str, Any]:
        """What faultd has seen since it was asked last."""
        with socket.create_connection(("127.0.0.1", self.ports["control"]), children.PATIENCE_S) as connection:
            connection.sendall(b"seen\n")
            line = connection.makefile("rb").readline()
        return msgspec.json.decode(line, type=dict[str, Any])

    def seen(self) -> dict[str, Seen]:
        """By nonce."""
        return {nonce: Seen(**said) for nonce, said in self.control()["seen"].items()}

    def log(self) -> str:
        """All that the proxy wrote so far."""
        return (self.folder / "home" / "log").read_text(errors="replace")

    def metrics(self) -> str:
        """The text of /metrics."""
        return children.request(self.proxy.port, "GET", "/metrics")[1].decode()

    def after(self) -> Iterator[str]:
        """Findings that are due at the end of any proof: the proxy lives, says no secret and has logged no bug."""
        if (status := self.proxy.process.poll()) is not None:
            yield f"the proxy ended with status {status}: {self.log()[-500:]}"
            return
        log = self.log()
        search = Search({"the provider's key": KEY})
        for where, text in (("the log", log), ("the metrics", self.metrics())):
            yield from search.told(where, text.encode())
        bugs = [line for line in log.splitlines() if '"event":"bug"' in line or "Traceback" in line]
        if bugs:
            yield f"{len(bugs)} bugs in the log, the first: {bugs[0][:600]}"


def configuration(ports: dict[str, int], clocks: dict[str, float] = CLOCKS, more: str = "") -> str:
    """A provider for each dialect and port of faultd, nothing between them and a client."""
    lines = ["[upstream]", *(f"{name} = {value}" for name, value in clocks.items())]
    lines += ["[resilience]", "breaker = false", "max_wait_s = 0.5"]  # every request must meet its fault
    for dialect in DIALECTS:
        for port in PORTS:
            lines += [
                f"[providers.{provider(dialect, port)}]",
                f'dialect = "{dialect}"',
                f'base_url = "{base_url(dialect, port, ports)}"',
                'api_key = { file = "key" }',
                "allow_private = true",
                "any_model = true",
            ]
    lines += ['[plugins]\ndir = "plugins"', '[taxonomy]\ndir = "taxonomy"', more]
    return "\n".join([*lines, "[routing]", f'default = "{provider("anthropic", "main")},m"', ""])


def base_url(dialect: str, port: str, ports: dict[str, int]) -> str:
    """Where a provider of this dialect is."""
    scheme, path = ("https" if port == "tls" else "http"), ("" if dialect == "anthropic" else "/v1")
    return f"{scheme}://127.0.0.1:{ports[port]}{path}"


def provider(dialect: str, port: str) -> str:
    """Its name in the configuration."""
    return f"{dialect}-{port}"


@contextmanager
def faultd(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, int]]]:
    """The provider, and its ports."""
    command = children.python("-m", "prove.faultd")
    env = children.environment(folder / "faultd")
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as process:
        try:
            line = process.stdout.readline() if process.stdout else b""
            yield process, json.loads(line)
        finally:
            process.kill()


@contextmanager
def rig(folder: Path, clocks: dict[str, float] = CLOCKS, more: str = "") -> Iterator[Rig]:
    """Both running, in `folder`, which does not exist yet. `more` is further configuration."""
    for name in ("plugins", "taxonomy"):
        (folder / name).mkdir(parents=True)
    (folder / "key").write_text(KEY)
    with ExitStack() as stack:
        process, ports = stack.enter_context(faultd(folder))
        (folder / "config.toml").write_text(configuration(ports, clocks, more))
        arguments = ("--config", str(folder / "config.toml"))
        proxy = stack.enter_context(children.proxy(*arguments, core=None, home=folder / "home"))
        yield Rig(folder, proxy, ports, process)


class Asking:
    """Makes requests: seeded, so that a run can be repeated. `between` a model's provider and name."""

    def __init__(self, seed: int, between: str = ",") -> None:
        self.between = between
        self.rng = random.Random(seed)  # noqa: S311 - reproducible on purpose

    def any(self, names: Sequence[str] = tuple(FAULTS)) -> Ask:
        """A random one of these faults, by weight, in a random form."""
        [name] = self.rng.choices(names, [FAULTS[name].weight for name in names])
        client, upstream, streamed = self.rng.choice(forms(name))
        return self.one(name, client, upstream, streamed=streamed)

    def one(self, name: str, client: Client, upstream: str, *, streamed: bool, mark: int | None = None) -> Ask:
        """This fault, with a seed and a nonce of its own; `mark` is the nonce's last digit."""
        fault = FAULTS.get(name) or ENDLESS[name]
        nonce = f"{self.rng.getrandbits(48):012x}"
        directive = Directive(name, self.rng.randrange(10**6), nonce if mark is None else f"{nonce[:-1]}{mark:x}")
        said = chain.content(chain.shape_of(fault.shape, directive.seed), directive.nonce)
        case = Case(client, streamed, directive.nonce, said, fault.may, (KEY.encode(),), fault.ends_early)
        asked = client.request(f"{provider(upstream, fault.port)}{self.between}{name}", str(directive), stream=streamed)
        return Ask(name, upstream, case, post(client.path, msgspec.json.encode(asked)))


def forms(name: str) -> list[tuple[Client, str, bool]]:
    """Client, upstream's dialect and whether streamed: every way in which a fault can be asked for."""
    fault = FAULTS[name]
    return [
        (client, upstream, streamed) for client in CLIENTS for upstream in fault.dialects for streamed in fault.streamed
    ]


def post(path: str, body: bytes) -> bytes:
    """A request's bytes."""
    headers = ("host: 127.0.0.1", "content-type: application/json", f"content-length: {len(body)}")
    return "\r\n".join([f"POST {path} HTTP/1.1", *headers, "", ""]).encode() + body
