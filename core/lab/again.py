"""A recorded decision in the making: `again`. Pure; who drives it sends recorded answers of rules, or has them run."""

from collections.abc import Generator

import msgspec

from core.decision_record import Record, granted_of
from core.exchange import Decision, Found, Inputs
from core.routing.decide import decide
from core.routing.proposal import Ask
from core.routing.snapshot import Snapshot
from wasm_host.answer import Outcome


class NotCaptured(Exception):
    """The decision would need words that were not captured; the message says who would read them."""


def inputs_of(record: Record) -> Inputs:
    """What the decision was made from, with those words that were captured."""
    if record.words is None:
        return record.inputs
    text, granted = record.words.last_user or "", granted_of(record.words)
    features = msgspec.structs.replace(record.inputs.features, last_user=text, granted=granted)
    return msgspec.structs.replace(record.inputs, features=features)


def same_patterns(own: Snapshot, other: Snapshot) -> bool:
    """Whether both find the same in any text."""
    scoring = own.settings.taxonomy.scoring == other.settings.taxonomy.scoring
    return scoring and own.taxonomy.identity() == other.taxonomy.identity()


def again(record: Record, snapshot: Snapshot, *, same_patterns: bool) -> Generator[Ask, list[Outcome], Decision]:
    """The decision that this snapshot makes of the record's inputs.

    `same_patterns`: the snapshot's taxonomy finds what the record's own did, so that what was found then serves where
    the words were not captured. NotCaptured where it does not.
    """
    inputs = inputs_of(record)

    def found() -> tuple[Found, ...]:
        if record.chars and not same_patterns:
            raise NotCaptured("the pattern phase")
        return record.matches

    captured = record.words is not None and record.words.last_user is not None
    look = None if captured else found
    return decide(snapshot, inputs.features, inputs.session, inputs.states, inputs.factors, look=look)
