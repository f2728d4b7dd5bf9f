"""Promise: a live shadow and a backtest agree exactly: the same answers of the rule, and the same decision.

Generated requests go through a proxy with a rule in shadow; then the same rule, run again, is a candidate.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from bench import children
from core import settings, snapshots
from core.cli_traffic import send
from core.decision_record import Record, canonical, cleared
from core.lab.backtest import Given, Pairs
from core.lab.candidate import read
from core.lab.enforce import enforced
from core.lab.retrial import Pair, decided
from core.lab.traffic import generate
from core.recording import DECISIONS
from core.state import ledger
from prove.scene import PATIENCE_S, scene
from prove.section import Section
from wasm_host.sandbox import Sandbox

SEED: Final = 23
RULE: Final = "parity"
TARGET: Final = "c,d"


def wat(target: str) -> str:
    """A rule that routes what it is shown in an even number of bytes, after as many steps as there are."""
    answer = f'{{"route":"{target}","reason":"even","score":7}}'
    return f"""\
(module (memory (export "memory") 5)
  (data (i32.const 16) "{answer.replace('"', chr(92) + "22")}")
  (func (export "rule_v1_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param i32 i32) (result i64)
    (local $i i32) (local.set $i (local.get 1))
    (loop $l (br_if $l (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
    (if (result i64) (i32.and (local.get 1) (i32.const 1))
      (then (i64.const 0)) (else (i64.const {16 << 32 | len(answer)})))))
"""


_CONFIG: Final = f"""
[records]
capture = true
[rules.{RULE}]
mode = "shadow"
input = ["request", "session"]
grant = ["request.last_user", "session"]
"""
#: What must be the same of an answer; how long it took is not.
_FACTS: Final = ("code", "route", "reason", "score", "tags", "fuel", "pages", "seen", "module")


def disagreement(record: Record, its: Pair, calls: Sandbox) -> str:
    """What the candidate, run again, said or decided otherwise than the shadow would have; empty if nothing."""
    if its.own is None:
        return f"{record.request_id}: its snapshot is gone"
    again = msgspec.structs.replace(its, same=its.same - {RULE}, turned={})
    decision, taken = decided(record, again, calls)
    then = {outcome.rule: outcome for outcome in record.asked}
    for outcome in map(cleared, decision.asked):
        before = then[outcome.rule]
        if differs := [name for name in _FACTS if getattr(before, name) != getattr(outcome, name)]:
            return f"{record.request_id}: rule {outcome.rule}: {', '.join(differs)} differ"
    if taken:
        return f"{record.request_id}: {taken} not run again"
    would = enforced(record, its.own, RULE)
    decision = msgspec.structs.replace(decision, snapshot=would.snapshot)
    return "" if canonical(decision) == canonical(would) else f"{record.request_id}: another decision"


def section(folder: Path, requests: int) -> Section:
    """Traffic through a proxy, then both ways over its records."""
    result = Section("a rule in shadow, live, and as a backtest's candidate over the same traffic")
    with scene(folder, config=_CONFIG, rules=[(f"{RULE}.wat", wat(TARGET))]) as proxy:
        report = send(generate(SEED, requests), "127.0.0.1", proxy.port)
        result.findings += proxy.whole()
        proxy.process.terminate()
        proxy.process.wait(PATIENCE_S)
    result.counts["requests"] = f"{report['requests']} answered with {report['statuses']}"
    state = settings.state_dir(children.environment(folder / "home"))
    records = list(_would(state, folder, result.findings))
    flips = sum(would for _, would in records)
    said = _command(folder)
    if len(records) != requests:
        result.findings.append(f"{len(records)} records of {requests} requests")
    if not 0 < flips < requests:
        result.findings.append(f"the shadow would have moved {flips} of {requests}: nothing was compared")
    if (said["records"], said["flips"], said["not_replayable"]) != (requests, flips, {}):
        found = {name: said[name] for name in ("records", "flips", "not_replayable")}
        result.findings.append(f"the command says {found}, the shadow would have moved {flips}")
    result.counts["moved"] = f"{flips} by the shadow, {said['flips']} by the candidate"
    result.number = f"{len(result.findings)} disagreements in {requests} decisions, {flips} of them moved"
    return result


def _would(state: Path, folder: Path, findings: list[str]) -> Iterator[tuple[str, bool]]:
    """Each record's id, and whether the shadow would have sent it elsewhere; disagreements are findings."""
    given = Given(
        candidate=read([folder / "plugins" / f"{RULE}.wat"]),
        snapshots=state / snapshots.NAME,
        cache=folder / "compiled",
    )
    with Sandbox() as sandbox:
        pairs = Pairs(given, sandbox)
        for record in ledger.read(state / DECISIONS):
            its = pairs(record.snapshot)
            if its.own is None:
                raise RuntimeError("the record's snapshot is not kept")
            if wrong := disagreement(record, its, sandbox):
                findings.append(wrong)
            yield record.request_id, enforced(record, its.own, RULE).target != record.decision.target


def _command(folder: Path) -> Mapping[str, Any]:
    """What `backtest` says of all records."""
    given = ("backtest", "--with", str(folder / "plugins" / f"{RULE}.wat"), "--json")
    command = children.python("-c", children.PROGRAM, *given, "--config", str(folder / "config.toml"))
    env = children.environment(folder / "home")
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, timeout=3600, check=False)
    if done.returncode:
        raise RuntimeError(f"backtest ended with {done.returncode}: {done.stderr.decode()[-500:]}")
    said: dict[str, Any] = json.loads(done.stdout)
    return said
