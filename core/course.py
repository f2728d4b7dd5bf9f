"""One request's way through its candidates: whom to ask, and what to do when that fails. Pure, by its clocks and dice.

with means.course(…) as course:
    while True:
        …wait course.wait_s…
        step = course.next()        # raises when nobody is left
        …ask step.candidate with step.permit.key…
        course.failed(failure)      # raises when it is the client's to know
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct

from core import resilience, retry_after
from core.errors import BadRequest, ProxyError, RateLimited, Unavailable, UpstreamFailed
from core.exchange import Candidate, ProviderKey, Target
from core.guarding import TargetFull
from core.key_pool import Closed
from core.resilience import Action, Budget, Situation
from core.schema import ResilienceSettings
from core.standing import Permit, Standing

Rings = Mapping[str, Sequence[ProviderKey]]


class Step(Struct, frozen=True):
    """Ask this candidate with this permit."""

    candidate: Candidate
    permit: Permit


class Means:
    """What all requests share: what is known of targets, the budget of retries, clock and dice.

    `wall` is Unix time, for dates that providers name; `dice` gives numbers from 0 to 1.
    """

    def __init__(
        self,
        standing: Standing | None = None,
        *,
        wall: Callable[[], float] = time.time,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self.standing = standing or Standing()
        self.budget = Budget()
        self.wall, self.dice = wall, dice

    def course(
        self,
        candidates: Sequence[Candidate],
        rings: Rings,
        settings: ResilienceSettings,
        *,
        session: str = "",
        dialect: str = "anthropic",
    ) -> "Course":
        """A new request's course. `rings` are keys by provider, `session` keeps a session on its key, and `dialect` is
        the client's.
        """
        return Course(self, candidates, rings, settings, session=session, dialect=dialect)


class Course:
    """A request that waits for its answer to begin."""

    def __init__(
        self,
        means: Means,
        candidates: Sequence[Candidate],
        rings: Rings,
        settings: ResilienceSettings,
        *,
        session: str,
        dialect: str,
    ) -> None:
        self._means, self._standing = means, means.standing
        self._all, self._left = candidates, list(candidates)
        self._rings, self._settings, self._session, self._dialect = rings, settings, session, dialect
        self._asked = self._tries = self._doubts = 0
        self._tried: frozenset[int] = frozenset()
        #: Keys that the present target refused, for their own sake or for the request's.
        self._refused: list[tuple[Permit, bool]] = []
        self._step: Step | None = None
        self._retrying = False
        self._failure: UpstreamFailed | None = None
        #: Seconds to wait before `next`.
        self.wait_s = 0.0
        #: Targets whose turn it was, and why they were not asked.
        self.passed_over: list[tuple[Target, str]] = []
        self._shortest_s = retry_after.LONGEST_S

    def __enter__(self) -> Self:
        self._means.budget.waiting += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._means.budget.waiting -= 1
        self._end_retry()
        self._failure = None  # it holds the frames that hold us
        if self._step is None:
            return
        if kind is not None:  # the client left, or we failed
            self._step.permit.withdraw()
            return
        for permit, everywhere in self._refused:  # another key served: it was theirs
            self._standing.refused(permit, everywhere=everywhere)

    def next(self) -> Step:
        """Whom to ask now. Raises what the client is told when there is nobody, or nobody left."""
        while self._left:
            candidate = self._left[0]
            target = candidate.target
            permit = self._ask(target)
            if isinstance(permit, Closed) and self._alone(target):
                permit = self._ask(target, in_spite=True)
            if isinstance(permit, Permit):
                self._asked, self._tries = self._asked + 1, self._tries + 1
                self._step = Step(candidate, permit)
                return self._step
            self.passed_over.append((target, permit.why))
            self._shortest_s = min(self._shortest_s, permit.wait_s)
            self._to_the_next()
        raise self._nobody() if self._failure is None else self._told(self._failure)

    def full(self, full: TargetFull) -> None:
        """The target is not asked, because it has reached a limit of ours."""
        step, self._step, self.wait_s = self._step, None, 0.0
        if step is None:
            raise full
        self._end_retry()
        step.permit.withdraw()
        self._asked -= 1
        self.passed_over.append((step.candidate.target, full.why))
        self._shortest_s = min(self._shortest_s, full.wait_s)
        self._to_the_next()

    def failed(self, failure: UpstreamFailed) -> None:
        """Choose what `next` does; raises what the client is told if nothing is left to do."""
        step, self._step, self.wait_s = self._step, None, 0.0
        if step is None:
            raise failure
        self._end_retry()
        row = resilience.kind(failure)
        said_s = retry_after.wait_s(failure.headers, self._means.wall())
        self._note(step.permit, row, failure, said_s)
        if self._failure is None or not resilience.only_the_operator(failure):
            self._failure = failure  # of several, not the one that only we can mend
        action = self._action(row, self._situation(step, said_s))
        if action is Action.STOP:
            raise self._told(self._failure)
        self._standing.observer.again(row, action.name.lower())
        if action is Action.NEXT:
            self._to_the_next()
        elif action is Action.KEY:
            self._tries -= 1  # a key's fault is no try of the target's
        else:
            self.wait_s = resilience.wait_s(self._tries, said_s, self._settings.max_wait_s, self._means.dice())

    def _note(self, permit: Permit, row: str, failure: UpstreamFailed, said_s: float | None) -> None:
        """Tell the book what this failure says of the target and of the key."""
        if row == "later":
            self._standing.limited(permit, said_s)
            permit.withdraw()  # it says nothing of how the target is
        elif row == "bad_key" and failure.status == 401:
            self._standing.refused(permit, everywhere=True)
        elif row == "bad_key":  # 402 and 403 may be about the request: too dear, or not allowed to anybody
            self._refused.append((permit, failure.status == 402))
        permit.done(fault=resilience.unwell(failure))
        if row in {"later", "bad_key"}:
            self._tried |= {permit.key.position}
        self._doubts += failure.stage in resilience.DOUBTFUL

    def _situation(self, step: Step, said_s: float | None) -> Situation:
        target = step.candidate.target
        keys = [key for key in self._ring(target) if key.position not in self._tried]
        others = (candidate.target for candidate in self._left[1:])
        return Situation(
            tries=self._tries,
            attempts=self._settings.attempts,
            more_keys=self._standing.has_key(target, keys),
            more_targets=any(self._standing.closed(other, self._ring(other)) is None for other in others),
            again=not step.permit.in_spite and not self._standing.broken(target),
            doubts=self._doubts,
            said_s=said_s,
            max_wait_s=self._settings.max_wait_s,
        )

    def _action(self, row: str, now: Situation) -> Action:
        """The table's action, within the budget."""
        action = resilience.after(row, now)
        if action in {Action.RETRY, Action.WAIT}:
            self._retrying = self._means.budget.take()
            if not self._retrying:
                self._standing.observer.exhausted()
                return resilience.after(row, msgspec.structs.replace(now, again=False))
        return action

    def _ask(self, target: Target, *, in_spite: bool = False) -> Permit | Closed:
        return self._standing.ask(
            target, self._ring(target), session=self._session, tried=self._tried, in_spite=in_spite
        )

    def _alone(self, target: Target) -> bool:
        """Whether nobody else will be able to serve soon: a fallback whose key is refused is none."""
        others = (candidate.target for candidate in self._all if candidate.target != target)
        found = (self._standing.closed(other, self._ring(other)) for other in others)
        return all(closed is not None and closed.why == "key_refused" for closed in found)

    def _ring(self, target: Target) -> Sequence[ProviderKey]:
        return self._rings.get(target.provider, ())

    def _to_the_next(self) -> None:
        del self._left[0]
        self._tries, self._tried, self._refused = 0, frozenset(), []

    def _end_retry(self) -> None:
        if self._retrying:
            self._retrying = False
            self._means.budget.give_back()

    def _told(self, failure: UpstreamFailed) -> UpstreamFailed:
        """The failure as the client gets it: with a wait that it can obey, and no call to multiply what is spent."""
        failure.headers = retry_after.for_client(failure.headers, self._means.wall())
        spent = self._asked > 1 and resilience.kind(failure) != "later"
        if spent or resilience.only_the_operator(failure):
            failure.headers["x-should-retry"] = "false"
        return failure

    def _nobody(self) -> ProxyError:
        """A quick and honest answer: everybody is closed off for now."""
        why = {why for _, why in self.passed_over}
        each = "; ".join(f"{target} ({_WORDS[why]})" for target, why in self.passed_over)
        message = f"no target can be asked now: {each}; retry-after says when the first may be"
        if why == {"too_large"}:
            return BadRequest(f"no target can be asked: {each}; send less, or lower max_tokens")
        limited = why <= {"rate_limited", "limit", "too_large"}
        error: ProxyError = RateLimited(message) if limited else Unavailable(message, self._dialect)
        error.headers["retry-after"] = retry_after.whole_seconds(self._shortest_s)
        return error


_WORDS = {
    "breaker": "it kept failing and is being left alone",
    "rate_limited": "its provider asked to wait",
    "key_refused": "its provider refused the key",
    "limit": "its limit here is reached",
    "budget": "it may cost more than is left of the key's budget",
    "too_large": "the request is larger than its limit here",
}
