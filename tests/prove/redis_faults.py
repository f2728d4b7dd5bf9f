"""Promise: whatever Redis does, every request is answered, at most one time-out of Redis later, and that once.

A real redis-server behind a real proxy under a steady load, hurt in every way that `redis_scene` knows.
"""

import re
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from bench import children
from bench.stats import percentile, spread
from core.state.redis_link import LONGEST_AGAIN_S
from prove import redis_shared
from prove.redis_scene import FAULTS, RELAYED, Fault, Store, installed, store
from prove.scene import Client, Scene, Seen, scene, wait
from prove.section import Section

#: The first requests of a proxy load what it needs.
WARM: Final = 100
#: Who has no core for more than this share of the time shows nothing of latencies; the fault is tried again so often.
STARVED, TRIES = 0.25, 3
PAUSE_MS: Final = 10.0
#: `redis.timeout_ms`, and how much longer an answer may take for it, once (ms).
TIMEOUT_MS, ONCE_MS = 50, 60.0
#: How much longer it may take while Redis is left alone (ms).
LEFT_ALONE_MS: Final = 1.0
#: A request that takes so much longer than usual waited for Redis (ms).
WAITED_MS: Final = 25.0
#: After so long, an outage is known to everybody (s).
KNOWN_S: Final = 0.3
#: With fewer requests nothing is shown; so many that are slow on a busy machine say nothing.
FEWEST, STRAY = 10, 3
REDIS: Final = """\
[redis]
url = "redis://127.0.0.1:{port}"
timeout_ms = {timeout_ms}
"""
CONFIG: Final = """\
[limits]
requests_per_minute = 1000000
tokens_per_minute = 100000000
concurrent = 1000
without_redis = "local"
[limits.address]
requests_per_minute = 1000000
[limits.targets."a,e"]
requests_per_minute = 1000000
[cache]
targets = ["c,d"]
ttl_s = 0.1
[providers.real]
dialect = "anthropic"
base_url = "http://127.0.0.1:{provider}"
allow_private = true
[providers.real.models]
m = {{}}
"""
#: Whom each client asks: a provider (so that its session is remembered), the default, and one whose answers are kept.
MODELS: Final = ("real,m", "auto", "c,d")
CLIENTS: Final = len(MODELS)


class Window(Struct):
    """What happened around one fault: moments on the machine's monotonic clock (s), and what the proxy said."""

    fault: str
    outages: int | None
    refusals: tuple[str, ...]
    begun: float = 0.0
    healed: float = 0.0
    served: float = 0.0
    lines: list[dict[str, Any]] = []
    refused: list[str] = []
    #: Of this time, the share that one of the programs was ready and had no core.
    starved: float = 0.0

    def said(self, event: str) -> list[str]:
        return [str(line.get("why", "")) for line in self.lines if line.get("event") == event]


class Load(NamedTuple):
    """What clients saw of the proxy on Redis, and what others saw meanwhile of one that has none: the floor."""

    hurt: list[Seen]
    floor: list[Seen]

    def between(self, begun: float, ended: float) -> "Load":
        """Of requests that began in this time, in seconds on the machine's clock."""
        return Load(*([one for one in seen if begun <= one.begun <= ended] for seen in self))


def section(folder: Path, seconds: float) -> Section:
    """Each fault for so many seconds, and as long without any after it."""
    ways = len(FAULTS) + len(RELAYED)
    found = Section(f"redis: {CLIENTS} clients ask while Redis is hurt in {ways} ways")
    if not installed():
        found.skipped = "redis-server is not installed (Debian: apt-get install redis-server)"
        return found
    asked = 0
    judged = 0
    for name, faults in (("itself", FAULTS), ("between", RELAYED)):
        with store(folder / name / "redis") as server:
            port = server.relay.port if faults is RELAYED else server.port
            windows, load = _run(folder / name, server, port, faults, seconds)
        for window in windows:
            counts, findings = judge(window, load)
            found.counts[window.fault] = counts
            found.findings += [f"{window.fault}: {finding}" for finding in findings]
            judged += window.starved < STARVED
        found.findings += [f"a request ended with status {one.status}" for one in load.hurt if one.status != 200][:5]
        asked += len(load.hurt)
    redis_shared.stage(folder / "shared", found)
    if not judged:
        found.skipped = "latencies: the machine was too busy to show any"
    found.number = f"{len(found.findings)} findings in {asked} requests, latencies judged for {judged} of {ways} faults"
    return found


