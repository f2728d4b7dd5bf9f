"""Generated requests, decided in this process with everything that a decision may depend on.

`python -m prove.purity_life FOLDER CACHE SEED REQUESTS` prints what this process is, and a digest of each.
"""

import locale
import random
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec
from relived import ABSTAINS, COIN, LOOPS, READS, TRAPS
from wasm_modules import running

from core import presets
from core.calibration import Calibration
from core.decision_record import bare, canonical, cleared
from core.exchange import Exchange, TargetState
from core.lab.drivers import Calls
from core.lab.playing import Player, Surroundings
from core.lab.traffic import Sent, generate
from core.rolegraph import load_taxonomy
from core.routing.snapshot import Snapshot, build
from wasm_host.registry import load_rules
from wasm_host.sandbox import Sandbox

ROOT: Final = Path(__file__).parent.parent.parent
#: Takes as long as the clock says: its fuel tells the milliseconds.
CLOCK: Final = running(
    "(local $left i64) (drop (call $time (i32.const 0) (i64.const 0) (i32.const 8)))"
    "(local.set $left (i64.and (i64.div_u (i64.load (i32.const 8)) (i64.const 1000000)) (i64.const 255)))"
    "(loop $l (local.set $left (i64.sub (local.get $left) (i64.const 1)))"
    " (br_if $l (i64.gt_s (local.get $left) (i64.const 0)))) (i64.const 0)"
).replace(
    "(module",
    '(module (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))',
    1,
)
#: Name -> module and the operator's table: what reads words, and what sees only facts; faults; sides of a session.
RULES: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "clock": (CLOCK, {"input": ["scenario"]}),
    "coin": (COIN, {"mode": "canary", "share": 30, "priority": 60}),
    "facts": (READS, {"input": ["targets", "client"]}),
    "headers": (READS, {"input": ["headers[user-agent]", "headers[x-none]"], "grant": ["headers[user-agent]"]}),
    "hears": (READS, {"input": ["request.messages"], "grant": ["request.messages"]}),
    "loops": (LOOPS, {"limits": {"fuel": 50_000}}),
    "plain": (READS, {}),
    "quiet": (ABSTAINS, {"mode": "shadow"}),
    "reads": (READS, {"input": ["request.last_user[:500]"], "grant": ["request.last_user"]}),
    "runs-out": (READS, {"input": ["request.last_user"], "grant": ["request.last_user"], "limits": {"fuel": 2_000}}),
    "session": (READS, {"input": ["session"], "grant": ["session"]}),
    "shadow": (COIN, {"mode": "shadow"}),
    "system": (READS, {"input": ["request.system[:300]"], "grant": ["request.system"]}),
    "traps": (TRAPS, {}),
}
#: Requests between two changes of how targets are.
WEATHER: Final = 50


def snapshot(folder: Path, cache: Path) -> Snapshot:
    """The bundled taxonomy and the embedded targets, with rules of every kind. `cache` keeps compiled modules."""
    plugins = folder / "plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    for name, (text, _) in RULES.items():
        (plugins / f"{name}.wat").write_text(text)
    rules = load_rules(plugins, {name: table for name, (_, table) in RULES.items()}, cache=cache)
    if len(rules.rules) != len(RULES):
        raise RuntimeError(f"rules do not load: {rules.problems}")
    routing = {"order": ["custom", "runtime", "pattern", "default"]}
    return build(presets.embedded(set(), {"routing": routing}), load_taxonomy(ROOT / "taxonomy"), rules)


class Life:
    """A proxy's life without a proxy: sessions go on, models' factors are learned, targets fall ill and get well."""

    def __init__(self, shot: Snapshot, calls: Calls, seed: int) -> None:
        self._player, self._names = Player(shot, calls), sorted(shot.target_names)
        self._rng = random.Random(seed)  # noqa: S311 - reproducible on purpose
        self._calibration = Calibration()
        self._number = 0

    def live(self, sent: Sent) -> Exchange:
        """One request, to its end."""
        around = self._weather() if self._number % WEATHER == 0 else self._player.around
        self._number += 1
        self._player.around = around._replace(factors=dict(self._calibration.factors))
        exchange = self._player.play(sent)
        if exchange.answered_by and exchange.inputs:
            self._calibration.learn(exchange.answered_by.model, exchange.inputs.features.counted, sent.usage)
        return exchange

    def _weather(self) -> Surroundings:
        rng = self._rng
        states = {
            name: TargetState(rng.random() < 0.7, rng.choice((None, 300, 2_000)), rng.choice((None, 5)))
            for name in rng.sample(self._names, k=len(self._names) // 2)
        }
        return Surroundings(states, tz_offset_min=rng.choice((-480, 0, 60, 330)))


def digest(exchange: Exchange) -> bytes:
    """Of all that was found out and decided: what a request is, its decision, what its rules were shown and said."""
    decision, inputs = exchange.decision, exchange.inputs
    if decision is None or inputs is None:
        raise RuntimeError(f"{exchange.request_id} was not decided")
    said = [msgspec.structs.replace(cleared(outcome), micros=0) for outcome in decision.asked]
    parts = [inputs, said, bare(decision.matches or ())]
    return sha256(canonical(decision) + msgspec.json.encode(parts, order="deterministic")).digest()[:16]


def lives(folder: Path, cache: Path, seed: int, requests: int) -> Iterator[Exchange]:
    """One life, from its begin."""
    shot = snapshot(folder, cache)
    with Sandbox() as sandbox:
        sandbox.load(shot.rules.rules)
        life = Life(shot, sandbox, seed)
        for sent in generate(seed, requests):
            yield life.live(sent)


def circumstances() -> str:
    """What of this process no decision may depend on."""
    return f"{hash('terraphim')} {time.strftime('%z')} {locale.setlocale(locale.LC_ALL)}"


def main(folder: str, cache: str, seed: str, requests: str) -> None:
    """Circumstances in the first line, then 32 hex digits a request."""
    locale.setlocale(locale.LC_ALL, "")
    print(circumstances(), flush=True)
    for exchange in lives(Path(folder), Path(cache), int(seed), int(requests)):
        print(digest(exchange).hex())


if __name__ == "__main__":
    main(*sys.argv[1:])
