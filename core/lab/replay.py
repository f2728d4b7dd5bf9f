"""A record decided again, and what came of it. Pure, but for the rules, which somebody else runs.

equal           the same bytes (`canonical`), and each rule was shown and said the same
partial         so too, but some of it was taken from the record, for the words it would need were not captured
differs         other bytes, or another answer of a rule; the first phase that differs is named
not_replayable  it cannot be said, and why
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import zip_longest
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from core.decision_record import VERSION, Record, bare, canonical, cleared, plain
from core.exchange import Decision, Step
from core.lab.again import NotCaptured, again, inputs_of, same_patterns
from core.lab.drivers import BY_WORDS, Answers, Calls, CannotRun, captured, drive, unchanged
from core.routing.decide import found_in
from core.routing.snapshot import Snapshot
from wasm_host.answer import Outcome

EQUAL, PARTIAL, DIFFERS, NOT_REPLAYABLE = VERDICTS = ("equal", "partial", "differs", "not_replayable")
#: What of a decision is not its trace, in the order in which it is compared.
_REST: Final = ("phase", "reason", "candidates", "score", "tags", "scenarios", "refusal", "snapshot")


class Difference(Struct, frozen=True):
    """Where a record and its replay part: the phase, what of it, and both sides as plain values."""

    phase: str
    what: str
    recorded: Any
    replayed: Any


class Replay(Struct, frozen=True, kw_only=True):
    """What came of a record. `why` says what could not be done, `taken` what the record gave (part and reason).

    `recorded` and `replayed` are canonical bytes; empty if there was no decision.
    """

    request_id: str
    at_ms: int
    snapshot: str
    verdict: str
    why: str = ""
    taken: tuple[tuple[str, str], ...] = ()
    differences: tuple[Difference, ...] = ()
    recorded: bytes = b""
    replayed: bytes = b""
    decision: Decision | None = None

    @property
    def digests(self) -> tuple[str, str]:
        """SHA-256 of both sides' bytes."""
        return sha256(self.recorded).hexdigest(), sha256(self.replayed).hexdigest()


def replay(record: Record, own: Snapshot, calls: Calls, *, by: Snapshot | None = None) -> Replay:
    """The record decided again by the snapshot that decided it, or by another one. Raises nothing of the record's.

    `calls` must have the rules of that snapshot.
    """
    there, answers = captured(record, own), _answers(record, own, calls, by)
    if record.version != VERSION:
        return cannot(record, f"the record is of version {record.version}, this proxy reads {VERSION}")
    patterns = by is None or same_patterns(own, by)
    try:
        decision = drive(again(record, by or own, same_patterns=patterns), answers)
    except (NotCaptured, CannotRun) as exc:
        said = tuple(each for _, each in _outcomes(record.asked, answers.given, whole=False))
        if said:  # the decision had left the recorded way before
            return replace(cannot(record, str(exc)), verdict=DIFFERS, differences=said)
        return cannot(record, f"{_LACK if isinstance(exc, NotCaptured) else ''}{exc}")
    except (KeyError, ValueError, TypeError) as exc:
        return cannot(record, f"the record is damaged: {type(exc).__name__}")
    taken = [(f"rule {each.rule}", each.why) for each in answers.taken]
    if decision.matches is not None and "request.last_user" not in there:
        taken.append(("the pattern phase", BY_WORDS))
    return _judged(record, decision, answers, by or own, tuple(taken), elsewhere=by is not None)


_LACK: Final = "words that were not captured: "


def _answers(record: Record, own: Snapshot, calls: Calls, by: Snapshot | None) -> Answers:
    same = None if by is None else unchanged(own, by)
    return Answers(calls, record.asked, there=captured(record, own), same=same)


def cannot(record: Record, why: str) -> Replay:
    """A record that cannot be replayed."""
    return Replay(
        request_id=record.request_id, at_ms=record.at_ms, snapshot=record.snapshot, verdict=NOT_REPLAYABLE, why=why,
        recorded=canonical(record.decision),
    )  # fmt: skip


