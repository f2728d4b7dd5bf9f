"""The decision: a pure generator over (snapshot, features, session, rule outcomes).

It yields `Ask` when rules must be run and is sent their outcomes. The pipeline, `explain`, `/v1/route` and the tests
drive this one generator; only the drivers differ.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from core.calibration import corrected, factor_of
from core.exchange import Candidate, Decision, Features, Found, Refusal, SessionState, Step, Target, TargetState
from core.rolegraph.matcher import Span
from core.routing import custom, explicit, gate, permission, sticky
from core.routing.permission import NOT_ALLOWED
from core.routing.proposal import Ask, Proposal
from core.routing.runtime import scenarios
from core.routing.server_tools import ENCODED
from core.routing.snapshot import Snapshot
from wasm_host.answer import Outcome

#: So many characters of the human's words are matched with the taxonomy. A longer text fits into few models.
LOOKED_AT = 512 * 1024


@dataclass
class Deciding:
    """One decision in the making."""

    snapshot: Snapshot
    features: Features
    session: SessionState
    scenarios: tuple[str, ...]
    states: Mapping[str, TargetState] = field(default_factory=dict)
    factors: Mapping[str, float] = field(default_factory=dict)
    trace: list[Step] = field(default_factory=list)
    #: Targets that the gate turned away, with the reasons.
    turned_away: dict[Target, tuple[str, ...]] = field(default_factory=dict)
    #: Finds the concepts that the human's words name, where they are not looked for in the features.
    look: "Look | None" = None
    asked: list[Outcome] = field(default_factory=list)
    matches: tuple[Found, ...] | None = None

    def note(self, phase: str, outcome: str, **detail: Any) -> None:
        self.trace.append(Step(phase, outcome, detail))

    def tokens(self, target: Target) -> int:
        """Of the request, as this target counts them."""
        counted = self.features.counted or self.features.token_count
        return corrected(counted, factor_of(self.factors, target.model))

    def admit(self, phase: str, target: Target) -> Candidate | None:
        """The target as a candidate, or None with a line in the trace that says why not."""
        if target.provider not in self.snapshot.settings.providers:
            self.note(phase, "skipped", target=str(target), why="provider is not configured")
            return None
        verdict = gate.check(
            self.features,
            target,
            self.snapshot.card(target),
            dialect=self.snapshot.settings.providers[target.provider].dialect,
            search_optional=self.snapshot.settings.routing.web_search == "optional",
            tokens=self.tokens(target),
            images_by=self.snapshot.image_agent(target, self.features.images, self.features.allowed),
        )
        if verdict.candidate is None:
            self.turned_away[target] = verdict.failures
            self.note("gate", "removed", target=str(target), why=list(verdict.failures))
        elif verdict.notes or verdict.candidate.unverified:
            unverified = list(verdict.candidate.unverified)
            self.note("gate", "passed", target=str(target), notes=list(verdict.notes), unverified=unverified)
        return verdict.candidate


def decide(
    snapshot: Snapshot,
    features: Features,
    session: SessionState,
    states: Mapping[str, TargetState] | None = None,
    factors: Mapping[str, float] | None = None,
    *,
    look: "Look | None" = None,
) -> Generator[Ask, list[Outcome], Decision]:
    """Who should answer. Never raises for a request: a refusal is a decision too.

    `states` is what is known of targets by name; only rules look at it. Who is passed over is found when asking.
    `factors` is what was learned of models' tokens (`calibration`). `look` says what patterns find, for who has not the
    words themselves; what it raises is raised here.
    """
    holding = scenarios(features, session, snapshot.runtime)
    deciding = Deciding(snapshot, features, session, holding, states or {}, factors or {}, look=look)
    if features.token_factor != 1:
        deciding.note("features", "corrected", counted=features.counted, factor=features.token_factor)
    named = _named(deciding)
    if named is not None:
        return named
    for phase in snapshot.settings.routing.order:
        if phase == "custom":
            proposal = yield from custom.propose(deciding)
        else:
            proposal = PHASES[phase](deciding)
        if isinstance(proposal, Refusal):
            return _refused(deciding, phase, "denied", proposal)
        if proposal is not None:
            return _decided(deciding, sticky.settled(deciding, proposal))
    return _refused(deciding, "default", "no_target", _nobody(deciding))


def _named(deciding: Deciding) -> Decision | None:
    """The decision when the client or a subagent tag named the target."""
    named = (("explicit", deciding.features.model), ("subagent", deciding.features.subagent_target))
    for reason, name in named:
        found = explicit.parse(deciding.snapshot, name, deciding.features.allowed) if name else None
        if isinstance(found, Refusal):
            return _refused(deciding, "explicit", reason, found)
        if found is None:
            continue
        candidate = deciding.admit("explicit", found)
        if NOT_ALLOWED in deciding.turned_away.get(found, ()):
            message = permission.refusal(found, deciding.features.client_key, deciding.features.allowed)
            return _refused(deciding, "explicit", reason, Refusal(403, message))
        if candidate is None:
            why = "; ".join(deciding.turned_away.get(found, ("is not configured",)))
            message = f"{found} was asked for, but {why}.{_advice(deciding)}"
            return _refused(deciding, "explicit", reason, Refusal(400, message))
        deciding.note("explicit", "decided", target=str(found), reason=reason)
        return _decided(deciding, Proposal("explicit", reason, (candidate,)))
    return None


def _runtime(deciding: Deciding) -> Proposal | None:
    """The first scenario that holds and has a route."""
    routes = deciding.snapshot.runtime_routes
    for scenario in deciding.scenarios:
        target = routes.get(scenario)
        if target is None:
            deciding.note("runtime", "passed", scenario=scenario, why="no route")
            continue
        candidate = deciding.admit("runtime", target)
        if candidate is not None:
            deciding.note("runtime", "decided", scenario=scenario, target=str(target))
            return Proposal("runtime", scenario, (candidate,))
        deciding.note("runtime", "refused", scenario=scenario, target=str(target))
    if not deciding.scenarios:
        deciding.note("runtime", "passed", why="no scenario holds")
    return None


def looked_at(text: str) -> tuple[str, int]:
    """What patterns are looked for in, and how far what stands in its second half is from where it was.

    Of a very long text the two ends: people write before or behind what they paste. All of it would hold up everybody
    else for seconds, and take many times its size. No phrase goes across the NUL.
    """
    if len(text) <= LOOKED_AT:
        return text, 0
    half = LOOKED_AT // 2
    return f"{text[:half]}\0{text[-half:]}", len(text) - LOOKED_AT - 1


#: What the human's words name, the best first.
Look = Callable[[], Sequence[Found]]


def found_in(snapshot: Snapshot, text: str) -> list[Found]:
    """The concepts with routes that the human's words name, the best first."""
    looked, apart = looked_at(text)
    return [
        Found(match.path, match.concept, match.how, match.score_1000, match.priority, in_whole(match.spans, apart))
        for match in snapshot.matcher.routing(looked)
    ]


