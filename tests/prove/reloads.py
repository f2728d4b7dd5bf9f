"""Promise: configuration, taxonomy and rules change under streams, and break; no request fails, and none is decided by
parts of two generations.

Each generation has a number, which the targets of its configuration, of its concept and of its rule end in; its three
files change together, as `config rollback` changes them. So an answer shows which generation gave each part of it.
"""

import asyncio
import json
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from upstream import running as provider

from bench.stats import percentile
from core.snapshot_entry import Entry
from core.snapshots import SnapshotStore
from core.swap_lock import changing
from prove import guests
from prove.oracle_http import Connection, End
from prove.reload_faults import FAULTS, Fault
from prove.scene import Scene, Seen, scene, wait
from prove.section import Section, tally
from prove.stopping_clients import BOUND_S, request

#: A swap holds up the event loop, and what others see of it, for at most so long (ms).
SWAP_MS: Final = 50.0
#: A broken file is named in log, metric, /health and page within so long (s).
SAID_S: Final = 2.0
_CONFIG: Final = """\
[providers.u]
dialect = "anthropic"
base_url = "{url}"
allow_private = true
models = {{ "m{number}" = {{}}, "r{number}" = {{}} }}
[sessions]
sticky = false
[records]
keep_snapshots = 100000
[plugins]
dir = "plugins"
[taxonomy]
dir = "taxonomy"
[routing]
order = ["runtime", "pattern", "custom", "default"]
runtime = {{ background = "u,m{number}" }}
default = "u,d{number}"
"""
_CONCEPT: Final = "# Topic\nroute:: u, c{number}\nsynonyms:: a very good day\n"
#: A stream of several seconds, which outlives a generation or more: the proxy has time between two of them.
_SLOW: Final = '[[mock [{"text": "one two three four five six", "chunk_delay": 0.75}]]]'
#: What is asked, and the reason and target (but for the number) that it has from a whole generation.
KINDS: Final = {
    "config": ("claude-haiku", "", "background", "u,m"),
    "concept": ("auto", "a very good day ", "concept:topic", "u,c"),
    "rule": ("auto", "", "rule:which", "u,r"),
}
STATE: Final = ".local/state/terraphim-proxy/snapshots"


class Asked(NamedTuple):
    """One stream as its client saw it; times are the monotonic clock's. `wrong` says why it is not whole."""

    kind: str
    begun: float
    ended: float
    request_id: str
    snapshot: str
    reason: str
    target: str
    wrong: str


class Files:
    """The three files of a generation. `config` names the provider at `url`."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.number = -1

    def texts(self) -> dict[Path, str]:
        """Of the present number."""
        answer = json.dumps({"route": f"u,r{self.number}"})
        return {
            self.folder / "config.toml": _CONFIG.format(url=self.url, number=self.number),
            self.folder / "taxonomy" / "topic.md": _CONCEPT.format(number=self.number),
            self.folder / "plugins" / "which.wat": guests.always(answer),
        }

    def write(self) -> None:
        """Put all of them there whole, together, and nothing else."""
        with changing(self.folder / "home" / STATE, f"generation {self.number}"):
            for path, text in self.texts().items():
                arriving = self.folder / "arriving"
                arriving.write_text(text)
                arriving.rename(path)
            for path in [*(self.folder / "taxonomy").iterdir(), *(self.folder / "plugins").iterdir()]:
                if path not in self.texts():
                    path.unlink()


class Stall(threading.Thread):
    """How late this machine wakes who only sleeps: what a clock on it cannot show to be the proxy's fault."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.late: list[tuple[float, float]] = []

    def run(self) -> None:
        while not self.over.is_set():
            due = time.monotonic() + 0.01
            time.sleep(0.01)
            now = time.monotonic()
            if now - due > 0.005:
                self.late.append((now, now - due))

    def since(self, begun: float) -> float:
        """Seconds together."""
        return sum(late for when, late in self.late if when >= begun)


