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
#: Who has no core for more than this share of the time shows nothing of latencies. What a busy machine can do as well
#: must be seen in so many tries.
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
HERE: Final = Path(__file__).parent
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
    asked = judged = 0
    for name, all_of_them in (("itself", FAULTS), ("between", RELAYED)):
        faults = list(all_of_them)
        for number in range(TRIES):
            windows, load = _run(folder / f"{name}-{number}", faults, seconds, between=name == "between")
            again = _judged(windows, load, found, last=number == TRIES - 1)
            judged += sum(window.starved < STARVED for window in windows if window.fault not in again)
            asked += len(load.hurt)
            if not (faults := [fault for fault in faults if fault.name in again]):
                break
    redis_shared.stage(folder / "shared", found)
    if not judged:
        found.skipped = "latencies: the machine was too busy to show any"
    found.number = f"{len(found.findings)} findings in {asked} requests, latencies judged for {judged} of {ways} faults"
    return found


def _judged(windows: Sequence[Window], load: Load, found: Section, *, last: bool) -> set[str]:
    """What is wrong with these; and which faults, if it was not the last try, a busy machine may have made slow."""
    again = set[str]()
    for window in windows:
        counts, wrong, slow = judge(window, load)
        if (slow or window.starved >= STARVED) and not last:
            again.add(window.fault)
        else:
            found.counts[window.fault] = counts
            wrong += slow
        found.findings += [f"{window.fault}: {finding}" for finding in wrong]
    found.findings += [f"a request ended with status {one.status}" for one in load.hurt if one.status != 200][:5]
    return again


def _run(folder: Path, faults: Sequence[Fault], seconds: float, *, between: bool) -> tuple[list[Window], Load]:
    """All of these faults, one after the other, and everything that the clients saw."""
    with ExitStack() as stack:
        server = stack.enter_context(store(folder / "redis"))
        port = server.relay.port if between else server.port
        core = children.Cores.available().around
        provider = stack.enter_context(children.program(HERE / "ready.py", core=core, home=folder / "provider"))
        config = CONFIG.format(provider=provider.port)
        redis = REDIS.format(port=port, timeout_ms=TIMEOUT_MS)
        running = stack.enter_context(scene(folder / "proxy", config=config + redis))
        alone = stack.enter_context(scene(folder / "alone", config=config))
        with ExitStack() as load:
            hurt, floor = ([load.enter_context(client) for client in _clients(proxy)] for proxy in (running, alone))
            wait(lambda: commands(running) > 0, "Redis is not used")
            wait(lambda: min(map(requests, (running, alone))) > WARM, "the clients do not ask")
            time.sleep(seconds)
            windows = [_timed(running, alone, server, fault, seconds) for fault in faults]
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


def _timed(running: Scene, alone: Scene, server: Store, fault: Fault, seconds: float) -> Window:
    """The fault, and how busy the machine was meanwhile."""
    begun, late = time.monotonic(), [ran_late_s(pid) for pid in (running.process.pid, alone.process.pid)]
    server_late = ran_late_s(server.pid)
    window = _hurt(running, server, fault, seconds)
    late = [ran_late_s(pid) - then for pid, then in zip((running.process.pid, alone.process.pid), late, strict=True)]
    window.starved = max(*late, ran_late_s(server.pid) - server_late) / (time.monotonic() - begun)
    return window


def ran_late_s(pid: int) -> float:
    """For how long this process was ready to run and had no core (s); 0 if the kernel does not say."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _hurt(running: Scene, server: Store, fault: Fault, seconds: float) -> Window:
    """One fault, and until Redis serves again; Redis is used when it begins and when it ends."""
    _used(running, fault)
    before = _changes(running)
    window = Window(fault.name, fault.outages, fault.refusals, time.monotonic())
    fault.hurt(server)
    time.sleep(seconds)
    window.healed = time.monotonic()
    fault.heal(server)
    _used(running, fault)
    served = commands(running)
    wait(lambda: commands(running) > served + CLIENTS, f"{fault.name}: Redis is not asked again")
    wait(lambda: server.command("DBSIZE") > 0, f"{fault.name}: nothing is kept in Redis again")
    window.served = time.monotonic()
    time.sleep(seconds)
    _used(running, fault)
    window.lines = _changes(running)[len(before) :]
    return window


def _used(running: Scene, fault: Fault) -> None:
    """Wait until Redis is used, and the log says so: a thread of its own writes that."""

    def settled() -> bool:
        said = [line["event"] for line in _changes(running) if line["event"] != "redis_refused"]
        return health(running) == "ok" and said[-1:] in ([], ["redis_up"])

    wait(settled, f"{fault.name}: Redis is not used again", patience_s=30 + LONGEST_AGAIN_S)


def _changes(running: Scene) -> list[dict[str, Any]]:
    """What the log says of Redis."""
    return [msgspec.json.decode(line) for line in running.log().splitlines() if '"event":"redis_' in line]


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


def judge(window: Window, load: Load) -> tuple[str, list[str], list[str]]:
    """Figures of one fault, what is wrong with them, and what a busy machine alone can do as well."""
    during = load.between(window.begun - 0.1, window.served)
    if min(map(len, during)) < FEWEST:
        return "", [], [f"only {len(during.hurt)} requests, and {len(during.floor)} without Redis: nothing is shown"]
    downs, wrong = window.said("redis_down"), _said_wrong(window)
    if window.starved >= STARVED:
        told = f"latencies not judged: no core for {window.starved:.0%} of the time"
        return f"{_figures(during)}; {told}", wrong, []
    slow = []
    if window.outages is not None and len(downs) != window.outages:
        slow.append(f"{len(downs)} outages in the log, not {window.outages}: {', '.join(downs)}")
    late, late_anyway = _slower(during, ONCE_MS)
    if late > 2 * late_anyway + STRAY:
        slow.append(f"{late} requests took over {ONCE_MS:.0f} ms longer, {late_anyway} without Redis")
    waited, anyway = _slower(during, WAITED_MS)
    if waited > CLIENTS * len(downs) + 2 * anyway + STRAY:
        slow.append(f"{waited} requests waited, {anyway} without Redis: {CLIENTS} clients, {len(downs)} outages")
    added, mood = _left_alone(load.between(window.begun + KNOWN_S, window.healed))
    if window.outages == 1 and added > LEFT_ALONE_MS + mood:
        slow.append(f"requests take {added:.1f} ms longer while Redis is left alone, give or take {mood:.1f}")
    alone = f"; {added:+.1f} ms while left alone" if window.outages == 1 else ""
    return f"{_figures(during)}; {waited} waited ({anyway}), outages: {', '.join(downs) or 'none'}{alone}", wrong, slow


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


def _said_wrong(window: Window) -> list[str]:
    """One line of the log for each change, and one for what the server keeps refusing."""
    findings, downs, ups = list[str](), window.said("redis_down"), window.said("redis_up")
    if len(downs) != len(ups):
        findings.append(f"{len(downs)} times down and {len(ups)} times up in the log")
    if sorted(refused := window.said("redis_refused")) != sorted(window.refusals):
        findings.append(f"the log says that Redis refused {refused}, not {list(window.refusals)}")
    return findings
