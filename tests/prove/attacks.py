"""Promise: hostile modules cost other requests nothing, and judging them costs the event loop nothing.

Modules come and go beside a rule that abstains; between them there is calm. The same clients run all the time, and
what they saw beside a hostile module is compared with what they saw in the calm of the same round. The rounds' middle
counts: the machine has other things to do.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from bench.stats import median, percentile
from prove import bombs, guests
from prove.scene import ASKING, NAMING, Client, Scene, outcomes, scene, wait
from prove.section import Section, tally
from prove.vectors import Vector, vectors
from wasm_host import abi, compiler

#: How much later than beside a rule that abstains (ms): the 99th percentile of requests that ask no rule, and of looks
#: at the event loop while bombs are judged.
LATER_MS, LAG_MS = 5.0, 10.0
#: What a call may take beyond its deadline (ms); the deadline of the rules here.
OVER_MS, DEADLINE_MS = 10.0, 100
#: How long calm lasts before each module, in which its predecessor goes (s).
_CALM_S: Final = 1.5
#: How long each module stays while clients ask it (s).
_STAY_S: Final = 0.3
#: Endless loops that have more fuel than time, and how often each is asked.
SLOW: Final = ("slow-1", "slow-2", "slow-3")
_CALLS: Final = 4
_CONFIG: Final = "".join(
    f"[rules.{name}]\nlimits = {{ fuel = {abi.LIMITS['fuel'].cap}, timeout_ms = {DEADLINE_MS} }}\n" for name in SLOW
)
_QUIET: Final = '{"abstain":true}'


class Pair(NamedTuple):
    """The 99th percentile (ms) in calm and under attack, and the worst under attack."""

    calm: float
    attacked: float
    worst: float


def section(folder: Path, every: int, rounds: int) -> Section:
    """Each n-th vector and each n-th bomb, spread over the rounds."""
    attackers = [vector for vector in vectors() if vector.group != "good"][::every]
    found = Section(f"{len(attackers)} hostile modules, {len(_bombs(every))} compile bombs")
    with scene(folder, config=_CONFIG) as running:
        _vectors(running, attackers, rounds, found)
        _deadline(running, found)
        _explode(running, _bombs(every), rounds, found)
        found.findings += running.whole()
    return found


def _bombs(every: int) -> list[str]:
    small = [name for name, bomb in bombs.BOMBS.items() if name not in ("much_data", "deep_text")]
    return small[: max(3, len(small) // every)]


def _vectors(running: Scene, attackers: Sequence[Vector], rounds: int, found: Section) -> None:
    pairs = []
    for number in range(rounds):
        acts = [_attack(running, v.path.stem, v.path.read_bytes(), ".wat") for v in attackers[number::rounds]]
        with (
            running.client("POST", "/v1/messages", ASKING, pause_ms=25) as asking,
            running.client("POST", "/v1/messages", NAMING, pause_ms=5) as naming,
        ):
            spans = _play(running, acts)
        found.findings += [f"a request failed: {failure}" for failure in (*asking.failed(), *naming.failed())]
        pairs.append(_pair(naming, spans))
    _compare("requests that ask no rule", LATER_MS, pairs, found)
    said = outcomes(running.metrics())
    hostile = [vector.path.stem for vector in attackers if vector.group == "hostile"]
    codes = Counter(code for name in hostile for code in said.get(name, {"never asked": 0}))
    found.counts["what came of them"] = f"{len(attackers) - len(hostile)} not loaded, {tally(codes)}"
    found.findings += [f"{name} was never asked" for name in hostile if name not in said]


def _explode(running: Scene, names: Sequence[str], rounds: int, found: Section) -> None:
    pairs = []
    for number in range(rounds):
        chosen = names[number::rounds] or names[number % len(names) :][:1]
        acts = [_attack(running, f"{name}-{number}", bombs.BOMBS[name].make(), ".wasm") for name in chosen]
        with running.client("GET", "/health/live", pause_ms=2) as live:
            spans = _play(running, acts)
        found.findings += [f"a request failed: {failure}" for failure in live.failed()]
        pairs.append(_pair(live, spans))
    _compare("looks at the event loop while bombs are judged", LAG_MS, pairs, found)


def _play(running: Scene, acts: Iterable[Callable[[], None]]) -> list[tuple[float, float]]:
    """Each act after a while of calm; from when to when each took."""
    spans = []
    for act in acts:
        running.loaded("quiet.wat", guests.always(_QUIET))
        time.sleep(_CALM_S)
        begin = time.monotonic()
        act()
        spans.append((begin, time.monotonic()))
    return spans


def _pair(client: Client, spans: Sequence[tuple[float, float]]) -> Pair:
    """What a client saw during `spans`, and what else."""
    calm, attacked = list[float](), list[float]()
    for one in client.seen:
        inside = any(one.begun < end and one.begun + one.ms / 1000 > begin for begin, end in spans)
        (attacked if inside else calm).append(one.ms)
    return Pair(percentile(calm, 99), percentile(attacked, 99), max(attacked))


def _compare(what: str, bound: float, pairs: Sequence[Pair], found: Section) -> None:
    later = median([pair.attacked - pair.calm for pair in pairs])
    each = ", ".join(f"{pair.calm:.1f} then {pair.attacked:.1f}, at worst {pair.worst:.1f}" for pair in pairs)
    found.counts[f"{what}, p99"] = f"{later:+.1f} ms, the bound is {bound} ({each})"
    if later > bound:
        found.findings.append(f"{what}: {later:.1f} ms later at p99, the bound is {bound}")


def _attack(running: Scene, name: str, content: bytes, suffix: str) -> Callable[[], None]:
    """The module comes, and is refused, or served for a while."""
    file = f"{name}{suffix}"

    def act() -> None:
        before = running.swaps()

        def arrived() -> bool:
            return file in running.log() or running.swaps() > before

        running.put(file, content)
        # Clients keep the machine busy, and a module is compiled at niceness 19: it gets what is left.
        wait(arrived, f"nothing came of {file}", pause_s=0.1, patience_s=2 * compiler.WALL_S)
        time.sleep(_STAY_S)

    return act


def _deadline(running: Scene, found: Section) -> None:
    """An endless loop with more fuel than time: the trace says how long each call took.

    The machine may stand still for longer than the bound, so the best of a few series counts.
    """
    worst = []
    for name in SLOW:
        running.loaded(f"{name}.wat", guests.looping())
        calls = [call for _ in range(_CALLS) for call in _timeouts(running, found)]
        worst.append(max(calls, default=0.0))
        if 0 < worst[-1] <= DEADLINE_MS + OVER_MS:
            break
    found.counts["longest call"] = f"{', '.join(f'{ms:.1f}' for ms in worst)} ms, its deadline is {DEADLINE_MS}"
    if not 0 < worst[-1] <= DEADLINE_MS + OVER_MS:
        found.findings.append(f"calls took {worst} ms, the bound is {DEADLINE_MS + OVER_MS}")


def _timeouts(running: Scene, found: Section) -> list[float]:
    """How long the call took (ms), if its deadline ended it."""
    steps = [step for step in running.explain(ASKING)["trace"] if step["detail"].get("rule") in SLOW]
    codes = {step["outcome"] for step in steps}
    if not codes <= {"timeout", "skipped"}:
        found.findings.append(f"an endless loop ended in {', '.join(sorted(codes))}")
    return [step["detail"]["micros"] / 1000 for step in steps if step["outcome"] == "timeout"]
