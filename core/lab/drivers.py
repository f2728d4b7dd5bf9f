"""How decisions are driven outside the proxy: their rules are run again, or answer as they are recorded. Pure.

What a rule says is a function of its module, its limits and what it is shown, and so is run again. Taken from the
record is what depended on the machine (a deadline, a dead process, a rule that was left out), and what was said to
words that were not captured.
"""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from itertools import takewhile
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
    read = [*(f"request.{key}" for key in rule.plan.texts), *(f"headers[{name}]" for name in rule.plan.headers)]
    return sorted(want for want in read if want not in there)


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
        outcomes: list[Outcome] = []
        while len(outcomes) < len(ask.rules):
            more = self._next(ask.rules[len(outcomes) :], ask)
            outcomes += more
            self.given += more
            if more[-1].decides:
                break
        return outcomes

    def _next(self, rules: Sequence[Rule], ask: Ask) -> list[Outcome]:
        """Of the first rule, or of as many as can be run together."""
        known = self._known(rules[0], ask)
        if known is not None:
            return [known]
        together = [rules[0], *takewhile(self._runs, rules[1:])]
        prepared, unasked = asking.prepare(together, ask.view)
        if unasked is not None and not prepared.rules:
            return [_sound(unasked)]
        calls = [replace(call, timeout_ms=PATIENT_MS) for call in prepared.ask.calls]
        results = self._calls.run(replace(prepared.ask, calls=calls))
        return list(map(_sound, asking.outcomes(prepared, results, ask.targets)))

    def _then(self, rule: Rule) -> Outcome | None:
        then = self._recorded.get(rule.name)
        return then if then is not None and then.module == rule.sha256 else None

    def _runs(self, rule: Rule) -> bool:
        """Whether it is clear without a look at the request that the rule must be run."""
        then = self._then(rule)
        clear = then is None or (self._rerun and then.code not in (*MACHINE, "skipped"))
        return clear and not missing(rule, self.there)

    def _known(self, rule: Rule, ask: Ask) -> Outcome | None:
        """What need not be run, or cannot be."""
        then = self._then(rule)
        if then is not None and then.code in MACHINE:
            return self._take(then, BY_MACHINE)
        if lacks := missing(rule, self.there):
            if then is None:
                raise NotCaptured(f"rule {rule.name}, which reads {', '.join(lacks)}")
            return self._take(then, BY_WORDS)
        if then is None or (self._rerun and then.code != "skipped"):
            return None
        prepared, unasked = asking.prepare([rule], ask.view)
        if then.code == "skipped":
            large = unasked is not None and then.message in ("", unasked.message)
            return unasked if large else self._take(then, BY_MACHINE)
        return then if not unasked and then.seen == asking.digest(prepared.ask.requests[0]) else None

    def _take(self, outcome: Outcome, why: str) -> Outcome:
        self.taken.append(Taken(outcome.rule, why))
        return outcome


def _sound(outcome: Outcome) -> Outcome:
    """The outcome, unless it says more of this machine than of the rule."""
    if outcome.code in MACHINE:
        raise CannotRun(f"rule {outcome.rule}: {outcome.code}: {outcome.message}")
    return outcome