async def _stream(port: int, kind: str) -> Asked:
    model, words, _, _ = KINDS[kind]
    begun = time.monotonic()
    connection = await Connection.open(port)
    reply = await connection.ask(request(model, words + _SLOW, stream=True), BOUND_S)
    connection.leave()
    whole = reply.end is End.CLEAN and b"event: message_stop" in reply.body and b"event: error" not in reply.body
    wrong = reply.broken or ("" if reply.status == 200 and whole else f"status {reply.status}, {reply.end.value}")
    target = f"{reply.header('x-terraphim-provider')},{reply.header('x-terraphim-model')}"
    request_id, snapshot = reply.header("x-terraphim-request-id"), reply.header("x-terraphim-snapshot")
    reason = reply.header("x-terraphim-reason")
    return Asked(kind, begun, time.monotonic(), request_id, snapshot, reason, target, wrong)


class Crowd(threading.Thread):
    """So many streams at any time, in a loop of their own, until `over`."""

    def __init__(self, port: int, streams: int) -> None:
        super().__init__(daemon=True)
        self.port, self.streams = port, streams
        self.over = threading.Event()
        self.seen: list[Asked] = []

    def run(self) -> None:
        asyncio.run(self._all())

    async def _all(self) -> None:
        await asyncio.gather(*(self._one(random.Random(number)) for number in range(self.streams)))  # noqa: S311

    async def _one(self, rng: random.Random) -> None:
        await asyncio.sleep(rng.random())
        while not self.over.is_set():
            kind = rng.choice(list(KINDS))
            try:
                self.seen.append(await _stream(self.port, kind))
            except OSError as exc:
                now = time.monotonic()
                self.seen.append(Asked(kind, now, now, "", "", "", "", type(exc).__name__))


@contextmanager
def crowd(port: int, streams: int) -> Iterator[Crowd]:
    """They ask as long as the block lasts, and then finish."""
    clients = Crowd(port, streams)
    clients.start()
    try:
        yield clients
    finally:
        clients.over.set()
        clients.join(BOUND_S)


def numbers(store: SnapshotStore, entry: Entry) -> set[str]:
    """The numbers of the generations that a saved snapshot is made of: one, if it is no mix."""
    found = {entry.settings["routing"]["default"].removeprefix("u,d")}
    concept = store.get(entry.taxonomy["topic.md"]).decode() if "topic.md" in entry.taxonomy else ""
    found.add(concept.partition("route:: u, c")[2].partition("\n")[0])
    rule = store.get(entry.plugins["which.wat"]) if "which.wat" in entry.plugins else b""
    of = {each for each in found if rule == guests.always(json.dumps({"route": f"u,r{each}"})).encode()}
    return found if of else found | {"another rule's"}


def judged(asked: Asked, number_of: Mapping[str, str]) -> str:
    """What is wrong with an answer; empty if all of it is of one generation."""
    if asked.wrong:
        return f"a request failed: {asked.wrong}"
    if asked.snapshot not in number_of:
        return f"snapshot {asked.snapshot!r} is none that was saved"
    _, _, reason, target = KINDS[asked.kind]
    due = (reason, f"{target}{number_of[asked.snapshot]}")
    got = (asked.reason, asked.target)
    return "" if got == due else f"{asked.kind}: {got} under a snapshot whose answer is {due}"


def outlived(asked: Asked, number_of: Mapping[str, str], swaps: Sequence[tuple[float, float]]) -> bool:
    """Whether the next generation served for certain before this stream ended. `swaps[n]` brought generation n + 1."""
    number = number_of.get(asked.snapshot, "")
    after = swaps[int(number) :] if number.isdecimal() else []
    return bool(after) and after[0][1] < asked.ended


def log_differs(log: Iterable[str], seen: Iterable[Asked]) -> list[str]:
    """Requests whose end, in the log, is of another snapshot or decision than their headers."""
    headers = {asked.request_id: (asked.snapshot, asked.reason, asked.target) for asked in seen if asked.reason}
    found = []
    for line in log:
        if '"event":"request"' in line and (fields := json.loads(line))["request_id"] in headers:
            told = tuple(fields.get(name, "") for name in ("snapshot", "reason", "decided"))  # a refusal has none
            if told != headers.pop(fields["request_id"]):
                found.append(f"it began as another than it ended: {told}, status {fields['status']}")
    return [*found, *(f"{request_id} is not in the log" for request_id in headers)]