def in_whole(spans: Sequence[Span], apart: int) -> tuple[tuple[int, int, str], ...]:
    """Spans of the text that was looked at, in the whole one."""
    moved = (apart if span.start > LOOKED_AT // 2 else 0 for span in spans)
    return tuple((span.start + by, span.end + by, span.pattern) for span, by in zip(spans, moved, strict=True))


def _pattern(deciding: Deciding) -> Proposal | None:
    """The best-ranked concept with a route that can serve."""
    look = deciding.look or partial(found_in, deciding.snapshot, deciding.features.last_user)
    deciding.matches = tuple(look())
    for match in deciding.matches:
        found = {"concept": match.concept, "how": match.how, "score": match.score, "spans": match.spans}
        routes = deciding.snapshot.taxonomy.by_path[match.path].routes
        admitted = (deciding.admit("pattern", Target.parse(route.target)) for route in routes)
        candidates = tuple(candidate for candidate in admitted if candidate is not None)
        if candidates:
            deciding.note("pattern", "decided", target=str(candidates[0].target), **found)
            reason = f"concept:{match.concept}"
            return Proposal("pattern", reason, candidates, score=match.score, priority=match.priority)
        deciding.note("pattern", "passed", why="no route of this concept can serve", **found)
    if not deciding.matches:
        deciding.note("pattern", "passed", why="no concept matches")
    return None


def _default(deciding: Deciding) -> Proposal | None:
    """The default target, or the first of those behind it that can serve."""
    default = deciding.snapshot.default
    for target in (default, *deciding.snapshot.chains.get(str(default), ()), *deciding.snapshot.fallback):
        candidate = deciding.admit("default", target)
        if candidate is not None:
            deciding.note("default", "decided", target=str(target))
            return Proposal("default", "default", (candidate,))
    return None


#: The phases that ask nobody. `custom` is the fourth; the order is a setting.
PHASES: Mapping[str, Callable[[Deciding], Proposal | None]] = {
    "runtime": _runtime,
    "pattern": _pattern,
    "default": _default,
}


def _decided(deciding: Deciding, proposal: Proposal) -> Decision:
    """The proposal with the fallbacks behind it, each target once: its own chain, the scenarios', the last resort."""
    candidates = {candidate.target: candidate for candidate in proposal.candidates}
    for target in _behind(deciding, proposal.candidates[0].target):
        if target not in candidates and target not in deciding.turned_away:
            candidate = deciding.admit("fallback", target)
            if candidate is not None:
                candidates[target] = candidate
    return Decision(
        phase=proposal.phase,
        reason=proposal.reason,
        candidates=tuple(candidates.values()),
        snapshot=deciding.snapshot.id,
        score=proposal.score,
        tags=dict(proposal.tags),
        scenarios=deciding.scenarios,
        trace=tuple(deciding.trace),
        asked=tuple(deciding.asked),
        matches=deciding.matches,
    )


def _behind(deciding: Deciding, decided: Target) -> Iterator[Target]:
    """Who is asked when the decided target fails; a chain that takes part is named in the trace."""
    snapshot = deciding.snapshot
    if snapshot.chains:
        for name in (str(decided), *deciding.scenarios):
            if chain := snapshot.chains.get(name):
                deciding.note("fallback", "chain", of=name, targets=list(map(str, chain)))
                yield from chain
    yield from snapshot.fallback


def _nobody(deciding: Deciding) -> Refusal:
    features, why_not = deciding.features, deciding.turned_away.values()
    if why_not and all(NOT_ALLOWED in reasons for reasons in why_not):
        return Refusal(403, permission.nobody(features.client_key, features.allowed, deciding.turned_away))
    why = "; ".join(f"{target}: {', '.join(reasons)}" for target, reasons in deciding.turned_away.items())
    return Refusal(400, f"no configured target can serve this request. {why}.{_advice(deciding)}")


def _advice(deciding: Deciding) -> str:
    """What to do about a search that nobody can run; the rest says for itself what is missing."""
    if not any("cannot do web_search" in reasons for reasons in deciding.turned_away.values()):
        return ""
    able = ", ".join(sorted(ENCODED))
    advice = f" For web search set routing.runtime.web_search to a target that searches (dialects: {able})"
    optional = "" if deciding.features.only_web_search else ', or routing.web_search = "optional" to go without'
    return f"{advice}{optional}; or do not offer the tool."


def _refused(deciding: Deciding, phase: str, reason: str, refusal: Refusal) -> Decision:
    deciding.note(phase, "refused", reason=reason, status=refusal.status, message=refusal.message)
    return Decision(
        phase=phase,
        reason=reason,
        candidates=(),
        snapshot=deciding.snapshot.id,
        scenarios=deciding.scenarios,
        trace=tuple(deciding.trace),
        refusal=refusal,
        asked=tuple(deciding.asked),
        matches=deciding.matches,
    )
