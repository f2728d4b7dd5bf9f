"""What is known, at run time, of each target: who is asked, who is passed over, and for how long. Pure, by its clock.

A breaker for each target, rests of its provider's keys, and how soon its first content comes. A target that a client
made up (`any_model`) is not kept, so that nobody can fill the book.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median_low
from typing import Final

from core.exchange import ProviderKey, Target, TargetState
from core.key_pool import Closed, KeyPool
from wasm_host.breaker import CLOSED, OPEN, Breaker

#: A target's breaker opens after so many failures in a row, or when half of the last `LAST` failed.
IN_A_ROW: Final = 5
LAST: Final = 20
#: It stays open so long, in seconds, doubled with each probe that fails up to the longest.
OPEN_S: Final = 10.0
LONGEST_OPEN_S: Final = 60.0
#: A probe always reports or is withdrawn; should one ever be lost, the next follows after so many seconds.
PROBE_S: Final = 600.0
#: So many requests at once ask a target in spite of its breaker, if they may ask nobody else: a lone provider must not
#: be lost to five unlucky requests, and if it hangs, not everybody hangs with it. A rest is no such danger: whether it
#: still holds, the provider says at once.
IN_SPITE: Final = 3
#: A key rests so long after a 429 that names no time, and after its provider refused it, in seconds.
LIMITED_REST_S: Final = 5.0
REFUSED_REST_S: Final = 300.0
#: Why a key rests.
RESTS: Final = ("rate_limited", "key_refused")
#: The median is that of so many times.
TIMES: Final = 32


class Observer:
    """Told of what an operator should see; does nothing by itself."""

    def breaker(self, target: Target, state: str) -> None:
        """The target's breaker is in this state now."""

    def gone(self, target: Target) -> None:
        """The target is not configured any more."""

    def key_rests(self, target: Target, key: int, why: str, rest_s: float) -> None:
        """The provider's key at this position was refused or told to wait."""

    def again(self, reason: str, action: str) -> None:
        """A request is tried again after a failure of this kind."""

    def exhausted(self) -> None:
        """A retry was not made, because too many are under way."""


class Others:
    """Proxies that share what they see of targets; here are none."""

    def opened(self, target: Target, open_s: float) -> None:
        """The target's breaker opened here, for so long."""

    def closed(self, target: Target) -> None:
        """It closed again here: a request was answered."""

    def rests(self, scope: Target | str, key: ProviderKey, why: str, rest_s: float) -> None:
        """The key was told to wait, or refused, at a target or at all targets of a provider."""


class Tally:
    """Too many: `IN_A_ROW` faults without a good outcome between them, or half of the last `LAST` outcomes."""

    def __init__(self) -> None:
        self._row = 0
        self._faults: deque[bool] = deque(maxlen=LAST)

    def add(self, *, fault: bool, now: float) -> bool:  # noqa: ARG002  # other tallies count by time
        """Whether this outcome makes it too many."""
        self._faults.append(fault)
        self._row = self._row + 1 if fault else 0
        if not fault or (self._row < IN_A_ROW and 2 * sum(self._faults) < LAST):
            return False
        self._faults.clear()
        self._row = 0
        return True


def _breaker() -> Breaker:
    return Breaker(Tally(), open_s=OPEN_S, longest_s=LONGEST_OPEN_S, probe_s=PROBE_S)


@dataclass
class _Record:
    """One target's. `address` is its provider's: at another one it is another target."""

    address: str
    breaker: Breaker = field(default_factory=_breaker)
    first_ms: deque[float] = field(default_factory=lambda: deque(maxlen=TIMES))
    in_spite: int = 0


