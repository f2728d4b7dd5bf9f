"""What staying with a warm prompt cache is worth: target switches, cache hits and cost of whole sessions.

First one session of a coding agent (`agent_session`), decided from its bytes on with the bundled
taxonomy, with and without stickiness, and with the bundled rule `plan_mode`. Then random sessions (`random_sessions`),
also searched for those where staying costs more than following.
"""

import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from bench import agent_session, random_sessions
from bench.agent_session import TURNS, is_turn
from bench.decisions import ROOT
from bench.row import Row
from core import presets
from core.exchange import Spent, Target
from core.lab.playing import Player
from core.lab.traffic import Sent
from core.messages import Usage
from core.prices import cost
from core.rolegraph import load_taxonomy
from core.routing.snapshot import Snapshot, build
from wasm_host.registry import load_rules
from wasm_host.rule import RuleSet
from wasm_host.sandbox import Sandbox

#: Images and long prompts go elsewhere, so that what they do to a session is seen; all else is the embedded default.
ROUTES = {"runtime": {"image": "gemini,gemini-2.5-pro", "long_context": "gemini,gemini-2.5-flash"}}
RULE = {"plan_mode": {"config": {"planner": "anthropic,claude-opus-4-5"}}}
SUITE = f"An agent's session of {TURNS} turns, one with an image, one long (simulated prompt caches)"


class Played(Struct, frozen=True):
    """What a session used: of its main conversation the targets, why, the usage, and how many tokens that had been sent
    before no cache held; of all requests the micro-USD.
    """

    targets: tuple[Target, ...]
    reasons: tuple[str, ...]
    usage: Usage
    again: int
    micros: int

    @property
    def switches(self) -> int:
        return sum(one != other for one, other in pairwise(self.targets))

    @property
    def hits(self) -> float:
        """Percent of what was sent that came from a cache."""
        usage = self.usage
        return 100 * usage.cache_read / (usage.input + usage.cache_read + usage.cache_write)


def rows(sessions: int, rounds: int) -> Iterator[Row]:
    """The agent's session in four ways, then so many random ones, of which the worst are made worse so often."""
    asked = agent_session.session()
    with TemporaryDirectory() as folder:
        rules = plan_mode(Path(folder))
        for name, ruled in (("", RuleSet()), (", with a rule (plan_mode)", rules)):
            followed = play(asked, snapshot(ruled, sticky=False))
            yield _row(f"phases alone{name}", followed, None)
            yield _row(f"with stickiness{name}", play(asked, snapshot(ruled, sticky=True)), followed.micros / 1e6)
    yield from random_sessions.rows(sessions, rounds)


def _row(name: str, played: Played, bound: float | None) -> Row:
    note = f"{played.switches} switches, cache hits {played.hits:.0f} %, {played.again:,} tokens sent again in full"
    figures = {"switches": float(played.switches), "hits_percent": played.hits, "again": float(played.again)}
    return Row(
        suite=SUITE, name=name, value=played.micros / 1e6, unit="US dollars", bound=bound, note=note, figures=figures
    )


def plan_mode(folder: Path) -> RuleSet:
    """The bundled rule: it is text, so it needs no toolchain."""
    plugins, cache = folder / "plugins", folder / "cache"
    cache.mkdir(mode=0o700)
    command = [sys.executable, str(ROOT / "plugins" / "build.py"), "--strict", "--into", str(plugins), "plan_mode"]
    subprocess.run(command, check=True, capture_output=True)
    rules = load_rules(plugins, RULE, cache=cache)
    if len(rules.rules) != 1:
        raise RuntimeError(f"plan_mode does not load: {rules.problems}")
    return rules


def snapshot(rules: RuleSet, *, sticky: bool) -> Snapshot:
    """The embedded settings and the bundled taxonomy, with the routes of this bench."""
    settings = presets.embedded(set(), {"routing": ROUTES, "sessions": {"sticky": sticky}, "rules": RULE})
    return build(settings, load_taxonomy(ROOT / "taxonomy"), rules)


def play(asked: list[Sent], shot: Snapshot) -> Played:
    """The session, decided request by request by what the caches said of the ones before."""
    targets, reasons, bill, main, again, seen = list[Target](), list[str](), list[Spent](), Usage(), 0, set[str]()
    with Sandbox() as sandbox:
        sandbox.load(shot.rules.rules)
        player = Player(shot, sandbox)
        for ask in asked:
            exchange = player.play(ask)
            decision, inputs = exchange.decision, exchange.inputs
            if decision is None or inputs is None or decision.target is None:
                raise RuntimeError(f"nobody may answer: {decision}")
            before = _part(ask, seen, inputs.features.counted)
            bill += exchange.bill()
            if is_turn(ask):
                targets.append(decision.target)
                reasons.append(decision.reason)
                main, again = main.plus(exchange.usage), again + before - exchange.usage.cache_read
    return Played(tuple(targets), tuple(reasons), main, again, cost(bill, shot.card).micros)


def _part(ask: Sent, seen: set[str], tokens: int) -> int:
    """Of so many tokens those that had been sent before; all are from now on."""
    before = sum(estimated for piece, estimated in ask.prompt if piece in seen)
    seen.update(piece for piece, _ in ask.prompt)
    return before * tokens // sum(estimated for _, estimated in ask.prompt)
