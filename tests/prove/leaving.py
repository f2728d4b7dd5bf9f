"""Clients that leave: the provider is told at once, nothing of theirs stays, and nobody reads another one's words.

`disconnect`, `cancels`, `nonces` and `mixed` are one promise each.
"""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final

import uvloop

from bench.stats import percentile
from prove import leakcheck
from prove.faultd_table import FAULTS, Where
from prove.oracle import judge
from prove.oracle_http import Connection, End
from prove.oracle_reading import CLIENTS
from prove.rig import BOUND_S, Ask, Asking, Rig, rig
from prove.scene import PATIENCE_S
from prove.section import Section, tally
from prove.truth import Table

#: A provider is told that a client left within so long, at p99 (ms).
TOLD_MS: Final = 200.0
#: Memory may grow by this share after the warm-up.
GROWN: Final = 0.05
#: Clocks that no trial here waits for (s).
LONG: Final = {"connect_s": 30.0, "first_content_s": 60.0, "between_content_s": 60.0, "total_s": 120.0}
#: Where a client is when it leaves, and what its provider is doing.
PHASES: Final = {
    "headers": "hang_head",
    "first token": "hang_opened",
    "mid-stream": "endless",
    "backpressured": "endless",
}
_GOOD: Final = tuple(name for name, fault in FAULTS.items() if fault.where is Where.NOWHERE)
_CHEAP: Final = tuple(name for name, fault in FAULTS.items() if fault.weight >= 10 and fault.port == "main")
_READING_S: Final = 0.15


async def each(asks: Iterable[Ask], at_once: int, do: Callable[[Ask], Awaitable[None]]) -> None:
    """All of them, so many at once."""
    waiting = iter(asks)

    async def client() -> None:
        for ask in waiting:
            await do(ask)

    await asyncio.gather(*(client() for _ in range(at_once)))


