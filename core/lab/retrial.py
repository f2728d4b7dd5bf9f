"""Records decided again with a candidate, and counted. Pure, but for the rules, which somebody else runs.

Each record is decided from its own recorded inputs: what the candidate would have made of the state that later requests
found (a session that went elsewhere, a target that was asked more) is not played through. Only money follows a session.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import msgspec
from msgspec import Struct

from core.decision_record import Record
from core.exchange import NOTHING, Decision
from core.lab.again import NotCaptured, again, same_patterns
from core.lab.compare import compared
from core.lab.drivers import Answers, Calls, CannotRun, captured, drive, unchanged
from core.lab.money import Asked, Purse
from core.lab.refit import Keys, refitted
from core.lab.tally import Tally
from core.prices import exact
from core.routing.snapshot import Snapshot
from core.schema import Price
from core.session import key_of
from wasm_host.answer import Outcome
from wasm_host.rule import Rule


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


class Payment(Struct, frozen=True):
    """What is known of the money of one request; `paid` is exact, None without a price; `price` is the candidate's
    target's (of no matter if that is None).
    """

    session: str
    asked: Asked
    paid: int | None
    price: Price
    keep_s: float


class Part(Struct):
    """What some records came to: counted, and what is still to be paid, in their order."""

    tally: Tally
    payments: list[Payment]


class Retrial:
    """Decides records again. `pairs` gives a record's snapshots by digest, or raises NotCaptured."""

    def __init__(self, pairs: Callable[[str], Pair], calls: Calls, *, keys: Keys | None = None) -> None:
        self._pairs, self._calls, self._keys = pairs, calls, keys

    def __call__(self, records: Iterable[Record]) -> Part:
        """All of them."""
        part = Part(Tally(), [])
        for record in records:
            part.tally.seen(record.at_ms)
            try:
                its = self._pairs(record.snapshot)
                decision, taken = decided(record, its, self._calls, self._keys)
            except (NotCaptured, CannotRun) as exc:
                part.tally.not_replayable[str(exc)] += 1
                continue
            part.tally.add(record, compared(record, decision), taken)
            if (payment := _payment(record, decision, its)) is None:
                part.tally.money.unused += 1
            else:
                part.payments.append(payment)
        return part


def settled(part: Part, purse: Purse) -> Tally:
    """The part's tally with its payments; parts come in the order of their records."""
    for payment in part.payments:
        asked = payment.asked
        bill = purse.bill(payment.session, asked, payment.paid, payment.price, payment.keep_s)
        part.tally.bill(asked.at_ms, bill, str(asked.real), str(asked.candidate))
    return part.tally


def _payment(record: Record, decision: Decision, its: Pair) -> Payment | None:
    """None if nobody was paid."""
    result, features = record.result, record.inputs.features
    real = result.answered_by
    if real is None or result.usage == NOTHING or result.simulated or result.cache == "hit":
        return None
    there = real if decision.target == record.decision.target else decision.target
    paid = exact(result.usage, (its.own or its.other).card(real).price)
    return Payment(
        f"{features.client_key}\0{key_of(features)}",
        Asked(record.at_ms, record.inputs.session, result.usage, real, there),
        paid,
        its.other.card(there or real).price,
        its.other.settings.sessions.prompt_cache_s,
    )


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