class Permit:
    """Leave to ask a target once, with this key. Of `done` and `withdraw`, the first word counts."""

    __slots__ = ("_book", "in_spite", "key", "over", "probe", "target")

    def __init__(self, book: "Standing", target: Target, key: ProviderKey, *, probe: bool, in_spite: bool) -> None:
        self.target, self.key, self.probe, self.in_spite = target, key, probe, in_spite
        self.over = False
        self._book = book

    def answered(self, first_ms: float | None) -> None:
        """The answer has begun; for a stream, after so many milliseconds. A probe does not wait for its end."""
        self._book.answered(self, first_ms)

    def done(self, *, fault: bool) -> None:
        """What came of it."""
        if not self.over:
            self.over = True
            self._book.report(self, fault=fault)

    def withdraw(self) -> None:
        """Nobody knows what would have come of it: the client left, or the request was not made."""
        if not self.over:
            self.over = True
            self._book.report(self, fault=None)


class Standing:
    """The book of all targets."""

    def __init__(self, observer: Observer | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.observer = observer or Observer()
        self.others = Others()
        self.keys = KeyPool()
        self._clock = clock
        self._records: dict[Target, _Record] = {}
        self._breakers = True

    def keep(self, targets: Mapping[Target, str], *, breakers: bool = True) -> None:
        """These are the targets now, each with its provider's address. Those that stay keep their record."""
        for target in self._records.keys() - targets.keys():
            self.observer.gone(target)
        self._records = {target: self._kept(target, address, breakers) for target, address in targets.items()}
        self._breakers = breakers
        self.keys.forget(self._clock(), {target.provider for target in targets})

    def _kept(self, target: Target, address: str, breakers: bool) -> _Record:  # noqa: FBT001
        record = self._records.get(target)
        if record is None or record.address != address:
            record = _Record(address)
        elif not breakers:
            record.breaker = _breaker()
        self.observer.breaker(target, record.breaker.state)
        return record

    def states(self, rings: Mapping[str, Sequence[ProviderKey]]) -> dict[str, TargetState]:
        """What is known of the targets, by name; those of which nothing is known are left out."""
        states = {str(target): self.state(target, rings.get(target.provider, ())) for target in self._records}
        return {name: state for name, state in states.items() if state != TargetState()}

    def state(self, target: Target, ring: Sequence[ProviderKey]) -> TargetState:
        """What is known of one target."""
        record = self._records.get(target)
        times = record.first_ms if record else ()
        return TargetState(healthy=self.well(target, ring), p50_ms=round(median_low(times)) if times else None)

    def well(self, target: Target, ring: Sequence[ProviderKey]) -> bool:
        """Whether it is asked like any other."""
        return not self.broken(target) and self.closed(target, ring) is None

    def closed(self, target: Target, ring: Sequence[ProviderKey]) -> Closed | None:
        """Why the target would be passed over now. Asking changes nothing."""
        now = self._clock()
        return self.keys.closed(target, ring, now) or self._broken(target, now) if self._breakers else None

    def has_key(self, target: Target, ring: Sequence[ProviderKey]) -> bool:
        """Whether one of these keys does not rest."""
        return bool(ring) and self.keys.closed(target, ring, self._clock()) is None

    def broken(self, target: Target) -> bool:
        """Whether its breaker is not closed."""
        record = self._records.get(target)
        return record is not None and record.breaker.state != CLOSED

    def breaker(self, target: Target) -> str:
        """Its breaker's state, one of `breaker.STATES`."""
        record = self._records.get(target)
        return CLOSED if record is None else record.breaker.state

    def resting(self, provider: str, ring: Sequence[ProviderKey]) -> int:
        """How many of a provider's keys rest now, for all of its targets or for one of those that are known."""
        now = self._clock()
        targets = [target for target in self._records if target.provider == provider] or [Target(provider, "")]
        return sum(any(self.keys.rest(target, key, now) for target in targets) for key in ring)

    def _broken(self, target: Target, now: float) -> Closed | None:
        record = self._records.get(target)
        wait = record.breaker.wait_s(now) if record else 0.0
        return Closed("breaker", wait) if wait else None

    def ask(
        self,
        target: Target,
        ring: Sequence[ProviderKey],
        *,
        session: str = "",
        tried: frozenset[int] = frozenset(),
        in_spite: bool = False,
    ) -> Permit | Closed:
        """Leave to ask this target with one of its provider's keys, or why not.

        `tried` are positions of keys that this request was refused with. `in_spite`: there is nobody else to ask.
        """
        now = self._clock()
        key = self.keys.choose(target, ring, session, tried, now)
        record = self._records.get(target)
        closed = self.keys.rest(target, key, now) or self._broken(target, now)
        if closed is None or not self._breakers:
            probe = record is not None and record.breaker.state != CLOSED and record.breaker.admits(now)
            if probe and record is not None:
                self.observer.breaker(target, record.breaker.state)
            return Permit(self, target, key, probe=probe, in_spite=False)
        hanging = closed.why == "breaker" and record is not None and record.in_spite >= IN_SPITE
        if not in_spite or hanging:
            return closed
        if record is not None:
            record.in_spite += 1
        return Permit(self, target, key, probe=False, in_spite=True)

    def answered(self, permit: Permit, first_ms: float | None) -> None:
        """See `Permit`."""
        self.keys.served(permit.target, permit.key)
        record = self._records.get(permit.target)
        if record is not None and first_ms is not None:
            record.first_ms.append(first_ms)
        if permit.probe or permit.in_spite:
            self.report(permit, fault=False)
            permit.probe = permit.in_spite = False

    def report(self, permit: Permit, *, fault: bool | None) -> None:
        """What came of a permit; None if nobody knows."""
        record = self._records.get(permit.target)
        if record is None:
            return
        record.in_spite -= permit.in_spite and record.in_spite > 0
        breaker, before, now = record.breaker, record.breaker.state, self._clock()
        if fault is None:
            if permit.probe:
                breaker.withdraw(now)
        elif permit.in_spite and not fault:
            breaker.close()
        elif self._breakers and (permit.probe or before == CLOSED):
            # What was asked before it opened says nothing about now.
            breaker.record(fault=fault, now=now)
        if breaker.state == before:
            return
        self.observer.breaker(permit.target, breaker.state)
        if breaker.state == OPEN and fault:
            self.others.opened(permit.target, breaker.wait_s(now))
        elif breaker.state == CLOSED:
            self.others.closed(permit.target)

    def opened_elsewhere(self, target: Target, open_s: float) -> None:
        """Another proxy saw the target fail too often: it is left alone here as well, for so long."""
        record = self._records.get(target)
        if record is None or not self._breakers:
            return
        before = record.breaker.state
        record.breaker.open_for(min(open_s, LONGEST_OPEN_S), self._clock())
        if record.breaker.state != before:
            self.observer.breaker(target, record.breaker.state)

    def closed_elsewhere(self, target: Target) -> None:
        """Another proxy was answered."""
        record = self._records.get(target)
        if record is not None and record.breaker.state != CLOSED:
            record.breaker.close()
            self.observer.breaker(target, CLOSED)

    def rests_elsewhere(self, scope: Target | str, key: ProviderKey, why: str, rest_s: float) -> None:
        """Another proxy's key, which is ours as well, was told to wait or refused."""
        if why in RESTS and (isinstance(scope, str) or scope in self._records):
            self.keys.lay_off(scope, key, min(rest_s, REFUSED_REST_S), why, self._clock())

    def limited(self, permit: Permit, rest_s: float | None) -> None:
        """The provider wants to be left alone by this key at this target for a while (429)."""
        if permit.target in self._records:
            self._lay_off(permit.target, permit, LIMITED_REST_S if rest_s is None else rest_s, "rate_limited")

    def refused(self, permit: Permit, *, everywhere: bool) -> None:
        """The provider does not take this key: for none of its targets, or not for this one."""
        if everywhere or permit.target in self._records:
            scope = permit.target.provider if everywhere else permit.target
            self._lay_off(scope, permit, REFUSED_REST_S, "key_refused")

    def _lay_off(self, scope: Target | str, permit: Permit, rest_s: float, why: str) -> None:
        if self.keys.lay_off(scope, permit.key, rest_s, why, self._clock()):
            self.observer.key_rests(permit.target, permit.key.position, why, rest_s)
        self.others.rests(scope, permit.key, why, rest_s)
