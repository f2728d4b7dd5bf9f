"""Promise: no usage record that was committed is lost or doubled by a kill; a full disk keeps nobody from an answer.

Writers die by SIGKILL at random moments, one database after the other writer's death, and in the middle of a write, at
a random byte of the file, each in a new one.
"""

import asyncio
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from bench import children
from core.state import sqlite
from prove.scene import PATIENCE_S, Scene, scene, wait
from prove.section import Section, tally
from prove.stopping_clients import WHOLE, Kept, request

#: A writer is killed at most so long after its first commit (s).
LATEST_S: Final = 0.25
#: Bytes that a file grows to before the write that kills: into the first commits, and over the first checkpoint.
LARGEST: Final = 6_000_000
#: Bytes of the disk that is filled: room for all rows, when it is empty again.
DISK: Final = 16_000_000
CLIENTS: Final = 20


class Found(NamedTuple):
    """What a database holds: rows as (id, number), and what SQLite says of its integrity."""

    rows: list[tuple[str, int]]
    integrity: str


def judge(acknowledged: Collection[int], found: Found) -> list[str]:
    """What is wrong: rows that are lost, doubled, or not what was put; a damaged file."""
    there = Counter(number for _, number in found.rows)
    lost = [number for number in acknowledged if not there[number]]
    doubled = [number for number, times in there.items() if times > 1]
    strange = [name for name, number in found.rows if name != f"req_{number}"]
    wrong = (
        ("acknowledged rows are lost", lost),
        ("rows are doubled", doubled),
        ("rows are not what was put", strange),
    )
    findings = [f"{len(which)} {what}, the first: {which[0]}" for what, which in wrong if which]
    return findings if found.integrity == "ok" else [*findings, f"damaged: {found.integrity[:200]}"]


def read(path: Path) -> Found:
    """As whoever opens it next finds it."""
    try:
        connection = sqlite.writable(path)
    except sqlite.Unusable as exc:
        return Found([], str(exc))
    try:
        [integrity] = connection.execute("PRAGMA integrity_check").fetchone()
        rows = connection.execute("SELECT request_id, input FROM usage WHERE time = input").fetchall()
    except sqlite3.Error as exc:
        return Found([], str(exc))
    finally:
        connection.close()
    return Found(rows, integrity)


def _read_to_the_end(pipe: int, data: list[bytes]) -> None:
    data.extend(iter(partial(os.read, pipe, 65536), b""))


def killed(
    path: Path, first: int, *, after_s: float | None, limit: int, program: str = "prove.record_writer"
) -> tuple[list[int], int]:
    """What a writer acknowledged until it died, and what of. `after_s`: so long after its first commit."""
    command = children.python("-m", program, str(path), str(first), str(limit))
    env = children.environment(path.parent / "home")
    data = list[bytes]()
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, bufsize=0) as writer:
        pipe = writer.stdout.fileno() if writer.stdout else -1
        reading = threading.Thread(target=_read_to_the_end, args=(pipe, data))
        try:
            reading.start()
            if after_s is not None:
                wait(lambda: bool(data) or writer.poll() is not None, "a writer writes nothing", 0.001)
                time.sleep(after_s)
                writer.kill()
            writer.wait(PATIENCE_S)
        finally:
            writer.kill()
            reading.join()
    *whole, _ = b"".join(data).decode().split("\n")
    return [int(line) for line in whole], -writer.returncode


