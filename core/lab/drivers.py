"""How decisions are driven outside the proxy: their rules are run again, or answer as they are recorded. Pure.

What a rule says is a function of its module, its limits and what it is shown, and so is run again. Taken from the
record is what depended on the machine (a deadline, a dead process, a rule that was left out), and what was said to
words that were not captured.
"""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from core.decision_record import Record
from core.exchange import Decision
from core.lab.again import NotCaptured
from core.routing.proposal import Ask
from core.routing.snapshot import Snapshot
from wasm_host import asking, frames
from wasm_host.abi import TEXT_KEYS
from wasm_host.answer import Outcome
from wasm_host.rule import Rule

#: A call's deadline, in milliseconds: fuel ends it, on a slow machine too, so that its result is always the same.
PATIENT_MS: Final = 20_000
#: Outcomes that depend on the machine. So does `skipped`, unless the request was too large for the rule.
MACHINE: Final = frozenset({"timeout", "crash"})
#: Why an outcome was taken from the record.
BY_MACHINE, BY_WORDS = "depended on the machine", "its words were not captured"


class CannotRun(Exception):
    """A rule cannot be run here; the message says which, and why."""


class Calls(Protocol):
    """Runs calls of rules: a `Sandbox`, or an `Executor` where rules are trusted."""

    def run(self, ask: frames.Ask) -> list[frames.Result]: ...


class Taken(Struct, frozen=True):
    """An outcome that the record gave, and why."""

    rule: str
    why: str


def drive(decision: Generator[Ask, list[Outcome], Decision], answer: Callable[[Ask], list[Outcome]]) -> Decision:
    """The decision's end; `answer` gives the outcomes that it asks for."""
    try:
        ask = next(decision)
        while True:
            ask = decision.send(answer(ask))
    except StopIteration as end:
        decided: Decision = end.value
        return decided


def captured(record: Record, own: Snapshot | None) -> frozenset[str]:
    """The texts and headers of the request that are in the record, named as in `Plan.wants`.

    `own` is the snapshot that the record was decided by. Without it, a header that was not sent is not told from one
    that was not captured.
    """
    if record.words is None:
        return frozenset()
    if own is not None:
        return frozenset(filter(_is_text, own.rules.wants))
    there = {f"request.{key}" for key in record.words.granted if key in TEXT_KEYS}
    there |= {f"headers[{name}]" for name in record.words.granted.get("headers", {})}
    return frozenset(there | ({"request.last_user"} if record.words.last_user is not None else set()))


def missing(rule: Rule, there: Collection[str]) -> list[str]:
    """The texts and headers that the rule reads and that are not there."""
    return sorted(want for want in rule.plan.wants() if _is_text(want) and want not in there)


def _is_text(want: str) -> bool:
    return want.startswith("headers[") or want.removeprefix("request.") in TEXT_KEYS


def unchanged(own: Snapshot, other: Snapshot) -> frozenset[str]:
    """Names of the rules that say in one snapshot whatever they say in the other, to the same request."""
    before = {rule.name: rule.identity() for rule in own.rules.rules}
    same = own.target_views == other.target_views
    return frozenset(
        rule.name
        for rule in other.rules.rules
        if before.get(rule.name) == rule.identity() and (same or _blind(rule, own, other))
    )


def _blind(rule: Rule, own: Snapshot, other: Snapshot) -> bool:
    """Whether other targets make no difference: it neither sees nor may name them."""
    routes = rule.settings.routes
    named = routes is not None and all((name in own.target_names) == (name in other.target_names) for name in routes)
    return rule.plan.targets is None and named


class Answers:
    """What a decision's rules say; one object for each decision.

    `recorded` are the outcomes of the record, `there` is what of the words is in it (`captured`), `same` names the
    rules for which the record speaks (`unchanged`; None: all). `rerun`: what could be taken without loss is run all the
    same. After the decision, `taken` and `given` say how it went.
    """

    def __init__(
        self,
        calls: Calls,
        recorded: Sequence[Outcome] = (),
        *,
        there: Collection[str] = (),
        same: Collection[str] | None = None,
        rerun: bool = True,
    ) -> None:
        self._calls = calls
        self._recorded: Mapping[str, Outcome] = {
            outcome.rule: outcome for outcome in recorded if same is None or outcome.rule in same
        }
        self.there = there
        self._rerun = rerun
        self.taken: list[Taken] = []
        self.given: list[Outcome] = []

    def __call__(self, ask: Ask) -> list[Outcome]:
        """Outcomes for the rules in their order, up to the first that decides. NotCaptured, CannotRun."""
        outcomes = []
        for rule in ask.rules:
            outcomes.append(self._outcome(rule, ask))
            self.given.append(outcomes[-1])
            if outcomes[-1].decides:
                break
        return outcomes

    def _outcome(self, rule: Rule, ask: Ask) -> Outcome:
        then = self._recorded.get(rule.name)
        if then is not None and then.module != rule.sha256:
            then = None
        if then is not None and then.code in MACHINE:
            return self._take(then, BY_MACHINE)
        if lacks := missing(rule, self.there):
            if then is None:
                raise NotCaptured(f"rule {rule.name}, which reads {', '.join(lacks)}")
            return self._take(then, BY_WORDS)
        prepared, unasked = asking.prepare([rule], ask.view)
        if (
            then is not None
            and then.code == "skipped"
            and (unasked is None or then.message not in ("", unasked.message))
        ):
            return self._take(then, BY_MACHINE)
        if unasked is not None:
            return _sound(unasked)
        if then is not None and not self._rerun and then.seen == asking.digest(prepared.ask.requests[0]):
            return then
        return self._run(prepared, ask)

    def _take(self, outcome: Outcome, why: str) -> Outcome:
        self.taken.append(Taken(outcome.rule, why))
        return outcome

    def _run(self, prepared: asking.Prepared, ask: Ask) -> Outcome:
        calls = [replace(call, timeout_ms=PATIENT_MS) for call in prepared.ask.calls]
        results = self._calls.run(replace(prepared.ask, calls=calls))
        [outcome] = asking.outcomes(prepared, results, ask.targets)
        return _sound(outcome)


def _sound(outcome: Outcome) -> Outcome:
    """The outcome, unless it says more of this machine than of the rule."""
    if outcome.code in MACHINE:
        raise CannotRun(f"rule {outcome.rule}: {outcome.code}: {outcome.message}")
    return outcome
