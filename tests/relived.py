"""Records of decisions whose rules really ran, and rules to make them with, for the tests of the lab."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
from facts import features, settings, snapshot
from wasm_modules import answering, load, quoted, running

from core import settings as program
from core import snapshots
from core.decision_record import Record, record_of
from core.exchange import Exchange, Features, Inputs, SessionState, TargetState
from core.generation import load_generation
from core.lab.drivers import drive
from core.lab.replaying import Means
from core.routing.decide import decide
from core.routing.snapshot import Snapshot
from wasm_host.inline import InlineRunner

CHEAP, CLEVER = "deepseek,deepseek-chat", "openrouter,google/gemini-2.5-flash"
CONCEPTS = {"a/frugal.md": "# Frugal\nroute:: deepseek, deepseek-chat\nsynonyms:: on the cheap\n"}
#: Looks at each byte of its request: its fuel tells how long that is.
READS = running(
    "(local $i i32) (local.set $i (local.get 1))"
    "(loop $l (br_if $l (local.tee $i (i32.sub (local.get $i) (i32.const 1))))) (i64.const 0)"
)
ABSTAINS = running("(i64.const 0)")
TRAPS = running("(unreachable)")
LOOPS = running("(loop $l (br $l)) (i64.const 0)")


def coin(*targets: str) -> str:
    """A rule that routes to one of two targets by a random byte, which WASI makes of the seed."""
    odd_says, even_says = (f'{{"route":"{target}"}}' for target in targets)
    random = '(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))'
    data = f"(data (i32.const 64) {quoted(odd_says)}) (data (i32.const 256) {quoted(even_says)})"
    odd, even = 64 << 32 | len(odd_says), 256 << 32 | len(even_says)
    body = (
        "(drop (call $random (i32.const 8) (i32.const 1)))"
        f"(if (result i64) (i32.and (i32.load8_u (i32.const 8)) (i32.const 1))"
        f"(then (i64.const {odd})) (else (i64.const {even})))"
    )
    return running(body, data).replace("(module", f"(module {random}", 1)


COIN = coin(CHEAP, CLEVER)
CHEAPEST = answering(f'{{"route":"{CHEAP}","reason":"thrift","score":700}}')
PATIENT: Final = {"timeout_ms": 2_000, "fuel": 1_000_000}
TEXT: Mapping[str, Any] = {"input": ["request.last_user"], "grant": ["request.last_user"]}


def ruled(
    folder: Path, modules: Mapping[str, str], operator: Mapping[str, Mapping[str, Any]] | None = None, **routing: Any
) -> Snapshot:
    """A snapshot with these rules (name -> WAT), asked before anything else. Fuel ends a call, however slow the
    machine is.
    """
    given = {name: (operator or {}).get(name, {}) for name in modules}
    patient = {name: {**table, "limits": PATIENT | table.get("limits", {})} for name, table in given.items()}
    rules = load(folder, {f"{name}.wat": text for name, text in modules.items()}, patient)
    assert len(rules.rules) == len(modules), rules.problems
    order = {"order": ["custom", "runtime", "pattern", "default"]}
    return snapshot(settings(**(order | routing)), CONCEPTS, rules)


def live(
    shot: Snapshot,
    *,
    request_id: str = "req_1",
    capture: bool = False,
    session: SessionState | None = None,
    states: Mapping[str, TargetState] | None = None,
    factors: Mapping[str, float] | None = None,
    **facts: Any,
) -> Record:
    """The record of a decision as the proxy would make it, as it comes back from where it was kept."""
    seen: Features = features(**facts)
    inputs = Inputs(seen, session or SessionState(), states or {}, factors or {})
    exchange = Exchange(request_id, "/v1/messages", "anthropic", snapshot=shot.digest, inputs=inputs)
    deciding = decide(shot, seen, inputs.session, inputs.states, inputs.factors)
    runner = InlineRunner()
    exchange.decision = drive(deciding, lambda ask: runner.run(ask.rules, ask.view, ask.targets))
    return kept(record_of(exchange, shot, 1.0, capture=capture))


def kept(record: Record | None) -> Record:
    """A record as it is read back."""
    return msgspec.json.decode(msgspec.json.encode(record), type=Record)


CONFIG: Final = """\
[providers.here]
dialect = "loopback"
models = { a = {}, b = {} }
[routing]
order = ["custom", "runtime", "pattern", "default"]
default = "here,a"
[rules.reads]
input = ["request.last_user"]
grant = ["request.last_user"]
limits = { timeout_ms = 2000 }
[plugins]
dir = "plugins"
[taxonomy]
dir = "taxonomy"
"""


def saved(folder: Path, home: Path, config: str = CONFIG) -> tuple[Snapshot, Means]:
    """A configuration in `folder` with a rule that reads words, read and saved as a proxy with this HOME does."""
    for name in ("plugins", "taxonomy"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "config.toml").write_text(config)
    (folder / "plugins" / "reads.wat").write_text(READS)
    (folder / "taxonomy" / "kind.md").write_text("# Kind\nroute:: here, b\nsynonyms:: on the cheap\n")
    env = {"HOME": str(home), "TERRAPHIM_DISCOVERY": "off"}
    means = Means(program.state_dir(env) / snapshots.NAME, program.cache_dir(env))
    store = snapshots.SnapshotStore(means.snapshots, means.cache)
    loaded = program.load(folder / "config.toml", env)
    generation = load_generation(loaded, means.cache, keep=partial(store.keep, loaded))
    assert not generation.snapshot.problems
    store.save(generation, served=True)
    return generation.snapshot, means