def _judged(
    record: Record,
    decision: Decision,
    answers: Answers,
    snapshot: Snapshot,
    taken: tuple[tuple[str, str], ...],
    *,
    elsewhere: bool,
) -> Replay:
    then, now = plain(record.decision), plain(decision)
    if elsewhere:  # then the snapshot's name is no difference
        then = replace(then, snapshot=now.snapshot)
    recorded, replayed = canonical(then), canonical(now)
    differences = tuple(_differences(record, then, now, answers, snapshot))
    if recorded != replayed and not differences:
        raise AssertionError("other bytes, and nothing that differs")
    words = any(why == BY_WORDS for _, why in taken)
    return Replay(
        request_id=record.request_id,
        at_ms=record.at_ms,
        snapshot=record.snapshot,
        verdict=DIFFERS if differences else PARTIAL if words else EQUAL,
        taken=taken,
        differences=differences,
        recorded=recorded,
        replayed=replayed,
        decision=decision,
    )


def _differences(
    record: Record, then: Decision, now: Decision, answers: Answers, snapshot: Snapshot
) -> list[Difference]:
    """All that differs, in the order of the phases."""
    found = list(_parts(then, now)) if canonical(then) != canonical(now) else []
    found += [(_place(then, "custom", name), each) for name, each in _outcomes(record.asked, answers.given)]
    found += [(_place(then, "pattern"), each) for each in _matches(record, now, answers, snapshot)]
    return [each for _, each in sorted(found, key=lambda entry: entry[0])]


def _place(decision: Decision, phase: str, rule: str = "") -> int:
    """Which step of the trace is this phase's first, or this rule's."""
    places = (
        place
        for place, step in enumerate(decision.trace)
        if step.phase == phase and (not rule or step.detail.get("rule") == rule)
    )
    return next(places, len(decision.trace))


def _parts(then: Decision, now: Decision) -> Iterator[tuple[int, Difference]]:
    yield from _steps(then.trace, now.trace)
    for name in _REST:
        if (one := _value(getattr(then, name))) != (other := _value(getattr(now, name))):
            yield len(then.trace), Difference(now.phase, name, one, other)


def _steps(then: tuple[Step, ...], now: tuple[Step, ...]) -> Iterator[tuple[int, Difference]]:
    """The first step of the trace that differs."""
    for place, (one, other) in enumerate(zip_longest(then, now)):
        if _value(one) != _value(other):
            phase = next(step.phase for step in (other, one) if step is not None)
            yield place, Difference(phase, f"step {place + 1}", _value(one), _value(other))
            return


def _outcomes(
    then: Sequence[Outcome], now: Sequence[Outcome], *, whole: bool = True
) -> Iterator[tuple[str, Difference]]:
    """For each rule what differs first; `whole`: both sides came to their end."""
    for one, other in zip_longest(then, now) if whole else zip(then, now, strict=False):
        before, after = (None if each is None else _said(each) for each in (one, other))
        if before is None or after is None:
            name = next(each.rule for each in (before, after) if each is not None)
            yield name, Difference("custom", f"rule {name} was asked", before is not None, after is not None)
        elif before != after:
            what = next(name for name in Outcome.__struct_fields__ if getattr(before, name) != getattr(after, name))
            sides = _value(getattr(before, what)), _value(getattr(after, what))
            yield before.rule, Difference("custom", f"rule {before.rule}: {what}", *sides)


def _said(outcome: Outcome) -> Outcome:
    """An outcome as it is kept, without the time that it took."""
    return replace(cleared(outcome), micros=0)


def _matches(record: Record, now: Decision, answers: Answers, snapshot: Snapshot) -> Iterator[Difference]:
    """What patterns find, asked or not, where the words are there."""
    if "request.last_user" not in answers.there:
        return
    text = inputs_of(record).features.last_user
    matches = found_in(snapshot, text) if now.matches is None else now.matches
    if (one := _value(record.matches)) != (other := _value(bare(matches))):
        yield Difference("pattern", "what the human's words name", one, other)


def _value(value: object) -> Any:
    """As it is after JSON, so that what was read is compared with what was made."""
    return msgspec.json.decode(msgspec.json.encode(value, order="deterministic"))