def disconnect(folder: Path, trials: int) -> Section:
    """Leave in each phase, by FIN and by RST, through the proxy and through a bare relay."""
    found = Section(f"{trials} clients that leave")
    with rig(folder, LONG) as running:
        found.counts["before connect"] = _before_connect(running, max(10, trials // 20), found)
        late = uvloop.run(_leave_all(running, running.proxy.port, trials))
        bare = uvloop.run(_baseline(running, trials // 4))
        found.findings += running.after()
    for phase, ms in late.items():
        found.counts[phase] = f"p99 {percentile(ms, 99):.1f} ms, median {percentile(ms, 50):.1f} ms, {len(ms)} trials"
    together = [each_one for ms in late.values() for each_one in ms]
    base = [each_one for ms in bare.values() for each_one in ms]
    found.counts["a bare relay"] = f"p99 {percentile(base, 99):.1f} ms, {len(base)} trials"
    found.number = (
        f"provider told after {percentile(together, 99):.1f} ms at p99 (a bare relay: {percentile(base, 99):.1f} ms)"
    )
    if percentile(together, 99) > TOLD_MS:
        found.findings.append(f"p99 {percentile(together, 99):.0f} ms, the bound is {TOLD_MS:.0f}")
    if lost := sum(ms == float("inf") for ms in together):
        found.findings.append(f"{lost} providers were never told")
    return found


async def _leave_all(running: Rig, port: int, trials: int) -> dict[str, list[float]]:
    """Phase to milliseconds until the provider knew; infinite if it never did."""
    asking, left = Asking(5), dict[str, tuple[str, float]]()

    async def one(ask: Ask) -> None:
        number = int(ask.case.nonce, 16)
        phase = tuple(PHASES)[number % 4]
        connection = await Connection.open(port)
        connection.send(ask.data)
        if phase == "backpressured":
            connection.transport.pause_reading()
        if phase == "mid-stream":
            await connection.wait(lambda reader: len(reader.body) > 1000, BOUND_S)
        else:
            await asyncio.sleep(_READING_S * (3 if phase == "backpressured" else 1))
        left[ask.case.nonce] = (phase, time.monotonic())
        connection.leave(reset=number % 8 >= 4)

    asks = (_phased(asking, number) for number in range(trials))
    await each(asks, 8, one)
    await asyncio.sleep(1)
    seen = running.seen()
    late: dict[str, list[float]] = {phase: [] for phase in PHASES}
    for nonce, (phase, when) in left.items():
        if nonce in seen:  # otherwise it left before its request was on its way
            late[phase].append(max(0.0, seen[nonce].lost - when) * 1000 if seen[nonce].lost else float("inf"))
    return late


def _phased(asking: Asking, number: int) -> Ask:
    """A streamed request whose nonce says the phase."""
    name = tuple(PHASES.values())[number % 4]
    return asking.one(name, CLIENTS[0], "anthropic", streamed=True, mark=number % 8)


async def _baseline(running: Rig, trials: int) -> dict[str, list[float]]:
    """The same through a relay that does nothing else, in this very loop."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", running.ports["main"])

        async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()

        pipes = [asyncio.ensure_future(pipe(reader, up_writer)), asyncio.ensure_future(pipe(up_reader, writer))]
        await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
        for one in pipes:
            one.cancel()
        await asyncio.gather(*pipes, return_exceptions=True)
        writer.transport.abort()
        up_writer.transport.abort()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    try:
        return await _leave_all(running, server.sockets[0].getsockname()[1], trials)
    finally:
        server.close()


def _before_connect(running: Rig, trials: int, found: Section) -> str:
    """While the proxy still connects, to a backlog that is full: the kernel's list of sockets shows it giving up."""
    port, pid, late = running.ports["backlog"], running.proxy.process.pid, list[float]()

    async def one(ask: Ask) -> None:
        connection = await Connection.open(running.proxy.port)
        connection.send(ask.data)
        tries = await _until(lambda: connects(pid, port))
        begun = time.monotonic()
        connection.leave(reset=int(ask.case.nonce, 16) % 2 == 0)
        if not tries:
            found.findings.append("before connect: the proxy did not connect")
            return
        gone = await _until(lambda: not connects(pid, port))
        late.append((time.monotonic() - begun) * 1000 if gone else float("inf"))

    asking = Asking(6)
    asks = [asking.one("backlog", CLIENTS[0], "anthropic", streamed=True) for _ in range(trials)]
    uvloop.run(each(asks, 1, one))
    worst = percentile(late, 99) if late else float("inf")
    if worst > TOLD_MS:
        found.findings.append(f"before connect: {worst:.0f} ms at p99 until the proxy gave up")
    return f"p99 {worst:.1f} ms until it gives up connecting, {len(late)} trials"


async def _until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.001)
    return True


def connects(pid: int, port: int) -> bool:
    """Whether the process has a socket in SYN_SENT (02) towards a port: others, who fill the backlog, may have, too."""
    lines = map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
    trying = {f"socket:[{fields[9]}]" for fields in lines if fields[2].endswith(f":{port:04X}") and fields[3] == "02"}
    return bool(trying) and any(_link(descriptor) in trying for descriptor in Path(f"/proc/{pid}/fd").iterdir())


def _link(descriptor: Path) -> str:
    """What a descriptor is; empty if it was closed meanwhile."""
    try:
        return str(descriptor.readlink())
    except OSError:
        return ""


def cancels(folder: Path, count: int) -> Section:
    """Leave at random moments; then nothing may be left."""
    found = Section(f"{count} requests cancelled at random moments")
    with rig(folder) as running:
        uvloop.run(_cancel(running.proxy.port, 200, 7))  # what is made once is no leak
        time.sleep(4)
        before = leakcheck.held(running)
        ends = uvloop.run(_cancel(running.proxy.port, count, 8))
        after = leakcheck.calm(running, before)
        found.findings += leakcheck.leaks(before, after)
        found.findings += running.after()
    found.counts = {"ends": tally(ends), "before": str(before), "after": str(after)}
    grown = ", ".join(
        f"{name} {late - early:+d}" for name, early, late in zip(before._fields, before, after, strict=True)
    )
    found.number = f"after {count} cancels: {grown}"
    return found


async def _cancel(port: int, count: int, seed: int) -> Counter[str]:
    asking, rng = Asking(seed), random.Random(seed)  # noqa: S311 - reproducible on purpose
    names = ("good_slow", "good_text", "endless", "hang_head", "hang_mid", "backlog", "stale_reset")
    ends: Counter[str] = Counter()

    async def one(ask: Ask) -> None:
        connection = await Connection.open(port)
        connection.send(ask.data)
        end = await connection.wait(lambda reader: reader.done, rng.uniform(0, 0.06))
        ends["left" if end is End.HANG else "answered"] += 1
        connection.leave(reset=rng.random() < 0.5)

    asks = (asking.one(asking.rng.choice(names), CLIENTS[0], "anthropic", streamed=True) for _ in range(count))
    await each(asks, 64, one)
    return ends


def nonces(folder: Path, count: int) -> Section:
    """Good answers on connections that are used again, a tenth of them cancelled: each is its own, and whole."""
    found, table = Section(f"{count} requests, a tenth of them cancelled"), Table()
    with rig(folder, LONG) as running:
        left = uvloop.run(_mingle(running.proxy.port, Asking(9), count, 0.1, table, _GOOD))
        found.findings += running.after()
    found.counts = {"cancelled": str(left), "answered": str(table.total)}
    found.findings += [f"{what} ({times}×)" for what, times in table.wrong.most_common(10)]
    foreign = sum(times for what, times in table.wrong.items() if "foreign" in what)
    found.number = f"{foreign} foreign nonces, {sum(table.wrong.values())} violations in {count} requests"
    return found


async def _mingle(port: int, asking: Asking, count: int, leave: float, table: Table, names: tuple[str, ...]) -> int:
    """Requests over connections that are kept; so many of them are left at a random moment."""
    idle: list[Connection] = []
    left = 0

    async def one(ask: Ask) -> None:
        nonlocal left
        connection = idle.pop() if idle else await Connection.open(port)
        if not connection.usable:
            connection = await Connection.open(port)
        if asking.rng.random() < leave:
            connection.send(ask.data)
            await connection.wait(lambda reader: reader.done, asking.rng.uniform(0, 0.03))
            connection.leave(reset=asking.rng.random() < 0.5)
            left += 1
            return
        reply = await connection.ask(ask.data, BOUND_S)
        table.add(ask, reply, judge(ask.case, reply))
        if connection.usable:
            idle.append(connection)

    await each((asking.any(names) for _ in range(count)), 48, one)
    for connection in idle:
        connection.leave()
    return left


def mixed(folder: Path, requests: int, reloads: int) -> Section:
    """Good and bad answers, cancels and reloads: its own memory (smaps_rollup) stays what it is after the warm-up."""
    found, table = Section(f"{requests} mixed requests and {reloads} reloads"), Table()
    rounds, samples = 30, list[int]()
    asking = Asking(10)
    with rig(folder) as running:
        left = 0
        for number in range(rounds):
            part = requests // rounds
            left += uvloop.run(_mingle_and_reload(running, asking, part, max(1, reloads // rounds), table))
            samples.append(leakcheck.private_kib(running))
            found.counts[f"round {number + 1}"] = f"{samples[-1]} KiB"
        swaps = _swaps(running)
        found.findings += running.after()
    grown = leakcheck.slope(samples)
    found.counts |= {"cancelled": str(left), "reloads that swapped": str(swaps)}
    if swaps < reloads // rounds * rounds:
        found.findings.append(f"only {swaps} of {reloads} configurations were swapped in")
    found.findings += [f"{what} ({times}×)" for what, times in table.wrong.most_common(10)]
    found.number = f"own memory {grown:+.1%} from the middle third to the last, {samples[-1] // 1024} MiB at the end"
    if grown > GROWN:
        found.findings.append(f"own memory grew by {grown:.1%}, the bound is {GROWN:.0%}")
    return found


async def _mingle_and_reload(running: Rig, asking: Asking, count: int, reloads: int, table: Table) -> int:
    config = running.folder / "config.toml"
    text = config.read_text().partition("long_context_threshold")[0]

    async def reload() -> None:
        for _ in range(reloads):
            before = await asyncio.to_thread(_swaps, running)
            # Another configuration each time: one that says the same is not swapped in.
            arriving = running.folder / "arriving"
            arriving.write_text(f"{text}long_context_threshold = {asking.rng.randrange(10**4, 10**6)}\n")
            arriving.rename(config)
            running.proxy.process.send_signal(signal.SIGHUP)
            async with asyncio.timeout(PATIENCE_S):
                while await asyncio.to_thread(_swaps, running) == before:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.02)

    left, _ = await asyncio.gather(_mingle(running.proxy.port, asking, count, 0.06, table, _CHEAP), reload())
    return left


def _swaps(running: Rig) -> int:
    """Configurations that were swapped in so far."""
    lines = running.metrics().splitlines()
    return sum(int(float(line.rpartition(" ")[2])) for line in lines if line.startswith("terraphim_reloads_total"))
