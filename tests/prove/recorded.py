"""Generated traffic, decided and recorded: a state folder as a proxy would have left it, without one."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from bench import children
from core import settings, snapshots
from core.generation import load_generation
from core.lab.playing import Player, records
from core.lab.traffic import Mix, generate
from core.recording import DECISIONS
from core.routing.snapshot import Snapshot
from core.snapshots import SnapshotStore
from core.state.ledger import Keep, Ledger, entry_of
from wasm_host.sandbox import Sandbox


def record(home: Path, config: Path, seed: int, requests: int, mix: Mix | None = None) -> Mapping[str, str]:
    """Play so many requests under this configuration; the environment in which commands find them."""
    env = children.environment(home)
    state, cache = settings.state_dir(env), settings.cache_dir(env)
    store = SnapshotStore(state / snapshots.NAME, cache)
    loaded = settings.load(config, env)
    generation = load_generation(loaded, cache, keep=partial(store.keep, loaded))
    store.save(generation)
    _write(state / DECISIONS, generation.snapshot, seed, requests, mix)
    return env


def _write(folder: Path, snapshot: Snapshot, seed: int, requests: int, mix: Mix | None) -> None:
    ledger = Ledger(folder, Keep(max_age_days=100_000))
    with Sandbox() as sandbox:
        sandbox.load(snapshot.rules.rules)
        played = records(generate(seed, requests, mix), Player(snapshot, sandbox), snapshot)
        ledger.append([entry_of(each) for each in played])
    ledger.close()
