"""Asks rules for whoever decides: leaves out those whose breaker is open, and runs each where it belongs.

`process`: in the workers. `inline`: in this process, but only modules that are signed or locked; the others still run
in the workers.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from wasm_host import asking
from wasm_host.answer import Outcome
from wasm_host.compiler import read_artifact
from wasm_host.frames import Ask, Load, Result
from wasm_host.health import Health
from wasm_host.pool import Change, Pool
from wasm_host.rule import Rule

if TYPE_CHECKING:
    from wasm_host.execute import Executor


class Observer:
    """Who wants to know what happens; this one does not. All methods are called on the event loop."""

    def asked(self, outcomes: Sequence[Outcome], queue_s: float) -> None:
        """Rules were asked together; `queue_s` is what the request waited beside their own time."""

    def breaker(self, rule: str, state: str, reason: str = "") -> None:
        """The state of a rule's breaker: one of `breaker.STATES`, or `quarantine`."""

    def gone(self, rule: str) -> None:
        """The rule serves no more."""

    def worker(self, change: Change) -> None:
        """Something happened to a worker."""


class Host:
    """The rules' host of one process. `clock` gives seconds."""

    def __init__(self, observer: Observer, *, workers: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._observer = observer
        self._clock = clock
        self._pool = Pool(workers, on_change=observer.worker, on_crash=self._crashed, clock=clock)
        self._health = Health()
        self._rules: tuple[Rule, ...] = ()
        self._told: dict[str, str] = {}
        self._inline: frozenset[tuple[str, str]] = frozenset()
        self._executor: Executor | None = None
        self._code: dict[str, bytes] = {}

    def read(self, rules: Iterable[Rule]) -> None:
        """Read the machine code of these rules from the cache: off the event loop, before `use`."""
        for rule in rules:
            if rule.sha256 not in self._code and (code := read_artifact(rule.compiled.artifact)):
                self._code[rule.sha256] = code

    def use(self, rules: Sequence[Rule], *, isolation: str, workers: int | None = None) -> None:
        """These rules serve from now on, in workers (`process`) or, if they are trusted, here (`inline`)."""
        if workers is not None:
            self._pool.resize(workers)
        self.read(rules)
        self._rules = tuple(rules)
        self._health.keep(rules)
        self._code = {rule.sha256: self._code[rule.sha256] for rule in rules if rule.sha256 in self._code}
        self._inline = frozenset(_key(rule) for rule in rules if isolation == "inline" and rule.trust)
        self._load_inline()
        away = {rule.sha256 for rule in rules if _key(rule) not in self._inline} & self._code.keys()
        memory = _most_memory(rules)
        self._pool.use(Load(sha256, self._code[sha256], memory[sha256]) for sha256 in sorted(away))
        before, self._told = self._told, {rule.name: self._told.get(rule.name, "") for rule in rules}
        for name in before.keys() - self._told.keys():
            self._observer.gone(name)
        for rule in rules:
            self._tell(rule)

    def start(self) -> None:
        """Start the workers before the first request asks; needs the event loop."""
        self._pool.start()

    async def close(self) -> None:
        """End the workers."""
        await self._pool.close()

    @property
    def pids(self) -> list[int]:
        """Of the workers."""
        return self._pool.pids

    def state(self, rule: Rule) -> str:
        """The breaker's state, or `quarantine`."""
        return self._health.state(rule)

    def resting(self, rules: Iterable[Rule]) -> dict[str, str]:
        """Which of these rules would be left alone now, and why. To ask changes nothing."""
        now = self._clock()
        return {rule.name: why for rule in rules if (why := self._health.rests(rule, now))}

    async def ask(self, rules: Sequence[Rule], view: Mapping[str, Any], targets: frozenset[str]) -> list[Outcome]:
        """One outcome for each rule that was considered, in order; the last one decides, or none does."""
        outcomes: list[Outcome] = []
        began = self._clock()
        while len(outcomes) < len(rules):
            outcomes += await self._step(rules[len(outcomes) :], view, targets)
            if outcomes[-1].decides:
                break
        spent = sum(outcome.micros for outcome in outcomes) / 1e6
        self._observer.asked(outcomes, max(self._clock() - began - spent, 0.0))
        return outcomes

    async def _step(self, rules: Sequence[Rule], view: Mapping[str, Any], targets: frozenset[str]) -> list[Outcome]:
        """Outcomes of the first rules, one at least: of all that can be asked together, or of one that cannot."""
        now = self._clock()
        if why := self._health.why_not(rules[0], now):
            return [asking.outcome(rules[0], Result("skipped", why), targets)]
        together = [rules[0], *takewhile(lambda rule: self._joins(rules[0], rule, now), rules[1:])]
        for rule in () if self._health.calm else together:
            self._tell(rule)
        asked = 0
        try:
            prepared, unasked = asking.prepare(together, view)
            if unasked is not None and not prepared.rules:
                return [unasked]
            results = await self._run(prepared.ask, here=_key(rules[0]) in self._inline)
            outcomes = asking.outcomes(prepared, results, targets)
            for rule, outcome in zip(prepared.rules, outcomes, strict=False):
                self._record(rule, outcome)
            asked = len(outcomes)
            return outcomes
        finally:
            for rule in () if self._health.calm else together[asked:]:
                self._health.withdraw(rule, now)
                self._tell(rule)

    def _joins(self, first: Rule, rule: Rule, now: float) -> bool:
        """Whether the rule can be asked in the same message."""
        same = (_key(first) in self._inline) == (_key(rule) in self._inline)
        return same and (self._health.calm or not self._health.why_not(rule, now))

    async def _run(self, ask: Ask, *, here: bool) -> list[Result]:
        if not here or self._executor is None:
            return await self._pool.ask(ask)
        return self._executor.run(ask)

    def _record(self, rule: Rule, outcome: Outcome) -> None:
        self._health.record(rule, outcome, self._clock())
        if not self._health.calm:
            self._tell(rule, f"the last outcome is {outcome.code}")

    def _tell(self, rule: Rule, reason: str = "") -> None:
        """Say a rule's state, if it is another than was said."""
        state = self._health.state(rule)
        if self._told.get(rule.name) != state:
            self._told[rule.name] = state
            self._observer.breaker(rule.name, state, reason)

    def _crashed(self, sha256: str, detail: str) -> None:
        """Workers died in this module: none of the rules made of it is asked again until it changes."""
        for rule in self._rules:
            if rule.sha256 == sha256:
                self._health.quarantine(rule, f"worker processes died in it ({detail})")
                self._tell(rule, f"worker processes died in it ({detail})")

    def _load_inline(self) -> None:
        """The engine is only loaded in this process if something is to run here."""
        if not self._inline and self._executor is None:
            return
        from wasm_host.execute import Executor  # noqa: PLC0415 - see above

        self._executor = self._executor or Executor()
        self._executor.keep(frozenset(sha256 for _, sha256 in self._inline))
        memory = _most_memory(self._rules)
        for rule in self._rules:
            if _key(rule) in self._inline and rule.sha256 in self._code:
                self._executor.load(rule.sha256, self._code[rule.sha256], memory[rule.sha256])


def _key(rule: Rule) -> tuple[str, str]:
    """Trust is in a file: another of the same bytes may lack it."""
    return rule.name, rule.sha256


def _most_memory(rules: Iterable[Rule]) -> dict[str, int]:
    """By module: one may serve several rules, and is loaded for the one that may use most."""
    most: dict[str, int] = {}
    for rule in rules:
        most[rule.sha256] = max(most.get(rule.sha256, 0), rule.settings.limits.memory)
    return most
