"""Promise: three proxies on one Redis let no more through in any 60 s than the limits say, by the provider's own clock.

Clients ask all the time, whatever they are told, and one of the proxies is killed in the middle. Then the same rules
under random steps of requests, crashes and clocks (`limits_model`).
"""

import asyncio
import random
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from redis_server import redis_running
from upstream import Upstream
from upstream import running as upstream_running
from upstream_http import Recorded
from upstream_script import Spent, Step

from bench import children
from prove import limits_model
from prove.section import Section, tally

PROXIES: Final = 3
#: Requests a second of all clients together, about, whatever they are told: several times what the limits allow.
ASKED: Final = 200
#: A hang bound, in seconds.
PATIENCE_S: Final = 60.0
WINDOW_S: Final = 60.0
#: What each answer uses, and what its request reserves at least.
USED: Final = Spent(input=15, output=10)
MOST: Final = 40
#: A key's name to its own limits.
KEYS: Final = {
    "rate": "requests_per_minute = 600",
    "tokens": "tokens_per_minute = 9000",
    "many": "concurrent = 10",
}
REQUESTS, TOKENS, AT_ONCE, TARGET = 600, 9000, 10, 2400
CONFIG: Final = """\
[providers.one]
dialect = "anthropic"
base_url = "{url}"
allow_private = true
models = {{ main = {{}} }}
[routing]
default = "one,main"
[resilience]
breaker = false
[limits]
without_redis = "closed"
[limits.targets.one]
requests_per_minute = {target}
[redis]
url = "{redis}"
timeout_ms = 5000
[records]
store = "none"
[plugins]
dir = "plugins"
[taxonomy]
dir = "taxonomy"
"""


class Arrival(NamedTuple):
    """A request at the provider: when it came, when its client had sent it (s, one clock), and how many were there."""

    came: float
    sent: float
    name: str
    there: int


