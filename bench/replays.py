"""How many recorded decisions are made again in a second, by one process: without a rule, and with one that reads."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from bench.decisions import ROOT, snapshot
from bench.row import Row, number
from bench.stats import median
from core.decision_record import decode
from core.lab.playing import Player, records
from core.lab.replay import EQUAL, PARTIAL, replay
from core.lab.traffic import generate
from core.routing.snapshot import Snapshot
from wasm_host.registry import load_rules
from wasm_host.rule import RuleSet
from wasm_host.sandbox import Sandbox

SUITE = "Replay, a process (issue 7: 100 000 decisions a minute without a rule, 20 000 with one)"
SEED = 5
READS = {"input": ["request.last_user"], "grant": ["request.last_user"]}
ROUNDS = 3


def rows(count: int) -> Iterator[Row]:
    """For so many generated requests."""
    with TemporaryDirectory() as folder, Sandbox() as sandbox:
        for name, rules, a_minute in (("no rule", RuleSet(), 100_000), ("one rule", _rule(Path(folder)), 20_000)):
            sandbox.load(rules.rules)
            yield _row(name, snapshot(rules), sandbox, count, a_minute / 60)


def _row(name: str, shot: Snapshot, sandbox: Sandbox, count: int, bound: float) -> Row:
    traffic = generate(SEED, count)
    kept = [msgspec.json.encode(each) for each in records(traffic, Player(shot, sandbox), shot, capture=True)]

    def again(plain: bytes) -> None:
        found = replay(decode(plain), shot, sandbox)
        if found.verdict not in (EQUAL, PARTIAL):
            raise RuntimeError(f"{found.request_id} {found.verdict}: {found.why} {found.differences}")

    speeds, floor = _speeds(again, kept), median(_speeds(decode, kept))
    middle, size = median(speeds), sum(map(len, kept)) // len(kept)
    note = f"decoding alone {number(floor)}/s; {size} bytes a record"
    return Row(
        suite=SUITE, name=f"records replayed a second, {name}", value=middle, unit="/s", bound=bound, better="higher",
        spread=(min(speeds), max(speeds)), note=note, figures={"decoded_per_second": floor, "bytes": size},
    )  # fmt: skip


def _speeds(work: Callable[[bytes], object], kept: list[bytes]) -> list[float]:
    speeds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for plain in kept:
            work(plain)
        speeds.append(len(kept) / (time.perf_counter() - begun))
    return speeds


def _rule(folder: Path) -> RuleSet:
    plugins = folder / "plugins"
    plugins.mkdir()
    (plugins / "wasm-demo.wat").write_bytes((ROOT / "plugins" / "wasm-demo.wat").read_bytes())
    rules = load_rules(plugins, {"wasm-demo": READS}, cache=folder / "cache")
    if len(rules.rules) != 1:
        raise RuntimeError(f"the demo rule does not load: {rules.problems}")
    return rules