def section(folder: Path, kills: int, requests: int) -> Section:
    """Kills, then a disk that is full while clients ask."""
    result = Section(f"records: {kills} writers are killed; a full disk, {requests} requests")
    folder.mkdir()
    rng = random.Random(17)  # noqa: S311 - reproducible on purpose
    causes: Counter[str] = Counter()
    acknowledged = set[int]()
    for turn in range(kills - kills // 2):
        some, cause = killed(folder / "kept.db", turn * 10**6, after_s=rng.random() * LATEST_S, limit=0)
        causes[signal.Signals(cause).name] += 1
        acknowledged |= set(some)
        result.findings += judge(acknowledged, read(folder / "kept.db"))
    count = len(acknowledged)
    for turn in range(kills // 2):
        path = folder / f"cut-{turn}.db"
        some, cause = killed(path, 0, after_s=None, limit=rng.randrange(4096, LARGEST))
        causes[signal.Signals(cause).name] += 1
        result.findings += judge(some, read(path))
        count += len(some)
    result.counts["killed"] = tally(causes)
    result.counts["acknowledged rows"] = f"{count}, all there once" if not result.findings else str(count)
    if causes["SIGKILL"] + causes["SIGXFSZ"] != kills:
        result.findings.append(f"writers died of something else: {tally(causes)}")
    result.number = f"0 of {count} acknowledged rows lost or doubled by {kills} kills" if not result.findings else ""
    full_disk(result, folder, requests)
    return result


@contextmanager
def disk(folder: Path) -> Iterator[Path | None]:
    """A file system of its own of `DISK` bytes; None if we may not make one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0700", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def full_disk(result: Section, folder: Path, requests: int) -> None:
    """Everybody is answered while nothing can be written; what was lost was counted; then it goes on."""
    with disk(folder / "disk") as small:
        if small is None:
            result.skipped = "the full disk: only root may make a file system to fill"
            return
        config = f'[records]\nfile = "{small}/records.db"\n'
        with scene(folder / "scene", config=config) as proxy:
            _full_disk(result, proxy, small, requests)


def _full_disk(result: Section, proxy: Scene, small: Path, requests: int) -> None:
    path, answers = small / "records.db", Counter[str]()
    answers += asyncio.run(flood(proxy.port, CLIENTS))
    wait(lambda: written(proxy) == CLIENTS, "the first rows are not written")
    fill(small / "filler")
    answers += asyncio.run(flood(proxy.port, requests))
    wait(lambda: '"records_failing"' in proxy.log(), "a full disk is not said")
    _, said = proxy.request("/health")
    problem = json.loads(said)["records"]
    (small / "filler").unlink()
    wait(lambda: '"records_recovered"' in proxy.log(), "it does not go on when there is room")
    answers += asyncio.run(flood(proxy.port, CLIENTS))
    sent = requests + 2 * CLIENTS
    wait(lambda: written(proxy) + lost(proxy) == sent, f"{written(proxy)} written and {lost(proxy)} lost of {sent}")
    there = sum(1 for _ in rows(path))
    result.counts["full disk"] = f"{sent} requests, {there} rows, {lost(proxy)} counted as lost; health said: {problem}"
    result.findings += judge_disk(answers, there, lost(proxy), sent, problem)
    lines = [proxy.log().count(f'"event":"records_{what}"') for what in ("failing", "recovered")]
    if lines != [1, 1]:
        result.findings.append(f"{lines} log lines for one change and one back")


def judge_disk(answers: Counter[str], there: int, lost: int, sent: int, problem: str) -> list[str]:
    """What is wrong with answers and rows of a disk that was full."""
    findings = [f"{count} answers were {what}" for what, count in answers.items() if what != WHOLE]
    if answers.total() != sent:
        findings.append(f"{answers.total()} answers to {sent} requests")
    if there + lost != sent:
        findings.append(f"{there} rows and {lost} counted as lost, of {sent} requests")
    if "full" not in problem:
        findings.append(f"/health does not say that the disk is full: {problem}")
    return findings


async def flood(port: int, count: int) -> Counter[str]:
    """Verdicts on so many answers to clients that keep their connections."""
    verdicts, numbers = Counter[str](), iter(range(count))

    async def ask() -> None:
        client = Kept(port)
        for _ in numbers:
            verdicts[await client.ask(request("a,b", "hello"))] += 1
        client.leave()

    await asyncio.wait_for(asyncio.gather(*(ask() for _ in range(CLIENTS))), PATIENCE_S * 20)
    return verdicts


def fill(path: Path) -> None:
    """Write until nothing fits."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x")


def rows(path: Path) -> Iterator[str]:
    """Ids of the rows that anybody finds."""
    connection = sqlite3.connect(path)
    try:
        yield from (name for (name,) in connection.execute("SELECT request_id FROM usage"))
    finally:
        connection.close()


def written(proxy: Scene) -> int:
    """How many rows the proxy says it has written."""
    return _counted(proxy, "written")


def lost(proxy: Scene) -> int:
    """How many rows the proxy says it has lost."""
    return _counted(proxy, "lost")


def _counted(proxy: Scene, outcome: str) -> int:
    found = re.search(rf'terraphim_records_total{{outcome="{outcome}"}} (\d+)', proxy.metrics())
    return int(found[1]) if found else 0
