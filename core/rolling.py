"""Watches rules that are rolled out, and moves those that do not hold their limits, or hold them long enough.

Calls are counted on the event loop when a request is decided; a move is written by a thread, and comes back as a new
configuration, as one that a person made would.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from core.exchange import Exchange
from core.generation import Generation
from core.metrics import Metrics
from core.rollout import ENFORCE, OFF, ROLLBACK, Move, Rollouts, Stage
from core.rollout_figures import Figures, Verdict, verdict
from core.routing.snapshot import Snapshot
from core.routing.would_be import would_decide, would_differ
from core.schema_rollout import of_rule
from core.state.rollouts import RolloutFile
from wasm_host.files import Unusable
from wasm_host.rule import Rule

#: Seconds until a move that could not be written is tried again.
RETRY_S: Final = 10.0
#: Who moves what nobody asked for.
PROXY: Final = "proxy"

Report = Callable[[dict[str, object], str], None]


class Overtaken(Exception):
    """Somebody else has moved the rule meanwhile."""


class _Watched:
    """A module at a stage, and how it does there."""

    def __init__(self, rule: Rule, stage: Stage, figures: Figures, *, back: bool, held: bool) -> None:
        self.rule, self.stage, self.figures, self.back, self.held = rule, stage, figures, back, held
        #: Not before then (seconds of the clock) is it moved again.
        self.rests_until = 0.0

    @property
    def key(self) -> tuple[str, str, Stage]:
        return self.rule.name, self.rule.sha256, self.stage


class Rolling:
    """One process's. `reload` is called on the event loop when a move was written; `clock` gives seconds, `now` the
    time of day.
    """

    def __init__(
        self,
        metrics: Metrics,
        say: Report,
        reload: Callable[[], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._metrics, self._say, self._reload, self._clock, self._now = metrics, say, reload, clock, now
        self._file: RolloutFile | None = None
        self._watched: dict[str, _Watched] = {}
        self._digest = ""
        self._told: Rollouts | None = None

    def use(self, generation: Generation) -> None:
        """This configuration from now on. What is where it was is counted on."""
        self._tell(generation.rollouts)
        state, kept = generation.loaded.state, {watched.key: watched for watched in self._watched.values()}
        self._file = RolloutFile(state) if state else None
        self._digest = generation.snapshot.digest
        self._watched = {}
        for base in generation.files.rules:
            if watched := _watched(generation, base):
                old = kept.get(watched.key)
                same = old is not None and old.figures.settings == watched.figures.settings
                self._watched[base.name] = old if old is not None and same else watched
        stages = {rule.name: generation.rollouts.stage(rule) for rule in generation.files.rules}
        self._metrics.staged({name: min(max(stage.reach, 0.0), 100.0) for name, stage in stages.items()})

    def decided(self, exchange: Exchange, snapshot: Snapshot) -> None:
        """A request was decided. What was decided by an older configuration is not counted."""
        decision, inputs = exchange.decision, exchange.inputs
        if not self._watched or decision is None or inputs is None or snapshot.digest != self._digest:
            return
        for outcome in decision.asked:
            watched = self._watched.get(outcome.rule)
            if watched is None:
                continue
            if outcome.shadow:
                would = would_decide(snapshot, inputs, outcome)
            else:
                would = outcome.deny_status != 0 or decision.reason == f"rule:{outcome.rule}"
            was = watched.figures.add(outcome, would=would, differs=would and would_differ(outcome, decision))
            self._metrics.rolled(outcome.rule, was)
            self._judge(watched)

    def _judge(self, watched: _Watched) -> None:
        if self._file is None or self._clock() < watched.rests_until:
            return
        if found := verdict(watched.figures, watched.stage, back=watched.back, held=watched.held):
            watched.rests_until = self._clock() + RETRY_S
            work = asyncio.get_running_loop().run_in_executor(None, self._move, self._file, watched, found)
            work.add_done_callback(partial(self._moved, watched))

    def _move(self, file: RolloutFile, watched: _Watched, found: Verdict) -> None:
        """In a thread: write the move, unless the rule is elsewhere by now."""
        rule, stage = watched.rule, watched.stage

        def step(rollouts: Rollouts) -> Move:
            if rollouts.stage(rule) != stage:
                raise Overtaken
            return Move(
                rule=rule.name,
                module=rule.sha256,
                at=self._now().replace(microsecond=0),
                action=found.action,
                came_from=str(stage),
                to=str(found.to),
                by=PROXY,
                automatic=True,
                why=found.why,
            )

        file.change(step)

    def _moved(self, watched: _Watched, work: "Future[None] | asyncio.Future[None]") -> None:
        fault = None if work.cancelled() else work.exception()
        if fault is None or isinstance(fault, Overtaken):
            self._reload()
            return
        words = str(fault) if isinstance(fault, Unusable) else f"{type(fault).__name__}: {fault}"
        rule: dict[str, object] = {"event": "rollout_failed", "rule": watched.rule.name}
        self._say({**rule, "problem": f"the rule stays at {watched.stage}: {words}"}, "error")

    def _tell(self, rollouts: Rollouts) -> None:
        """Say the moves that are new; at a start, none is."""
        known = set() if self._told is None else set(map(_mark, self._told.moves))
        for move in () if self._told is None else rollouts.moves:
            if _mark(move) not in known:
                self._metrics.moved(move.rule, move.action, automatic=move.automatic)
                self._say(_line(move), "warning" if move.automatic and move.action == ROLLBACK else "info")
        self._told = rollouts

    def shown(self) -> dict[str, dict[str, Any]]:
        """The figures by rule: for people, and for programs that show them."""
        return {
            name: {
                "stage": str(watched.stage),
                "module": watched.rule.sha256,
                "held": watched.held,
                **watched.figures.shown(),
            }
            for name, watched in self._watched.items()
        }


def _watched(generation: Generation, base: Rule) -> _Watched | None:
    """A rule that is rolled out, or is not there yet; None for one that simply serves, as configured.

    A rule that fails closed is never rolled back: it guards something, and in shadow it would let all pass.
    """
    rollouts, settings = generation.rollouts, generation.loaded.settings
    stage, move = rollouts.stage(base), rollouts.last(base.name, base.sha256)
    if stage == OFF or (stage == ENFORCE and move is None):
        return None
    rules = of_rule(settings.plugins.rollout, base.settings.rollout)
    figures = Figures(rules, base.settings.limits.fuel)
    held = rollouts.held(base.name, base.sha256)
    return _Watched(base, stage, figures, back=base.settings.fail != "deny", held=held)


def _line(move: Move) -> dict[str, object]:
    return {
        "event": "rule_moved",
        "rule": move.rule,
        "module": move.module[:12],
        "action": move.action,
        "from": move.came_from,
        "to": move.to,
        "by": move.by,
        "automatic": move.automatic,
        "why": move.why,
    }


def _mark(move: Move) -> tuple[object, ...]:
    return move.rule, move.module, move.at, move.to, move.by