class Arrivals(list[Recorded]):
    """Requests as the provider got them."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Arrival] = []
        self._open: dict[str, list[Recorded]] = {name: [] for name in KEYS}

    def append(self, one: Recorded) -> None:
        """Called by the provider when a request is there."""
        name, sent = str(one.json["messages"][0]["content"]).split()
        there = [each for each in self._open[name] if not (each.answered or each.left_early)]
        self._open[name] = [*there, one]
        self.seen.append(Arrival(time.monotonic(), float(sent), name, len(there) + 1))
        super().append(one)

    def of(self, *names: str) -> list[Arrival]:
        """Requests of these keys."""
        return [each for each in self.seen if each.name in names]

    def at_once(self, name: str) -> int:
        """The most that were there at once of this key."""
        return max((each.there for each in self.of(name)), default=0)


def worst(seen: Sequence[Arrival], window_s: float = WINDOW_S) -> int:
    """The most that any window holds for sure: they were sent in it, and came in it.

    When a request was let in, in between, nobody outside knows; and what comes late from the window before is no more
    than was on its way.
    """
    by_sent = sorted(seen, key=lambda each: each.sent)
    ends = [(place, each.sent + window_s) for place, each in enumerate(by_sent)]
    return max((sum(each.came < end for each in by_sent[place:]) for place, end in ends), default=0)


def by_arrival(seen: Sequence[Arrival]) -> int:
    """The most that came in any window, whenever they were sent."""
    return worst([each._replace(sent=each.came) for each in seen])


def secret(name: str) -> str:
    """The client key of this name."""
    return f"client-key-{name}-of-the-proof"


@contextmanager
def proxies(folder: Path, upstream: str, redis: str) -> Iterator[list[children.Server]]:
    """Three of one configuration."""
    for name in ("plugins", "taxonomy"):
        (folder / name).mkdir(parents=True)
    keys = "".join(
        f'[[server.keys]]\nname = "{name}"\nkey = {{ env = "{name.upper()}_KEY" }}\nlimits = {{ {limits} }}\n'
        for name, limits in KEYS.items()
    )
    (folder / "config.toml").write_text(CONFIG.format(url=upstream, redis=redis, target=TARGET) + keys)
    variables = {f"{name.upper()}_KEY": secret(name) for name in KEYS}
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                children.proxy(
                    "--config",
                    str(folder / "config.toml"),
                    core=None,
                    home=folder / f"home-{number}",
                    variables=variables,
                )
            )
            for number in range(PROXIES)
        ]


class Crowd:
    """Clients of all keys that ask until it is over. `ports` are the proxies that they may ask."""

    def __init__(self, ports: Sequence[int], clients: int) -> None:
        self.ports = list(ports)
        self.over = False
        self.told: Counter[str] = Counter()
        self._rng = random.Random(clients)  # noqa: S311 - reproducible on purpose
        self._pause_s = 2 * clients / ASKED

    async def client(self, name: str) -> None:
        """One client; it changes to another proxy when its own has gone."""
        while not self.over:
            with suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._rng.choice(self.ports))
                try:
                    while not self.over:
                        self.told[await _asked(reader, writer, name)] += 1
                        await asyncio.sleep(self._rng.random() * self._pause_s)
                finally:
                    writer.close()
            await asyncio.sleep(0.1)


async def _asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> str:
    """What came of one request: its status, and the type of its error."""
    body = msgspec.json.encode(
        {"model": "auto", "max_tokens": MOST, "messages": [{"role": "user", "content": f"{name} {time.monotonic()}"}]}
    )
    head = (
        f"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nx-api-key: {secret(name)}"
    )
    writer.write(f"{head}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
    async with asyncio.timeout(PATIENCE_S):
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: (\d+)", answer)
        data = await reader.readexactly(int(length[1]) if length else 0)
    status = answer[9:12].decode()
    return status if status == "200" else f"{status} {msgspec.json.decode(data)['error']['type']}"


async def flood(servers: Sequence[children.Server], clients: int, seconds: float) -> Crowd:
    """So many clients for so long; the first proxy is killed when half of it is over."""
    crowd = Crowd([server.port for server in servers], clients)
    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(crowd.client(list(KEYS)[number % len(KEYS)]))
        await asyncio.sleep(seconds / 2)
        servers[0].process.kill()
        del crowd.ports[0]
        await asyncio.sleep(seconds / 2)
        crowd.over = True
    return crowd


def judge(arrivals: Arrivals, seconds: float, told: Counter[str]) -> list[str]:
    """What is wrong: too much in 60 s, or, of a shorter run, more than a tenth at once and nine tenths evenly."""
    findings = []
    for what, seen, limit in (
        ("requests of a key", arrivals.of("rate"), REQUESTS),
        ("requests of a key, by its tokens", arrivals.of("tokens"), TOKENS // _each()),
        ("requests of the target", arrivals.of(*KEYS), TARGET),
    ):
        if (most := worst(seen)) > limit:
            findings.append(f"{what}: {most} in 60 s, the limit is {limit}")
        allowed = limit / 10 + 0.9 * limit * seconds / WINDOW_S + 1
        if len(seen) > allowed:
            findings.append(f"{what}: {len(seen)} in {seconds:.0f} s, {allowed:.0f} may be")
        if not seen:
            findings.append(f"{what}: none came through")
    if (most := arrivals.at_once("many")) > AT_ONCE:
        findings.append(f"{most} requests at once, the limit is {AT_ONCE}")
    if strange := {name: count for name, count in told.items() if name not in WANTED}:
        findings.append(f"answers of another kind: {tally(strange)}")
    return findings


#: 529: Redis was asked and did not answer in time.
WANTED: Final = {"200", "429 rate_limit_error", "529 overloaded_error"}


def _each() -> int:
    return (USED.input or 0) + (USED.output or 0)


def section(folder: Path, clients: int, seconds: float, steps: int) -> Section:
    """The three proxies under load, then the model."""
    result = Section(
        f"limits: {clients} clients for {seconds:.0f} s on {PROXIES} proxies, one is killed; {steps} steps"
    )
    if shutil.which("redis-server") is None:
        result.skipped = "redis-server is not installed (Debian: apt-get install redis-server)"
        return result
    folder.mkdir(parents=True)
    with redis_running(folder) as server:
        most = _real(result, folder / "proxies", server.url, clients, seconds)
    with redis_running(folder) as server:
        model = limits_model.run(server.url, steps, seed=steps)
    result.findings += model.findings
    result.counts["steps of the model"] = f"{steps}: {tally(model.counts)}"
    settled = sum(entry.settled for entries in model.ledger.entries.values() for entry in entries.values())
    result.counts["reservations settled"] = f"{settled}, each once, with what was used"
    result.number = f"{most}; {settled} reservations settled once in {steps} steps"
    return result


def _real(result: Section, folder: Path, redis: str, clients: int, seconds: float) -> str:
    arrivals = Arrivals()
    with upstream_running() as upstream, proxies(folder, upstream.url, redis) as servers:
        _ready(upstream, arrivals)
        begun = time.monotonic()
        crowd = asyncio.run(flood(servers, clients, seconds))
        lasted = time.monotonic() - begun
    result.findings += judge(arrivals, lasted, crowd.told)
    result.counts["answers"] = tally(crowd.told)
    most = f"at most {worst(arrivals.of('rate'))} of {REQUESTS} requests of a key in {min(lasted, WINDOW_S):.0f} s"
    result.counts["by the provider's clock"] = (
        f"{most} ({by_arrival(arrivals.of('rate'))} with those that came late), "
        f"{worst(arrivals.of('tokens')) * _each()} of {TOKENS} tokens, {worst(arrivals.of(*KEYS))} of {TARGET}"
        f" of the target, {arrivals.at_once('many')} of {AT_ONCE} at once"
    )
    return most


def _ready(upstream: Upstream, arrivals: Arrivals) -> None:
    upstream.requests = arrivals
    upstream.script(Step(text="OK", usage=USED, delay=0.2, times=10**9))