def _run(folder: Path, server: Store, port: int, faults: Sequence[Fault], seconds: float) -> tuple[list[Window], Load]:
    """All of these faults, one after the other, and everything that the clients saw."""
    with ExitStack() as stack:
        core = children.Cores.available().around
        provider = stack.enter_context(children.program("mock", core=core, home=folder / "provider"))
        config = CONFIG.format(provider=provider.port)
        redis = REDIS.format(port=port, timeout_ms=TIMEOUT_MS)
        running = stack.enter_context(scene(folder / "proxy", config=config + redis))
        alone = stack.enter_context(scene(folder / "alone", config=config))
        with ExitStack() as load:
            hurt, floor = ([load.enter_context(client) for client in _clients(proxy)] for proxy in (running, alone))
            wait(lambda: commands(running) > 0, "Redis is not used")
            wait(lambda: min(map(requests, (running, alone))) > WARM, "the clients do not ask")
            time.sleep(seconds)
            windows = [_fairly(running, alone, server, fault, seconds) for fault in faults]
        if wrong := running.whole():
            raise RuntimeError(wrong[0])
    return windows, Load(*([one for client in clients for one in client.seen] for clients in (hurt, floor)))


def _clients(proxy: Scene) -> list[AbstractContextManager[Client]]:
    return [proxy.client("POST", "/v1/messages", asking(number), pause_ms=PAUSE_MS) for number in range(CLIENTS)]


def asking(number: int) -> bytes:
    """A client's requests, in a session of its own."""
    user = msgspec.json.encode({"session_id": f"session-{number}"}).decode()
    message = {"role": "user", "content": "hello"}
    asked = {"model": MODELS[number], "max_tokens": 64, "messages": [message], "metadata": {"user_id": user}}
    return msgspec.json.encode(asked)


def _fairly(running: Scene, alone: Scene, server: Store, fault: Fault, seconds: float) -> Window:
    """The fault, again if the machine was too busy to show anything; the last try counts."""
    window = Window(fault.name, fault.outages, fault.refusals)
    refused: list[str] = []  # of all tries: the log says it once in a minute
    for _ in range(TRIES):
        begun, before = time.monotonic(), [ran_late_s(pid) for pid in (running.process.pid, alone.process.pid)]
        server_before = ran_late_s(server.pid)
        window = _hurt(running, server, fault, seconds)
        after = [ran_late_s(pid) for pid in (running.process.pid, alone.process.pid)]
        late = [*(now - then for now, then in zip(after, before, strict=True)), ran_late_s(server.pid) - server_before]
        window.refused = refused = [*refused, *window.said("redis_refused")]
        window.starved = max(late) / (time.monotonic() - begun)
        if window.starved < STARVED:
            break
    return window


