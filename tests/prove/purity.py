"""Promise: a decision is a pure function of what is recorded of it. The same inputs give the same bytes.

Generated requests are decoded, counted and decided, twice in this process and once in another one with another hash
seed, locale and time zone. Then each is made again from its record, with the words that rules read and without.
"""

import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from bench import children
from core.decision_record import Record, decode, record_of
from core.exchange import Exchange
from core.lab.replay import DIFFERS, EQUAL, NOT_REPLAYABLE, Replay, replay
from core.routing.snapshot import Snapshot
from prove import purity_life
from prove.section import Section, tally
from wasm_host.sandbox import Sandbox

SEED: Final = 7
#: Half around the world, with letters that lower otherwise where such a locale is installed.
ELSEWHERE: Final = {"TZ": "XXX-13:45", "LC_ALL": "POSIX", "LANG": "tr_TR.UTF-8"}


@contextmanager
def other_process(folder: Path, cache: Path, requests: int) -> Iterator[subprocess.Popen[bytes]]:
    """The same life, lived elsewhere; isolated interpreters draw a hash seed of their own."""
    folders = str(folder / "other"), str(cache)
    command = children.python("-m", "prove.purity_life", *folders, str(SEED), str(requests))
    env = children.environment(folder / "home") | ELSEWHERE
    with (folder / "other.txt").open("wb") as out, (folder / "other.err").open("wb") as err:
        process = subprocess.Popen(command, env=env, stdout=out, stderr=err)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def first_difference(one: Sequence[str], other: Sequence[str]) -> str:
    """Where two lives part; empty if they do not."""
    if len(one) != len(other):
        return f"{len(other)} requests were decided, not {len(one)}"
    pairs = enumerate(zip(one, other, strict=True), start=1)
    return next((f"request {number} of {len(one)}" for number, (a, b) in pairs if a != b), "")


class Again:
    """Makes every decision again from its record."""

    def __init__(self, shot: Snapshot, sandbox: Sandbox) -> None:
        self._shot, self._sandbox = shot, sandbox
        self.verdicts = {True: Counter[str](), False: Counter[str]()}
        self.findings: list[str] = []

    def make(self, exchange: Exchange) -> None:
        """With the words that rules read, and without."""
        for capture in (True, False):
            found = replay(kept(exchange, self._shot, capture=capture), self._shot, self._sandbox)
            self.verdicts[capture][found.verdict] += 1
            self.findings += judge(found, capture=capture)


def kept(exchange: Exchange, shot: Snapshot, *, capture: bool) -> Record:
    """The exchange's record, as it is read back."""
    return decode(msgspec.json.encode(record_of(exchange, shot, 1.0, capture=capture)))


def judge(found: Replay, *, capture: bool) -> list[str]:
    """What is wrong with a replay."""
    bad = found.verdict != EQUAL if capture else found.verdict in (DIFFERS, NOT_REPLAYABLE)
    if not bad:
        return []
    words = "with" if capture else "without"
    why = found.why or "; ".join(f"{one.phase}, {one.what}" for one in found.differences) or str(found.taken)
    return [f"{found.request_id} {words} its words is {found.verdict}: {why}"]


def section(folder: Path, requests: int) -> Section:
    """All of it."""
    result = Section(f"purity: {requests} generated requests decided twice, and in a second process")
    folder.mkdir()
    cache, phases, first = folder.parent / "artifacts", Counter[str](), list[str]()
    shot = purity_life.snapshot(folder / "rules", cache)
    with other_process(folder, cache, requests) as process:
        with Sandbox() as sandbox:
            sandbox.load(shot.rules.rules)
            again = Again(shot, sandbox)
            for exchange in purity_life.lives(folder / "rules", cache, SEED, requests):
                first.append(purity_life.digest(exchange).hex())
                phases[exchange.decision.phase if exchange.decision else ""] += 1
                again.make(exchange)
        more = purity_life.lives(folder / "rules", cache, SEED, requests)
        second = [purity_life.digest(each).hex() for each in more]
        status = process.wait()
    circumstances, *other = (folder / "other.txt").read_text().splitlines()
    if status:
        result.findings.append(f"the second process ended with {status}: {(folder / 'other.err').read_text()[-300:]}")
    if purity_life.circumstances().split()[:2] == circumstances.split()[:2]:
        result.findings.append(f"the second process is no other one: {circumstances}")
    for name, life in (("decided a second time", second), ("in a second process", other)):
        if where := first_difference(first, life):
            result.findings.append(f"{name}, it differs at {where}")
    _told(result, again, phases, len(first))
    return result


def _told(result: Section, again: Again, phases: Counter[str], decided: int) -> None:
    result.counts["decided by"] = tally(phases)
    result.counts["with captured words"] = tally(again.verdicts[True])
    result.counts["without"] = tally(again.verdicts[False])
    result.findings += again.findings[:20]
    equal = again.verdicts[True][EQUAL]
    if not result.findings:
        result.number = f"{decided} decisions byte-equal three times; {equal} replays with captured words equal"