def section(folder: Path, reloads: int, streams: int) -> Section:
    """Three of ten reloads are of broken files."""
    broken = reloads * 3 // 10
    found = Section(f"{reloads} reloads under {streams} streams, {broken} of broken files among them")
    stall = Stall()
    with provider() as upstream, scene(folder) as proxy:
        files = Files(folder, upstream.url)
        _next(proxy, files)
        stall.start()
        with crowd(proxy.port, streams) as clients, proxy.client("GET", "/health/live", pause_ms=2) as probe:
            time.sleep(1.5)  # streams are under way, and probes see what it is like without
            swaps, said = _reload(proxy, files, _order(reloads, broken), stall, found)
        stall.over.set()
        proxy.log_settled()
        _answers(folder, clients.seen, swaps, found)
        log = (json.loads(line) for line in proxy.log().splitlines() if '"event":"snapshot_swapped"' in line)
        _swaps_judged([float(line["ms"]) for line in log], probe.seen, swaps, found)
    _said(said, found)
    wrong = sum(1 for finding in found.findings if finding.startswith("answers: "))
    found.number = f"{wrong} failed or mixed of {len(clients.seen)} streams, {found.number}"
    return found


def _order(reloads: int, broken: int) -> list[Fault | None]:
    """Good ones (None) and faults, mixed; each fault as often as any other."""
    rng = random.Random(7)  # noqa: S311 - reproducible on purpose
    order: list[Fault | None] = [FAULTS[number % len(FAULTS)] for number in range(broken)]
    order += [None] * (reloads - broken)
    rng.shuffle(order)
    return order


Window = tuple[float, float]


def _reload(
    proxy: Scene, files: Files, order: Sequence[Fault | None], stall: Stall, found: Section
) -> tuple[list[Window], dict[str, list[float]]]:
    """When each swap was waited for, and how long each fault took to be said everywhere, by name, in seconds."""
    swaps, said = list[Window](), dict[str, list[float]]()
    for fault in order:
        if fault is None:
            swaps.append(_next(proxy, files))
            continue
        try:
            took = _break(proxy, files, fault, stall)
            if took > SAID_S:  # once more: a machine with others on it is late now and then, a proxy always
                late = int(found.counts.get("said late once", "0")) + 1
                found.counts["said late once"] = str(late)
                took = _break(proxy, files, fault, stall)
            said.setdefault(fault.name, []).append(took)
        except RuntimeError as exc:
            found.findings.append(str(exc))
            files.write()
    return swaps, said


def _break(proxy: Scene, files: Files, fault: Fault, stall: Stall) -> float:
    """Seconds until a fault was said everywhere, but for those in which this machine woke nobody; it is mended then."""
    begun, at = time.monotonic(), proxy.log_size()
    fault.make(files.folder, files.texts())
    wait(partial(_everywhere, proxy, fault, at), f"{fault.name} is not said", 0.02)
    took = time.monotonic() - begun - stall.since(begun)
    files.write()
    wait(lambda: not proxy.overview()["problems"], f"{fault.name} is said although it is mended", 0.02)
    return max(0.0, took)


def _next(proxy: Scene, files: Files) -> Window:
    """The next generation comes, whole, and serves."""
    files.number += 1
    before, begun = _served(proxy), time.monotonic()
    files.write()
    proxy.process.send_signal(signal.SIGHUP)
    wait(lambda: _served(proxy) != before, f"generation {files.number} is not served", 0.01)
    return begun, time.monotonic()


def _served(proxy: Scene) -> str:
    """The snapshot's id: the log may tell of a swap that mended something when the next generation is waited for."""
    return str(json.loads(proxy.request("/health")[1])["snapshot"])


