"""What metrics cost: counting one request, and a scrape, beside the same without.

The loop's stops are measured in one process, whose event loop has a timer of a millisecond and nothing else to do: how
late it rings while a thread makes the text is how long a request would have waited. Latencies are a real proxy's, at a
steady rate, in turns with and without a scrape each second.
"""

import asyncio
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Final

from bench import bodies, children
from bench.children import Cores
from bench.row import Row, number
from bench.stats import median, milliseconds, percentile
from core.exchange import Attempt, Candidate, Decision, Exchange, Target
from core.messages import Usage
from core.metrics import Metrics, exposition
from core.metrics.exposition import PLAIN

SUITE: Final = "Metrics (counting a request; a scrape of 40 busy targets, and one a second at 100 requests/s)"
TARGETS: Final = 40
#: Lateness that a scrape may add, in ms, and what may be left of the requests that are answered without one.
STOP_MS: Final = 5.0
ANSWERED: Final = 0.98
RATE: Final = 100
#: So many connections share it.
CONNECTIONS: Final = 5
NEWLINE: Final = b"\n"
#: The same number of increments and observations with Prometheus' own client: in the process, or through its files.
_CLIENT: Final = """
import sys, time
from prometheus_client import CollectorRegistry, Counter, Histogram
registry = CollectorRegistry()
counter = Counter("one", "One.", ["a", "b"], registry=registry)
histogram = Histogram("two", "Two.", ["a"], registry=registry)
def request():
    for _ in range(9):
        counter.labels("a", "b").inc()
    for _ in range(5):
        histogram.labels("a").observe(0.1)
taken = []
for _ in range(int(sys.argv[1])):
    begin = time.perf_counter_ns()
    request()
    taken.append(time.perf_counter_ns() - begin)
print(sorted(taken)[len(taken) // 2] / 1000)
"""


def rows(requests: int, seconds: float) -> Iterator[Row]:
    """Of so many requests counted, and so many seconds of each turn of traffic."""
    metrics, played = full(TARGETS)
    yield _counting(metrics, played, requests)
    yield _text(metrics, 5)
    yield _stops(metrics, 10)
    yield _traffic(seconds)


def full(count: int) -> tuple[Metrics, Exchange]:
    """Metrics of so many targets that were all asked, and one of the requests."""
    metrics = Metrics()
    targets = [Target("openai", f"model-{at}") for at in range(count)]
    metrics.known.learn_targets(targets)
    one = Exchange("req_1", "/v1/messages", "anthropic")
    for target in targets:
        one = Exchange("req_1", "/v1/messages", "anthropic", "a" * 64, "laptop")
        one.decision = Decision("default", "default", (Candidate(target),), "a" * 12)
        one.attempts, one.answered_by = [Attempt(target, "ok", 100.0)], target
        one.usage, one.status, one.whole = Usage(input=700, output=50, cache_read=9000), 200, True
        one.decided_ms, one.first_ms = 0.4, 110.0
        metrics.settled(one, 0.9)
        metrics.of_requests.gen_ai_first.labels("chat", target.provider, target.model).observe(0.1)
        metrics.of_requests.gen_ai_chunk.labels("chat", target.provider, target.model).observe(0.1)
    return metrics, one


def _counting(metrics: Metrics, one: Exchange, requests: int) -> Row:
    ours = [ms * 1000 for ms in milliseconds(lambda: metrics.settled(one, 0.9), requests)]
    inside, through_files = _client(requests, files=False), _client(requests, files=True)
    note = f"14 of Prometheus' own: {number(inside)} µs, in its mode for several processes {number(through_files)} µs"
    figures = {"client_us": inside, "client_files_us": through_files}
    return Row(suite=SUITE, name="counting one request", value=median(ours), unit="µs", note=note, figures=figures)


def _client(requests: int, *, files: bool) -> float:
    """Microseconds for one request's increments with Prometheus' client, in a process of its own."""
    with TemporaryDirectory() as folder:
        env = children.environment(Path(folder)) | ({"PROMETHEUS_MULTIPROC_DIR": folder} if files else {})
        command = children.python("-c", _CLIENT, str(requests))
        return float(subprocess.run(command, env=env, check=True, capture_output=True, cwd=folder).stdout)


def _text(metrics: Metrics, runs: int) -> Row:
    """Of the processor's time: what else the machine does is not in it."""
    made, text = list[float](), b""
    for _ in range(runs):
        begin = time.thread_time()
        text = metrics.exposition()
        made.append((time.thread_time() - begin) * 1000)
    note = f"{text.count(NEWLINE)} lines, in a thread, in pieces of {exposition.AT_ONCE}"
    return Row(suite=SUITE, name="the text of a scrape", value=median(made), unit="ms", note=note)