def ran_late_s(pid: int) -> float:
    """For how long this process was ready to run and had no core (s); 0 if the kernel does not say."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _hurt(running: Scene, server: Store, fault: Fault, seconds: float) -> Window:
    """One fault, and until Redis serves again."""
    before = len(running.log())
    window = Window(fault.name, fault.outages, fault.refusals, time.monotonic())
    fault.hurt(server)
    time.sleep(seconds)
    window.healed = time.monotonic()
    fault.heal(server)
    wait(lambda: health(running) == "ok", f"{fault.name}: Redis is not used again", patience_s=30 + LONGEST_AGAIN_S)
    served = commands(running)
    wait(lambda: commands(running) > served + CLIENTS, f"{fault.name}: Redis is not asked again")
    wait(lambda: server.command("DBSIZE") > 0, f"{fault.name}: nothing is kept in Redis again")
    window.served = time.monotonic()
    time.sleep(seconds)
    window.lines = [msgspec.json.decode(line) for line in running.log()[before:].splitlines() if line.startswith("{")]
    return window


def health(running: Scene) -> str:
    status, data = running.request("/health")
    return str(msgspec.json.decode(data)["redis"]) if status == 200 else ""


def requests(running: Scene) -> float:
    """How many it has answered."""
    found = re.findall(r"^terraphim_requests_total\{.*\} (\S+)$", running.metrics(), re.MULTILINE)
    return sum(map(float, found))


def commands(running: Scene) -> float:
    """How many commands Redis has answered."""
    found = re.search(r'terraphim_redis_commands_total\{outcome="ok"\} (\S+)', running.metrics())
    return float(found[1]) if found else 0.0


def judge(window: Window, load: Load) -> tuple[str, list[str]]:
    """Figures of one fault, and what is wrong with them."""
    during = load.between(window.begun - 0.1, window.served)
    if min(map(len, during)) < FEWEST:
        return "", [f"only {len(during.hurt)} requests, and {len(during.floor)} without Redis: nothing is shown"]
    downs, ups = window.said("redis_down"), window.said("redis_up")
    if window.starved >= STARVED:
        told = f"latencies not judged: no core for {window.starved:.0%} of the time"
        return f"{_figures(during)}; {told}", _said_wrong(window, downs, ups)
    findings = _said_wrong(window, downs, ups)
    late, late_anyway = _slower(during, ONCE_MS)
    if late > 2 * late_anyway + STRAY:
        findings.append(f"{late} requests took over {ONCE_MS:.0f} ms longer, {late_anyway} without Redis")
    waited, anyway = _slower(during, WAITED_MS)
    if waited > CLIENTS * len(downs) + 2 * anyway + STRAY:
        findings.append(f"{waited} requests waited, {anyway} without Redis: {CLIENTS} clients, {len(downs)} outages")
    added, mood = _left_alone(load.between(window.begun + KNOWN_S, window.healed))
    if window.outages == 1 and added > LEFT_ALONE_MS + mood:
        findings.append(f"requests take {added:.1f} ms longer while Redis is left alone, give or take {mood:.1f}")
    alone = f"; {added:+.1f} ms while left alone" if window.outages == 1 else ""
    return f"{_figures(during)}; {waited} waited ({anyway}), outages: {', '.join(downs) or 'none'}{alone}", findings


def _figures(load: Load) -> str:
    told = [
        ", ".join([*(f"p{at} {percentile(ms, at):.1f}" for at in (50, 99)), f"max {max(ms):.0f}"])
        for ms in ([one.ms for one in seen] for seen in load)
    ]
    return f"{len(load.hurt)} requests, {told[0]} ms (without Redis {told[1]})"


def _slower(load: Load, by_ms: float) -> list[int]:
    """How many requests took so much longer than is usual without Redis: of both."""
    usual = percentile([one.ms for one in load.floor], 50)
    return [sum(one.ms > usual + by_ms for one in seen) for seen in load]


def _left_alone(load: Load) -> tuple[float, float]:
    """How much longer requests take (ms, medians) than without Redis, and how much the machine's mood is worth."""
    if min(map(len, load)) < FEWEST:
        return 0.0, 0.0
    hurt, floor = ([one.ms for one in seen] for seen in load)
    lowest, highest = spread(floor)
    return percentile(hurt, 50) - percentile(floor, 50), highest - lowest


def _said_wrong(window: Window, downs: Sequence[str], ups: Sequence[str]) -> list[str]:
    """One line of the log for each change, and one for what the server keeps refusing."""
    findings = []
    if len(downs) != len(ups):
        findings.append(f"{len(downs)} times down and {len(ups)} times up in the log")
    if window.outages is not None and len(downs) != window.outages and window.starved < STARVED:
        findings.append(f"{len(downs)} outages in the log, not {window.outages}: {', '.join(downs)}")
    if sorted(window.refused) != sorted(window.refusals):
        findings.append(f"the log says that Redis refused {window.refused}, not {list(window.refusals)}")
    return findings
