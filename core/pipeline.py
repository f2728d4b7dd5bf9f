"""The way of a request, from decoded bytes to the answer's bytes, top to bottom.

The edge (`app`) has done host, key, size and content type; it sends what this returns.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from core import gathering, relaying, session, simulate
from core.asking import Asking
from core.cached_answers import CachedAnswers
from core.calibration import Calibration, corrected, factor_of
from core.call import Answer, Call
from core.course import Course, Means, Step
from core.errors import BadRequest, Denied, Forbidden, NotFound, ProxyError, UpstreamFailed
from core.exchange import CANCELLED, Attempt, Decision, Exchange, Inputs, Target, TargetState
from core.guarding import TargetFull
from core.messages import Request, Usage
from core.pictures import Pictures
from core.routing.decide import decide
from core.routing.driver import Driver
from core.routing.snapshot import Snapshot
from core.standing import Permit
from core.state.sessions import Sessions
from core.tokens import TokenCounter
from core.trace import noting
from core.upstream import Upstream, fetch
from core.vocab import encoding_of

#: More uncounted text than this, in bytes, is counted off the event loop.
COUNT_INLINE = 32 * 1024


class Pipeline:
    """The steps, with the parts of the outside world that they need."""

    def __init__(
        self,
        *,
        upstream: Upstream,
        counter: TokenCounter,
        sessions: Sessions,
        driver: Driver,
        means: Means | None = None,
        calibration: Calibration | None = None,
        pictures: Pictures | None = None,
        answers: CachedAnswers | None = None,
    ) -> None:
        self._counter = counter
        self._sessions = sessions
        self._driver = driver
        self._means = means or Means()
        self._calibration = calibration or Calibration()
        self._asking = Asking(upstream, self._means.standing, pictures or Pictures(partial(fetch, upstream)))
        self._answers = answers or CachedAnswers()
        #: Told of each request that is to be answered, as soon as it is decided by whom.
        self.on_decided: Callable[[Exchange, Snapshot], None] = lambda *_: None

    async def answer(self, call: Call, body: bytes) -> Answer:
        """The whole way; raises ProxyError for what the client must be told."""
        decision = await self.explain(call, body)
        self.on_decided(call.exchange, call.snapshot)
        if decision.refusal is not None:
            raise _refusal(decision)
        place = self._answers.place(call, body)
        if place is not None and (kept := await place.find()) is not None:
            answer = place.again(kept)
            self._settle(call, kept.usage)
            return answer
        if call.visit is not None:
            await call.visit.reserve(call)
        with self._course(call, decision) as course:
            while True:
                if course.wait_s:
                    await asyncio.sleep(course.wait_s)
                step = course.next()
                try:
                    answer = await self._attempt(call, step)
                    return answer if place is None else place.keeping(answer)
                except TargetFull as full:
                    course.full(full)
                except UpstreamFailed as failure:
                    course.failed(failure)

    def _course(self, call: Call, decision: Decision) -> Course:
        course = self._means.course(
            decision.candidates,
            call.keys,
            call.snapshot.settings.resilience,
            session=call.features.session_id,
            dialect=call.client.name,
        )
        call.exchange.passed_over = course.passed_over
        return course

    async def explain(self, call: Call, body: bytes, driver: Driver | None = None) -> Decision:
        """Decode, count, extract and decide; calls nobody and changes no state. `driver` has the rules run elsewhere
        than where requests have them run.
        """
        call.request = call.client.decode_request(body)
        call.exchange.snapshot = call.snapshot.digest
        return await self.decide(call, await self.count(call.request), driver)

    async def decide(self, call: Call, tokens: int, driver: Driver | None = None) -> Decision:
        """Extract and decide for a request that is decoded and counted."""
        features = gathering.facts(call, tokens)
        call.session = await self._sessions.read(features.client_key, session.key_of(features))
        call.factors = self._calibration.factors
        call.features = gathering.completed(call, features, call.factors)
        call.states = self._known(call)
        deciding = decide(call.snapshot, call.features, call.session, call.states, call.factors)
        if (trace := call.exchange.trace) is not None:
            deciding = noting(deciding, trace.asked, lambda: call.exchange.ms_since_arrival(time.monotonic()))
        decision = await (driver or self._driver).drive(deciding)
        call.exchange.inputs = Inputs(call.features, call.session, call.states, call.factors)
        call.exchange.decision = decision
        call.exchange.decided_ms = call.exchange.ms_since_arrival(time.monotonic())
        return decision

    def states(self, call: Call) -> dict[str, TargetState]:
        """What is known of how targets are, by name, and what the request's key may spend at them."""
        states = self._means.standing.states(call.keys)
        if call.visit is None or call.visit.budget_left is None:
            return states
        left, unknown = call.visit.budget_left, TargetState()
        names = call.snapshot.open_to(call.features.allowed)
        return {name: msgspec.structs.replace(states.get(name, unknown), budget_left=left) for name in sorted(names)}

    def _known(self, call: Call) -> dict[str, TargetState]:
        """What a decision needs of it: all if a rule asked for it, else how the session's own targets are."""
        if "targets.facts" in call.snapshot.rules.wants:
            return self.states(call)
        if not call.session.last_target:
            return {}
        own = {call.session.last_target, call.session.home} & call.snapshot.target_names
        named = ((name, Target.parse(name)) for name in own)
        unwell = (name for name, at in named if not self._means.standing.well(at, call.keys.get(at.provider, ())))
        return {name: TargetState(healthy=False) for name in unwell}

    async def count_tokens(self, call: Call, request: Request) -> int:
        """Tokens of the request as the model that it names counts them, or else the one that answers by default."""
        by = factor_of(self._calibration.factors, request.model, call.snapshot.default.model)
        return corrected(await self.count(request), by)

    async def count(self, request: Request) -> int:
        """Tokens of the request as we count them, uncorrected; much new text is counted in a thread."""
        look = self._counter.look(request)
        return await asyncio.to_thread(look.tokens) if look.uncounted > COUNT_INLINE else look.tokens()

    async def _attempt(self, call: Call, step: Step) -> Answer:
        """Ask one target once. For a stream, returns when its first content is here."""
        candidate, permit = step.candidate, step.permit
        if call.visit is not None:
            await call.visit.at_target(call, candidate)
        call.request.tokens = candidate.tokens
        provider = call.snapshot.settings.providers[candidate.target.provider]
        started = time.monotonic()
        if call.exchange.trace is not None:
            call.exchange.trace.trying(call.exchange.ms_since_arrival(started))
        outcome = CANCELLED
        try:
            if call.snapshot.settings.simulated or provider.dialect == "loopback":
                call.exchange.simulated = True
                answer = simulate.answer(call, candidate)
            else:
                answer = await self._asking.ask(call, candidate, permit.key)
            outcome = "ok"
        except UpstreamFailed as failure:
            outcome = str(failure.status) if failure.stage == "answered" else failure.stage
            relaying.redact(failure, call.keys.get(candidate.target.provider, ()))
            raise
        except ProxyError:
            outcome = "refused"
            raise
        finally:
            ms = (time.monotonic() - started) * 1000
            call.exchange.attempts.append(Attempt(candidate.target, outcome, ms, permit.key.position))
        call.exchange.answered_by = candidate.target
        if isinstance(answer.body, bytes):
            permit.answered(None)
            permit.done(fault=False)
            self._settle(call, call.exchange.usage)
            self._learn(call)
        else:
            permit.answered(None if call.exchange.simulated else ms)
            answer.closing.callback(self._ended, call, permit)
        return answer

    def _ended(self, call: Call, permit: Permit) -> None:
        """A stream is over, whatever ended it; who leaves says nothing of the target."""
        exchange = call.exchange
        if exchange.error or exchange.whole:
            permit.done(fault=bool(exchange.error))
        permit.withdraw()  # unless it is done
        self._settle(call, exchange.usage)
        if exchange.whole and not exchange.error:
            self._learn(call)

    def _learn(self, call: Call) -> None:
        """What the answer's usage says of its model's tokens. Images and searches are no matter of a tokenizer."""
        exchange, features = call.exchange, call.features
        model = exchange.answered_by.model if exchange.answered_by else ""
        if exchange.simulated or features.images or features.server_web_search:
            return
        if encoding_of(model) == encoding_of(call.request.model):
            self._calibration.learn(model, features.counted, exchange.usage)

    def _settle(self, call: Call, usage: Usage) -> None:
        """Remember of the session what its next request will be decided by."""
        decision, target = call.exchange.decision, call.exchange.answered_by
        if decision is None or target is None:
            return
        played = call.exchange.simulated or call.exchange.cache == "hit"
        price = None if played else call.snapshot.card(target).price
        state = session.after(call.session, call.features, decision, target, usage, price)
        if state is not None:
            self._sessions.write(call.features.client_key, session.key_of(call.features), state)


#: What a refusal of ours is; anything else is the request's fault.
_REFUSALS: Mapping[int, type[ProxyError]] = {403: Forbidden, 404: NotFound}


def _refusal(decision: Decision) -> ProxyError:
    refusal = decision.refusal
    if refusal is None:
        raise ValueError("the decision has candidates")
    if decision.phase == "custom":
        return Denied(refusal.status, refusal.message)
    return _REFUSALS.get(refusal.status, BadRequest)(refusal.message)
