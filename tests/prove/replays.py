"""Promise: what a real proxy decided is made again from its records: equal with captured words, without a difference
without them.

Generated requests of agents and programs go through a proxy whose rules read words, sessions, headers and targets, by
many connections at once, so that rules' answers also depend on what went on meanwhile.
"""

import json
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from threading import local
from typing import Any, Final

from relived import coin

from bench import children
from core.lab.cores import chunks
from core.lab.replay import VERDICTS
from core.lab.traffic import Sent, generate
from prove.purity_life import RULES
from prove.scene import PATIENCE_S, Scene, scene
from prove.section import Section

SEED: Final = 11
CLIENTS: Final = 8
#: Rules of the other proof that a proxy with these targets can have.
ASKED: Final = {
    "coin": (coin("a,b", "c,d"), {"mode": "canary", "share": 30, "priority": 60}),
    **{name: RULES[name] for name in ("facts", "headers", "hears", "reads", "runs-out", "session", "system", "traps")},
}
#: Client programs' words for who and what they are; the proxy has no keys, so no credential is sent.
_OF_THE_WAY: Final = frozenset({"authorization", "x-api-key", "content-length", "host"})


def config(*, capture: bool) -> str:
    """The operator's word on the rules, and on words."""
    tables = [f"[rules.{name}]\n{_lines(table)}" for name, (_, table) in ASKED.items()]
    return f"\n[records]\ncapture = {_toml(capture)}\n" + "\n".join(tables)


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_toml(value)}\n" for key, value in table.items())


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)


def sent_all(proxy: Scene, traffic: Iterable[Sent]) -> dict[int, int]:
    """Send them by several connections; how often which status came."""
    mine, statuses, opened = local(), dict[int, int](), list[HTTPConnection]()

    def send(sent: Sent) -> int:
        if not hasattr(mine, "connection"):
            mine.connection = HTTPConnection("127.0.0.1", proxy.port, timeout=PATIENCE_S)
            opened.append(mine.connection)
        headers = {name: value for name, value in sent.headers.items() if name.lower() not in _OF_THE_WAY}
        mine.connection.request("POST", sent.endpoint, sent.body, {"content-type": "application/json", **headers})
        answer = mine.connection.getresponse()
        answer.read()
        return int(answer.status)

    with ThreadPoolExecutor(CLIENTS) as pool:
        for some in chunks(traffic, 8 * CLIENTS):  # bodies are large: not all of them at once
            for status in pool.map(send, some):
                statuses[status] = statuses.get(status, 0) + 1
    for connection in opened:
        connection.close()
    return statuses


def replayed(folder: Path) -> dict[str, Any]:
    """What the command says of all records of a proxy that was in this folder."""
    command = children.python("-c", children.PROGRAM, "replay", "--json", "--config", str(folder / "config.toml"))
    env = children.environment(folder / "home")
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, timeout=3600, check=False)
    if not done.stdout:
        raise RuntimeError(f"replay ended with {done.returncode}: {done.stderr.decode()[-500:]}")
    said: dict[str, Any] = json.loads(done.stdout)
    return said | {"exit": done.returncode}


def judge(said: dict[str, Any], sent: int, *, capture: bool) -> list[str]:
    """What is wrong with the sum of all replays."""
    findings = []
    if said["records"] != sent:
        findings.append(f"{said['records']} records of {sent} requests")
    if said["differs"] or said["not_replayable"] or said["exit"]:
        first = [each["differences"][0] for each in said["differing"][:2]]
        why = said["not_replayable_because"]
        findings.append(f"{said['differs']} differ, {said['not_replayable']} cannot be replayed: {first} {why}"[:600])
    if capture and said["partial"]:
        findings.append(f"{said['partial']} are partial although words are captured: {said['taken']}")
    if not capture and not said["partial"]:
        findings.append("no record lacks words, although none are captured")
    if said["sha256"]["recorded"] != said["sha256"]["replayed"]:
        findings.append("the bytes of all decisions have another SHA-256")
    return findings


def section(folder: Path, requests: int) -> Section:
    """Once with captured words, once without."""
    result = Section(f"replays: {requests} generated requests through a proxy, and again from its records")
    folder.mkdir()
    for capture in (True, False):
        name = "captured" if capture else "bare"
        rules = [(f"{each}.wat", text) for each, (text, _) in ASKED.items()]
        with scene(folder / name, config=config(capture=capture), rules=rules) as proxy:
            statuses = sent_all(proxy, generate(SEED, requests))
            result.findings += proxy.whole()
            _stop(proxy)
        said = replayed(folder / name)
        result.counts[f"{name}, statuses"] = str(statuses)
        counted = ", ".join(f"{said[verdict]} {verdict}" for verdict in VERDICTS)
        result.counts[f"{name}, replays"] = f"{counted}, {said['records_per_second']}/s"
        result.findings += judge(said, sum(statuses.values()), capture=capture)
        if capture and not result.findings:
            result.number = f"{said['equal']} of {said['records']} records of a proxy equal"
    return result


def _stop(proxy: Scene) -> None:
    """So that all that it decided is written."""
    proxy.process.terminate()
    proxy.process.wait(PATIENCE_S)