def _named(proxy: Scene) -> list[str]:
    """The files that /health and the page both name."""
    told = json.loads(proxy.request("/health")[1])["problem"], proxy.overview()["problems"]
    here, there = ([Path(each["file"]).name for each in problems] for problems in told)
    return [name for name in here if name in there]


def _everywhere(proxy: Scene, fault: Fault, at: int) -> bool:
    return fault.file in proxy.log(at) and fault.file in _named(proxy) and _counted(proxy)


def _counted(proxy: Scene) -> bool:
    lines = proxy.metrics().splitlines()
    return any(line.startswith("terraphim_problems ") and float(line.split()[1]) > 0 for line in lines)


def _answers(folder: Path, seen: Sequence[Asked], swaps: Sequence[Window], found: Section) -> None:
    store = SnapshotStore(folder / "home" / STATE)
    ours = (entry for entry in store.list() if "u" in entry.settings["providers"])
    made = {entry.id: numbers(store, entry) for entry in ours}
    found.findings += [f"snapshot {name} is a mix of {sorted(of)}" for name, of in made.items() if len(of) > 1]
    number_of = {name: min(of) for name, of in made.items()}
    wrong = Counter(problem for asked in seen if (problem := judged(asked, number_of)))
    found.findings += [f"answers: {what} ({count}×)" for what, count in wrong.most_common(10)]
    differs = log_differs((folder / "home" / "log").read_text(errors="replace").splitlines(), seen)
    found.findings += [f"log: {what}" for what in differs[:5]]
    across = sum(outlived(asked, number_of, swaps) for asked in seen)
    kinds = tally(Counter(asked.kind for asked in seen))
    served = {asked.snapshot for asked in seen}
    found.counts["streams"] = f"{len(seen)} ({kinds}), {across} of them outlived their generation"
    found.counts["snapshots"] = f"{len(made)} saved, {len(served)} of them answered"
    if len(served) < max(2, len(swaps) // 10) or not across:
        found.findings.append(
            f"only {len(served)} snapshots answered, {across} streams outlived theirs: nothing is shown"
        )


def _swaps_judged(own: Sequence[float], probes: Sequence[Seen], swaps: Sequence[Window], found: Section) -> None:
    """`own` is how long each swap held the loop (ms), as the proxy says. Probes beside it are their own floor."""
    during = [one.ms for one in probes if any(begun <= one.begun <= end for begun, end in swaps)]
    calm = [one.ms for one in probes if not any(begun <= one.begun <= end for begun, end in swaps)]
    found.findings += [f"a probe failed with status {one.status}" for one in probes if one.status != 200][:5]
    if not (own and calm and during):
        found.findings.append("no swap or no probe was seen, which shows nothing")
        return
    held, seen, floor = percentile(own, 99), percentile(during, 99), percentile(calm, 99)
    found.counts["swap"] = f"holds the loop for {percentile(own, 50):.1f} ms, p99 {held:.1f}, {len(own)} swaps"
    found.counts["others see"] = f"p99 {seen:.1f} ms while generations come, {floor:.1f} without, {len(probes)} probes"
    found.number = f"a swap holds the loop for {held:.1f} ms at p99"
    if held > SWAP_MS:
        found.findings.append(f"a swap holds the loop for {held:.0f} ms, the bound is {SWAP_MS:.0f}")
    if seen > SWAP_MS + 2 * floor:  # compilers run beside it, on the same cores
        found.findings.append(f"others wait {seen:.0f} ms at p99 while generations come, {floor:.0f} without")


def _said(said: Mapping[str, Sequence[float]], found: Section) -> None:
    every = [took for times in said.values() for took in times]
    if not every:
        return
    kinds = tally({name: len(times) for name, times in said.items()})
    found.counts["broken files"] = f"said after {percentile(every, 50):.2f} s, at worst {max(every):.2f}; {kinds}"
    found.number += f", broken files are said after {max(every):.1f} s at worst"
    late = {name: max(times) for name, times in said.items() if max(times) > SAID_S}
    found.findings += [f"{name} is said after {took:.1f} s, the bound is {SAID_S:.0f}" for name, took in late.items()]
