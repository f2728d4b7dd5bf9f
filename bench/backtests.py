"""How many recorded decisions a core makes again in a minute, and what of it is only reading the records."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from bench.decisions import ROOT
from bench.row import Row, number
from core import presets
from core.decision_record import decode
from core.lab.playing import Player, records
from core.lab.retrial import Retrial, pair
from core.lab.traffic import generate
from core.rolegraph import load_taxonomy
from core.routing.snapshot import Snapshot, build
from wasm_host.registry import load_rules
from wasm_host.rule import RuleSet
from wasm_host.sandbox import Sandbox

SUITE = "Backtest, one core, generated traffic (issue 7: 100 000 decisions a minute without a rule, 20 000 with one)"


def rows(requests: int) -> Iterator[Row]:
    """With no rule and with one that is run for every request, each beside reading the same records alone."""
    config, taxonomy = presets.embedded(set(), {}), load_taxonomy(ROOT / "taxonomy")
    own = build(config, taxonomy, RuleSet())
    plains = [msgspec.json.encode(record) for record in records(generate(7, requests), Player(own), own)]
    with TemporaryDirectory() as folder, Sandbox() as sandbox:
        (Path(folder) / "plugins").mkdir()
        (Path(folder) / "plugins" / "wasm-demo.wat").write_bytes((ROOT / "plugins" / "wasm-demo.wat").read_bytes())
        ruled = build(config, taxonomy, load_rules(Path(folder) / "plugins", {}, cache=Path(folder) / "cache"))
        sandbox.load(ruled.rules.rules)
        for name, other, bound in (("no rule", own, 100_000), ("a rule is run", ruled, 20_000)):
            floor = _a_minute(lambda: [decode(plain) for plain in plains], requests)
            yield _row(name, _a_minute(partial(_again, plains, own, other, sandbox), requests), floor, bound)


def _again(plains: list[bytes], own: Snapshot, other: Snapshot, sandbox: Sandbox) -> None:
    its = pair(own, other)
    part = Retrial(lambda _: its, sandbox)(map(decode, plains))
    if part.tally.replayed != len(plains):
        raise RuntimeError(f"not all was decided again: {part.tally.not_replayable}")


def _a_minute(work: Callable[[], object], requests: int) -> float:
    work()
    begun = time.perf_counter()
    work()
    return requests * 60 / (time.perf_counter() - begun)


def _row(name: str, value: float, floor: float, bound: float) -> Row:
    note = f"reading alone {number(floor)}, {number(floor / value)} times as many"
    return Row(
        suite=SUITE, name=name, value=value, unit="/min", bound=bound, better="higher", note=note,
        figures={"reading": floor},
    )  # fmt: skip
