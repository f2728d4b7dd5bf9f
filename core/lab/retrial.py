"""Records decided again with a candidate, and counted: one worker's share of a backtest. Pure but for its sandbox.

Each record is decided from its own recorded inputs: what the candidate would have made of the state that later requests
found (a session that went elsewhere, a target that was asked more) is not played through. Only money follows a session.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import msgspec
from msgspec import Struct

from core.decision_record import Record
from core.exchange import NOTHING, Decision, Target
from core.lab.again import NotCaptured, again, same_patterns
from core.lab.compare import compared
from core.lab.drivers import Answers, Calls, CannotRun, captured, drive, unchanged
from core.lab.money import Asked, SessionCaches
from core.lab.refit import Keys, refitted
from core.lab.tally import Tally
from core.routing.snapshot import Snapshot
from core.schema import Price
from core.session import key_of
from wasm_host.answer import Outcome
from wasm_host.rule import Rule

#: So many records lie between two looks at which sessions are over.
_SWEEP: Final = 1000
#: A session is over when nothing came of it for so long after its caches have expired (ms): clocks are not all alike.
_SLACK_MS: Final = 60_000


class Pair(Struct, frozen=True, kw_only=True):
    """A record's own snapshot (None: not known) and the candidate's."""

    own: Snapshot | None
    other: Snapshot
    #: Patterns find the same in both.
    same_patterns: bool
    #: Rules whose recorded answers hold for the candidate, and those that differ only in that they decide now or not.
    same: frozenset[str]
    turned: Mapping[str, bool]


def pair(own: Snapshot | None, other: Snapshot) -> Pair:
    """Two snapshots, and what is the same in them."""
    if own is None:
        return Pair(own=None, other=other, same_patterns=False, same=frozenset(), turned={})
    alike = unchanged(_bare(own), _bare(other))
    modes = {rule.name: (rule.settings.mode, rule.settings.share) for rule in own.rules.rules}
    turned = {
        rule.name: rule.settings.mode != "enforce"
        for rule in other.rules.rules
        if rule.name in alike and rule.settings.mode != modes[rule.name][0] and rule.settings.mode != "canary"
    }
    stays = {
        rule.name for rule in other.rules.rules if (rule.settings.mode, rule.settings.share) == modes.get(rule.name)
    }
    return Pair(
        own=own,
        other=other,
        same_patterns=same_patterns(own, other),
        same=frozenset(alike & (stays | turned.keys())),
        turned=turned,
    )


class Retrial:
    """`pairs` gives a record's snapshots by digest, or raises NotCaptured. Records come in the order of their time."""

    def __init__(self, pairs: Callable[[str], Pair], calls: Calls, *, keys: Keys | None = None) -> None:
        self._pairs, self._calls, self._keys = pairs, calls, keys
        self._caches: dict[tuple[str, str], SessionCaches] = {}
        self.tally = Tally()

    @property
    def sessions(self) -> int:
        """How many sessions' caches are remembered."""
        return len(self._caches)

    def add(self, record: Record) -> None:
        """Decide it again and count what comes of it."""
        self.tally.seen(record.at_ms)
        try:
            its = self._pairs(record.snapshot)
            decision, taken = decided(record, its, self._calls, self._keys)
        except (NotCaptured, CannotRun) as exc:
            self.tally.not_replayable[str(exc)] += 1
            return
        self.tally.add(record, compared(record, decision), taken)
        self._bill(record, decision, its)
        if self.tally.records % _SWEEP == 0:
            self._sweep(record.at_ms, its.other.settings.sessions.prompt_cache_s)

    def _bill(self, record: Record, decision: Decision, its: Pair) -> None:
        result = record.result
        real = result.answered_by
        if real is None or result.usage == NOTHING or result.simulated or result.cache == "hit":
            self.tally.money.unused += 1
            return
        there = real if decision.target == record.decision.target else decision.target
        features = record.inputs.features
        caches = self._caches.setdefault((features.client_key, key_of(features)), SessionCaches())
        bill = caches.bill(
            Asked(record.at_ms, record.inputs.session, result.usage, real, there),
            partial(_price, its.own or its.other),
            partial(_price, its.other),
            its.other.settings.sessions.prompt_cache_s,
        )
        self.tally.bill(record, bill, str(real), str(there))

    def _sweep(self, now_ms: int, keep_s: float) -> None:
        """Forget sessions in which all caches have expired."""
        oldest = now_ms - keep_s * 1000 - _SLACK_MS
        self._caches = {
            key: caches for key, caches in self._caches.items() if caches.differ and caches.last_ms > oldest
        }


def _price(snapshot: Snapshot, target: Target) -> Price:
    return snapshot.card(target).price


def decided(record: Record, its: Pair, calls: Calls, keys: Keys | None = None) -> tuple[Decision, list[str]]:
    """What the candidate decides on a record's inputs, and whose answers were the record's since they could not be run.
    NotCaptured, CannotRun.
    """
    inputs = refitted(record.inputs, its.own, its.other, keys)
    asked = [_turned(outcome, its.turned) for outcome in record.asked]
    answers = Answers(calls, asked, there=captured(record, its.own), same=its.same, rerun=False)
    refit = msgspec.structs.replace(record, inputs=inputs)
    decision = drive(again(refit, its.other, same_patterns=its.same_patterns), answers)
    return decision, [taken.rule for taken in answers.taken]


def _turned(outcome: Outcome, turned: Mapping[str, bool]) -> Outcome:
    """The outcome, in shadow or not as the candidate's rule is."""
    shadow = turned.get(outcome.rule)
    return outcome if shadow is None else msgspec.structs.replace(outcome, shadow=shadow)


def _bare(snapshot: Snapshot) -> Snapshot:
    """The same snapshot, without what does not bear on what its rules say: when they are asked, and who listens."""
    rules = tuple(map(_without_mode, snapshot.rules.rules))
    return replace(snapshot, rules=msgspec.structs.replace(snapshot.rules, rules=rules))


def _without_mode(rule: Rule) -> Rule:
    settings = msgspec.structs.replace(rule.settings, mode="enforce", share=None, priority=0)
    return msgspec.structs.replace(rule, settings=settings)