def _stops(metrics: Metrics, scrapes: int) -> Row:
    """The worst lateness of a timer during scrapes, beside the worst in as long a time without any."""

    async def late(while_so: Callable[[], bool]) -> list[float]:
        found, loop = [], asyncio.get_running_loop()
        while while_so():
            due = loop.time() + 0.001
            await asyncio.sleep(0.001)
            found.append((loop.time() - due) * 1000)
        return found

    def measured(work: Callable[[], object]) -> list[float]:
        thread = Thread(target=work)
        thread.start()
        return asyncio.run(late(thread.is_alive))

    def scraping() -> None:
        for _ in range(scrapes):
            metrics.text(PLAIN)
            time.sleep(0.01)

    def in_one_go() -> None:
        for _ in range(scrapes):
            exposition.text([metrics.samples()], pause=lambda _: None)
            time.sleep(0.01)

    stopped, whole = measured(scraping), measured(in_one_go)
    idle = measured(lambda: threading.Event().wait(max(0.5, len(stopped) / 1000)))
    figures = {"p99_ms": percentile(stopped, 99), "floor_p99_ms": percentile(idle, 99)}
    figures |= {"floor_ms": max(idle), "worst_ms": max(stopped), "in_one_go_p99_ms": percentile(whole, 99)}
    note = (
        f"p99 of a 1 ms timer's lateness; {number(figures['floor_p99_ms'])} without a scrape, "
        f"{number(figures['in_one_go_p99_ms'])} if the text were made in one go; worst {number(figures['worst_ms'])}, "
        f"{number(figures['floor_ms'])} without"
    )
    added = max(0.0, figures["p99_ms"] - figures["floor_p99_ms"])
    return Row(
        suite=SUITE,
        name="the loop waits during a scrape",
        value=added,
        unit="ms",
        bound=STOP_MS,
        note=note,
        figures=figures,
    )


def _traffic(seconds: float) -> Row:
    """At a steady rate, four turns: what is answered in time with a scrape a second, by what is without."""
    cores = Cores.available()
    with TemporaryDirectory() as folder, ExitStack() as stack:
        port = stack.enter_context(children.proxy(core=cores.measured, home=_home(Path(folder)))).port
        with children.pinned(cores.around):
            turns = [(_paced(port, seconds, scrape=False), _paced(port, seconds, scrape=True)) for _ in range(2)]
    without, scraped = ([late for turn in turns for late in turn[at]] for at in (0, 1))
    figures = {
        "p50_ms": percentile(scraped, 50), "p99_ms": percentile(scraped, 99),
        "floor_p50_ms": percentile(without, 50), "floor_p99_ms": percentile(without, 99),
    }  # fmt: skip
    note = (
        f"p50 {number(figures['p50_ms'])} ms, p99 {number(figures['p99_ms'])}; without scrapes "
        f"{number(figures['floor_p50_ms'])} and {number(figures['floor_p99_ms'])}"
    )
    ratio = len(scraped) / max(1, len(without))
    return Row(
        suite=SUITE, name=f"answered at {RATE}/s, with scrapes by without", value=ratio, unit="", bound=ANSWERED,
        better="higher", note=note, figures=figures,
    )  # fmt: skip


def _home(folder: Path) -> Path:
    home = folder / "home"
    home.mkdir()
    return home


def _paced(port: int, seconds: float, *, scrape: bool) -> list[float]:
    """Latencies in ms of requests that began `RATE` times a second, and were answered with 200 within their second."""
    ended = threading.Event()
    with ThreadPoolExecutor(CONNECTIONS + 1) as pool:
        scraper = pool.submit(_scrapes, port, ended) if scrape else None
        turns = [pool.submit(_asked, port, seconds, number) for number in range(CONNECTIONS)]
        taken = [late for turn in turns for late in turn.result()]
        ended.set()
        if scraper is not None:
            scraper.result()
    return taken


def _asked(port: int, seconds: float, number: int) -> list[float]:
    """One connection's share."""
    body, connection = bodies.small(stream=False), HTTPConnection("127.0.0.1", port, timeout=children.PATIENCE_S)
    taken, begin = list[float](), time.perf_counter() + number / RATE
    for at in range(round(RATE / CONNECTIONS * seconds)):
        due = begin + at * CONNECTIONS / RATE
        time.sleep(max(0.0, due - time.perf_counter()))
        connection.request("POST", "/v1/messages", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        late = (time.perf_counter() - due) * 1000
        if answer.status == 200 and late < 1000:
            taken.append(late)
    connection.close()
    return taken


def _scrapes(port: int, ended: threading.Event) -> None:
    while not ended.wait(1.0):
        status, _ = children.request(port, "GET", "/metrics")
        if status != 200:
            raise RuntimeError(f"/metrics answered {status}")
