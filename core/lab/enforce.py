"""What a decision would have been had a rule in shadow decided: `enforced`. Pure.

The rule was asked and its answer recorded, so nothing is run: rules before it did not decide, and those behind it are
needed only if it does not.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

import msgspec

from core.decision_record import Record
from core.exchange import Decision
from core.lab.again import NotCaptured, again
from core.lab.drivers import drive
from core.routing.canary import sided
from core.routing.proposal import Ask
from core.routing.snapshot import Snapshot
from wasm_host.answer import Outcome


def as_recorded(outcomes: Iterable[Outcome]) -> Callable[[Ask], list[Outcome]]:
    """Answers as they were recorded; NotCaptured for a rule that was not asked then."""
    known = {outcome.rule: outcome for outcome in outcomes}

    def answer(ask: Ask) -> list[Outcome]:
        answers = []
        for rule in ask.rules:
            if (outcome := known.get(rule.name)) is None:
                raise NotCaptured(f"rule {rule.name}: it was not asked")
            answers.append(outcome)
            if outcome.decides:
                break
        return answers

    return answer


def enforced(record: Record, snapshot: Snapshot, rule: str) -> Decision:
    """The decision on the record's inputs if its rule of this name decided what it answered in shadow.

    `snapshot` is the record's own. The decision as it was, made again, for a rule that was not asked or has not routed
    or denied.
    """
    asked = [msgspec.structs.replace(each, shadow=False) if each.rule == rule else each for each in record.asked]
    return drive(again(record, _enforcing(snapshot, rule), same_patterns=True), as_recorded(asked))


def _enforcing(snapshot: Snapshot, name: str) -> Snapshot:
    """The same snapshot, in which this rule decides."""
    rules = tuple(sided(rule)[0] if rule.name == name else rule for rule in snapshot.rules.rules)
    return replace(snapshot, rules=msgspec.structs.replace(snapshot.rules, rules=rules))
