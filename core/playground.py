"""Decides requests that nobody answers, as somebody types them, and tries rules on them.

Everything that takes time is done by two threads of its own, one request at a time: `_rules` drives decisions with
rules in workers that no traffic uses, `_compiling` waits for the compiler. State is read and never changed: no session,
breaker, budget or metric knows of it.
"""

import asyncio
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from core import trial
from core.call import Call
from core.candidates import KEPT_S, Candidate, Candidates, Offer, stem_of
from core.errors import RateLimited
from core.exchange import Decision, TargetState
from core.pipeline import Pipeline
from core.routing.decide import decide
from core.routing.proposal import Ask
from core.rule_runner import RuleRunner
from wasm_host.answer import Outcome
from wasm_host.frames import Load
from wasm_host.preflight import Refusal
from wasm_host.rule import Rule

#: So many requests may wait.
WAITING_MAX: Final = 8
#: Seconds between two looks at what is no longer used.
SWEEP_S: Final = 60.0


class Playground:
    """One process's. `resting` says which of some rules are left alone now, and why; `clock` gives seconds."""

    def __init__(
        self,
        pipeline: Pipeline,
        resting: Callable[[Iterable[Rule]], Mapping[str, str]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pipeline, self._resting, self._clock = pipeline, resting, clock
        self._rules = ThreadPoolExecutor(1, "playground")
        self._compiling = ThreadPoolExecutor(1, "candidates")
        self._serving, self._trying = RuleRunner(), RuleRunner()
        self.candidates = Candidates(clock)
        self._waiting = 0
        self._used = clock()
        self._sweeping: asyncio.TimerHandle | None = None

    async def decide(self, call: Call, body: bytes) -> tuple[Decision, int]:
        """What would be decided for this request, and the microseconds that it took. ProxyError as for a request."""
        with self._place():
            driver = _Driver(self._rules, self._serving, self._resting(call.snapshot.rules.on))
            return await self._pipeline.explain(call, body, driver), driver.micros

    async def try_out(
        self, call: Call, actual: Decision, states: Mapping[str, TargetState], offer: Offer
    ) -> dict[str, Any]:
        """What a rule says of a request that `decide` decided, and whether anything would change."""
        with self._place():
            loop, tables = asyncio.get_running_loop(), call.snapshot.settings.rules
            found = await loop.run_in_executor(self._compiling, self.candidates.get, offer, tables)
            if isinstance(found, Refusal):
                return trial.refused(stem_of(offer.name), len(offer.data), found)
            resting = {**self._resting(call.snapshot.rules.on)}
            resting.pop(found.rule.name, None)  # that is the one by its name
            work = partial(self._tried, call, actual, states, found, resting)
            return await loop.run_in_executor(self._rules, work)

    def _tried(
        self,
        call: Call,
        actual: Decision,
        states: Mapping[str, TargetState],
        candidate: Candidate,
        resting: Mapping[str, str],
    ) -> dict[str, Any]:
        rule = candidate.rule
        self._trying.have(Load(rule.sha256, candidate.code, rule.settings.limits.memory))
        snapshot = trial.with_rule(call.snapshot, rule)
        features = trial.shown_to(snapshot, call.features, call.request, call.headers)
        deciding = decide(snapshot, features, call.session, states, call.factors)
        other, _ = self._trying.drive(deciding, resting)
        outcome = next((each for each in other.asked if each.rule == rule.name), None)
        if outcome is None:
            ask = trial.asked_alone(snapshot, rule, features, call.session, states)
            [outcome] = self._trying.answer(ask, {})
        return trial.result(rule, outcome, actual, other)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of those that may wait; RateLimited if all are taken."""
        if self._waiting >= WAITING_MAX:
            raise RateLimited(f"{WAITING_MAX} requests are being tried already: wait for their answers")
        self._waiting += 1
        self._used = self._clock()
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
        try:
            yield
        finally:
            self._waiting -= 1

    def _sweep(self) -> None:
        """Candidates go when they were not tried for long, and the workers when nobody decided anything for long."""
        self._compiling.submit(self.candidates.forget)
        over = not self._waiting and self._clock() - self._used >= KEPT_S
        if over:
            self._rules.submit(self._end)
        self._sweeping = None if over else asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def _end(self) -> None:
        self._serving.close()
        self._trying.close()

    @property
    def pids(self) -> list[int]:
        """Of its workers, those that there are."""
        return [pid for runner in (self._serving, self._trying) if (pid := runner.pid)]

    async def close(self) -> None:
        """End the workers; what waits is not begun any more."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        for executor in (self._compiling, self._rules):
            await asyncio.to_thread(executor.shutdown, cancel_futures=True)
        await asyncio.to_thread(self._end)


class _Driver:
    """Drives a decision in the playground's thread. For one decision."""

    def __init__(self, thread: ThreadPoolExecutor, runner: RuleRunner, resting: Mapping[str, str]) -> None:
        self._thread, self._runner, self._resting = thread, runner, resting
        self.micros = 0

    async def drive(self, decision: Generator[Ask, list[Outcome], Decision]) -> Decision:
        """See `Driver`."""
        work = partial(self._runner.drive, decision, self._resting)
        decided, self.micros = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        return decided
