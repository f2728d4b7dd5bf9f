"""Promise: a rule goes from shadow to everybody, fails, and goes back of itself, and nobody's request suffers.

Every answer names the snapshot that decided it, so who was asked in which stage is known, and what it must have said
is computed apart from the proxy: by the stage, and by the hash of its session.
"""

import itertools
import math
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from bench import children
from core.rollout import ENFORCE, SHADOW, Stage
from core.routing.canary import is_in
from core.session import mark
from prove import guests
from prove.scene import PATIENCE_S, Scene, scene, wait
from prove.section import Section, tally

RULE: Final = "candidate"
#: Where the rule leads, and where requests go without it.
ITS, OTHERS = "c,d", "a,e"
CANARY: Final = Stage("canary", 10)
SESSIONS, CLIENTS = 400, 6
#: The first word of a request that the rule fails on.
OVER: Final = "!"
_CONFIG: Final = f"""\
[rules.{RULE}]
mode = "shadow"
grant = ["request.last_user"]
input = ["request.last_user"]
"""


class Answered(NamedTuple):
    """One request: when it began and ended (s), its session, whether the rule fails on it, and what came back."""

    begun: float
    ended: float
    session: str
    fails: bool
    status: int
    snapshot: str
    reason: str
    target: str
    said: str


class Load:
    """Clients that ask without a pause while the block runs; `failing`: from now on requests that the rule fails on."""

    def __init__(self, port: int) -> None:
        self._port, self._numbers, self._stop = port, itertools.count(), threading.Event()
        self._threads = [threading.Thread(target=self._client) for _ in range(CLIENTS)]
        self.answered: list[Answered] = []
        self.failing = False

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def more(self, count: int) -> None:
        """Wait until so many more were answered."""
        until = len(self.answered) + count
        wait(lambda: len(self.answered) >= until, "requests are not answered", patience_s=PATIENCE_S + count / 20)

    def _client(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        while not self._stop.is_set():
            self.answered.append(self._one(connection, next(self._numbers)))
        connection.close()

    def _one(self, connection: HTTPConnection, number: int) -> Answered:
        session, fails, begun = f"session-{number % SESSIONS}", self.failing, time.monotonic()
        headers = {"content-type": "application/json", "x-session-id": session}
        try:
            connection.request("POST", "/v1/messages", body(fails=fails, streamed=number % 2 == 0), headers)
            answer = connection.getresponse()
            data = answer.read().decode()
        except (OSError, HTTPException):
            connection.close()
            return Answered(begun, time.monotonic(), session, fails, 0, "", "", "", "")
        told = {name: answer.headers.get(f"x-terraphim-{name}", "") for name in ("snapshot", "reason")}
        target = f"{answer.headers.get('x-terraphim-provider')},{answer.headers.get('x-terraphim-model')}"
        return Answered(
            begun, time.monotonic(), session, fails, answer.status, told["snapshot"], told["reason"], target, data
        )


def body(*, fails: bool, streamed: bool) -> bytes:
    """A request; each has other words, so that nothing can be answered from a memory."""
    message = {"role": "user", "content": f"{OVER if fails else ''}hello"}
    return msgspec.json.encode({"model": "auto", "max_tokens": 64, "stream": streamed, "messages": [message]})


def section(folder: Path, count: int) -> Section:
    """So many requests, a quarter at each stage."""
    found = Section(f"{count} requests while a rule is rolled out and back")
    answer = msgspec.json.encode({"route": ITS}).decode()
    with scene(folder, config=_CONFIG, rules=[(f"{RULE}.wat", guests.tripping(answer, OVER))]) as running:
        stages = {current(running): SHADOW}
        with Load(running.port) as load:
            load.more(count // 4)
            for stage in (CANARY, ENFORCE):
                stages[promoted(running, stage)] = stage
                load.more(count // 4)
            load.failing = True
            wait(lambda: stage_of(running) == str(SHADOW), "the rule is not rolled back", 0.02)
            stages.setdefault(current(running), SHADOW)
            load.more(count // 4)
        status = told(running)
        found.findings += running.whole()
    found.findings += broken(load.answered, stages)
    found.findings += [] if status["held"] else ["what was rolled back is not held"]
    late, ms = after_the_third(load.answered, stages)
    found.counts = counts(load.answered, stages) | {
        "said of the roll-back": str(status["history"][-1]["why"]),
        "until it is rolled back": f"{late} requests and {ms:.0f} ms after the third failure",
    }
    found.number = f"{len(load.answered)} requests, {len(found.findings)} broken; rolled back {late} requests late"
    return found


def broken(answered: Iterable[Answered], stages: Mapping[str, Stage]) -> list[str]:
    """Answers that their stage and their session do not explain, each kind once; and a share that is not met."""
    wrong: Counter[str] = Counter()
    for one in answered:
        if one.status != 200:
            wrong[f"status {one.status}"] += 1
        elif one.snapshot not in stages:
            wrong["a snapshot that never served"] += 1
        else:
            stage = stages[one.snapshot]
            expected = (f"rule:{RULE}", ITS) if decides(stage, one.session) and not one.fails else ("default", OTHERS)
            if (one.reason, one.target) != expected:
                wrong[f"{stage}: decided by {one.reason} for {one.target}, not by {expected[0]}"] += 1
            elif one.reason not in one.said or one.target.replace(",", " ") not in one.said.replace(",", " "):
                wrong["an answer that says other than its headers"] += 1
    inside = sum(decides(CANARY, f"session-{number}") for number in range(SESSIONS))
    share = (CANARY.share or 0) / 100
    if abs(inside - SESSIONS * share) > 4 * math.sqrt(SESSIONS * share * (1 - share)):
        wrong[f"{inside} of {SESSIONS} sessions are in a share of {share:.0%}"] += 1
    return [f"{what} ({times}×)" for what, times in wrong.most_common()]


def decides(stage: Stage, session: str) -> bool:
    """Whether the rule decides for a session at a stage."""
    return stage == ENFORCE or (stage.share is not None and is_in(RULE, stage.share, mark("", session)))


def after_the_third(answered: Iterable[Answered], stages: Mapping[str, Stage]) -> tuple[int, float]:
    """How many requests began after the third failure was answered and were decided as if nothing had been, and until
    when (ms).
    """
    failing = sorted(
        (one for one in answered if one.fails and stages.get(one.snapshot) == ENFORCE), key=lambda one: one.ended
    )
    if len(failing) < 3:
        return 0, 0.0
    third = failing[2].ended
    late = [one for one in failing if one.begun > third]
    return len(late), max([one.begun - third for one in late], default=0.0) * 1000


def counts(answered: Iterable[Answered], stages: Mapping[str, Stage]) -> dict[str, str]:
    """What was decided by stage."""
    by_stage: dict[str, Counter[str]] = {}
    for one in answered:
        by_stage.setdefault(str(stages.get(one.snapshot, "?")), Counter())[one.reason or str(one.status)] += 1
    return {stage: tally(reasons) for stage, reasons in by_stage.items()}


def current(running: Scene) -> str:
    """The id of the snapshot that serves."""
    return str(msgspec.json.decode(running.request("/health")[1])["snapshot"])


def stage_of(running: Scene) -> str:
    """Where the rule is, as the proxy says."""
    return str(msgspec.json.decode(running.request("/health")[1])["rollouts"][RULE]["stage"])


def promoted(running: Scene, stage: Stage) -> str:
    """The rule at this stage, by the command; the id of the snapshot in which it is."""
    to = ["--to", stage.mode, *(["--share", f"{stage.share:g}%"] if stage.share else [])]
    command(running, "promote", RULE, *to)
    wait(lambda: stage_of(running) == str(stage), f"{stage} is not served", 0.02)
    return current(running)


def told(running: Scene) -> dict[str, Any]:
    """What `rules status` says."""
    out = command(running, "status", RULE, "--url", f"http://127.0.0.1:{running.port}", "--json")
    rules: list[dict[str, Any]] = msgspec.json.decode(out)["rules"]
    return rules[0]


def command(running: Scene, *args: str) -> bytes:
    """The output of `rules …`; RuntimeError if it fails."""
    line = children.python("-c", children.PROGRAM, "rules", *args, "--config", str(running.folder / "config.toml"))
    env = children.environment(running.folder / "home")
    done = subprocess.run(line, env=env, capture_output=True, timeout=PATIENCE_S, check=False)
    if done.returncode:
        raise RuntimeError(f"rules {args[0]}: {done.stderr.decode()}")
    return done.stdout
