"""The way of a request, from decoded bytes to the answer's bytes, top to bottom.

The edge (`app`) has done host, key, size and content type; it sends what this returns.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial

import msgspec

from core import relaying, resilience, retry_after, simulate, streaming
from core.calibration import Calibration, corrected, factor_of
from core.call import Answer, Call
from core.course import Course, Means, Step
from core.dialects import PROVIDERS
from core.dialects.base import Origin, ProviderDialect
from core.dialects.sealing import sealed_response
from core.dialects.whole import changed
from core.errors import BadRequest, Denied, NotFound, ProxyError, Unavailable, UpstreamFailed
from core.exchange import Attempt, Candidate, Decision, Exchange, ProviderKey, SessionState, Target, TargetState
from core.features import FeatureSettings, extract
from core.image_agent import plan
from core.image_rounds import Rounds, Spoken, Turn
from core.image_rounds import whole as whole_of_turns
from core.key_pool import Closed
from core.messages import Ping, Request, Response, Usage
from core.patience import Patience
from core.pictures import Pictures
from core.preparing import prepare
from core.routing.custom import granted_texts
from core.routing.decide import decide
from core.routing.driver import Driver
from core.standing import Permit
from core.state.memory import MemorySessions
from core.streaming import StreamRelay
from core.tokens import TokenCounter
from core.upstream import Reply, Upstream, fetch
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
        sessions: MemorySessions,
        driver: Driver,
        means: Means | None = None,
        calibration: Calibration | None = None,
        pictures: Pictures | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._upstream = upstream
        self._counter = counter
        self._sessions = sessions
        self._driver = driver
        self._means = means or Means()
        self._calibration = calibration or Calibration()
        self._pictures = pictures or Pictures(partial(fetch, upstream))
        self._clock = clock

    async def answer(self, call: Call, body: bytes) -> Answer:
        """The whole way; raises ProxyError for what the client must be told."""
        decision = await self.explain(call, body)
        if decision.refusal is not None:
            raise _refusal(decision)
        with self._course(call, decision) as course:
            while True:
                if course.wait_s:
                    await asyncio.sleep(course.wait_s)
                step = course.next()
                try:
                    return await self._attempt(call, step)
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

    async def explain(self, call: Call, body: bytes) -> Decision:
        """Decode, count, extract and decide; calls nobody and changes no state."""
        call.request = call.client.decode_request(body)
        call.exchange.snapshot = call.snapshot.digest
        return await self.decide(call, await self.count(call.request))

    async def decide(self, call: Call, tokens: int) -> Decision:
        """Extract and decide for a request that is decoded and counted."""
        features = extract(
            call.request,
            call.headers,
            token_count=tokens,
            settings=FeatureSettings(background_models=call.snapshot.settings.routing.background_models),
            client_key=call.exchange.client_key,
        )
        call.session = self._sessions.read(features.client_key, features.session_id)
        call.factors = self._calibration.factors
        expected = features.model if "," in features.model else call.session.last_target
        by = factor_of(call.factors, expected, features.model, call.snapshot.default.model)
        call.features = msgspec.structs.replace(
            features,
            token_count=corrected(tokens, by),
            counted=tokens,
            token_factor=by,
            now_ms=call.now_ms,
            tz_offset_min=call.tz_offset_min,
            seed=int(call.exchange.request_id[-8:], 16),
            granted=granted_texts(call.snapshot.rules.wants, call.request, call.headers),
        )
        if "targets.facts" in call.snapshot.rules.wants:
            call.states = self.states(call)
        deciding = decide(call.snapshot, call.features, call.session, call.states, call.factors)
        decision = await self._driver.drive(deciding)
        call.exchange.decision = decision
        return decision

    def states(self, call: Call) -> dict[str, TargetState]:
        """What is known of how targets are, by name."""
        return self._means.standing.states(call.keys)

    async def count_tokens(self, call: Call, request: Request) -> int:
        """Tokens of the request as the model that it names counts them, or else the one that answers by default."""
        by = factor_of(self._calibration.factors, request.model, call.snapshot.default.model)
        return corrected(await self.count(request), by)

    async def count(self, request: Request) -> int:
        """Tokens of the request as we count them, uncorrected; much new text is counted in a thread."""
        if self._counter.uncached_bytes(request) > COUNT_INLINE:
            return await asyncio.to_thread(self._counter.count, request)
        return self._counter.count(request)

    async def _attempt(self, call: Call, step: Step) -> Answer:
        """Ask one target once. For a stream, returns when its first content is here."""
        candidate, permit = step.candidate, step.permit
        call.request.tokens = candidate.tokens
        provider = call.snapshot.settings.providers[candidate.target.provider]
        started = self._clock()
        outcome = "cancelled"
        try:
            if call.snapshot.settings.simulated or provider.dialect == "loopback":
                call.exchange.simulated = True
                answer = simulate.answer(call, candidate)
            else:
                answer = await self._ask(call, candidate, PROVIDERS[provider.dialect], permit.key)
            outcome = "ok"
        except UpstreamFailed as failure:
            outcome = str(failure.status) if failure.stage == "answered" else failure.stage
            relaying.redact(failure, call.keys.get(candidate.target.provider, ()))
            raise
        except ProxyError:
            outcome = "refused"
            raise
        finally:
            ms = (self._clock() - started) * 1000
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

    async def _ask(self, call: Call, candidate: Candidate, dialect: ProviderDialect, key: ProviderKey) -> Answer:
        request, name = call.request, candidate.target.provider
        clocks, keys = call.snapshot.settings.clocks[name], call.keys.get(name, ())
        same = dialect.name == request.dialect
        agent = call.snapshot.image_agent(candidate.target, call.features.images)
        asked = asyncio.get_running_loop().time()
        async with AsyncExitStack() as stack:
            if agent is not None:
                return await self._ask_in_turns(call, candidate, dialect, key, agent, stack)
            reply, origin = await self._send(call, candidate, dialect, key, request, stack)
            told = retry_after.for_client(relaying.response_headers(reply.headers, same=same), time.time())
            sent_back = relaying.headers_without_keys(told, keys)
            patience = Patience(clocks, asked=asked, deadline=reply.deadline)
            stack.callback(patience.close)
            if not request.stream:
                return Answer(200, sent_back, await _whole(call, reply, origin, patience))
            if relaying.is_no_stream(reply.headers):
                raise await relaying.no_stream(reply, dialect, patience)
            return await self._streamed(call, reply.chunks, origin, patience, sent_back, stack)

    async def _streamed(
        self,
        call: Call,
        chunks: AsyncIterator[bytes],
        origin: Origin,
        patience: Patience,
        headers: dict[str, str],
        stack: AsyncExitStack,
    ) -> Answer:
        stream = StreamRelay(chunks, origin, call.client, call.request, patience)
        stack.push(partial(_account, call.exchange, stream))
        await stream.prime()
        pieces = streaming.pieces(stream, call.exchange, call.keys.get(origin.name, ()))
        answer = Answer(200, headers | {"content-type": call.client.stream_type}, pieces, closing=stack.pop_all())
        answer.ping = call.client.stream_encoder(call.request).encode(Ping())
        return answer

    async def _ask_in_turns(
        self,
        call: Call,
        candidate: Candidate,
        dialect: ProviderDialect,
        key: ProviderKey,
        looks: Target,
        stack: AsyncExitStack,
    ) -> Answer:
        """A target that reads no images; `looks` reads them for it."""
        name = candidate.target.provider
        clocks = call.snapshot.settings.clocks[name]

        async def turn(request: Request, held: AsyncExitStack) -> Turn:
            if request.dialect == dialect.name:  # it is no longer what the client sent
                request = msgspec.structs.replace(request, dialect="image-agent")
            reply, origin = await self._send(call, candidate, dialect, key, request, held)
            if relaying.is_no_stream(reply.headers):
                wait = Patience(clocks, asked=asyncio.get_running_loop().time(), deadline=reply.deadline)
                held.callback(wait.close)
                raise await relaying.no_stream(reply, dialect, wait)
            return Turn(reply.chunks, dialect.stream_decoder(), list(origin.changes))

        rounds = Rounds(plan(call.request), name, turn, partial(self._look, call, looks))
        stack.push_async_callback(rounds.close)
        now = asyncio.get_running_loop().time()
        await rounds.begin()
        patience = Patience(clocks, asked=now, deadline=now + clocks.total_s)
        stack.callback(patience.close)
        if call.request.stream:
            origin = Origin(Spoken(dialect, rounds.decoder), name)
            return await self._streamed(call, rounds, origin, patience, {}, stack)
        try:
            response = await whole_of_turns(rounds, patience)
        except UpstreamFailed:
            call.exchange.lost = call.exchange.lost.plus(rounds.decoder.usage)
            raise
        call.exchange.usage = response.usage
        return Answer(200, {}, call.client.encode_response(sealed_response(response, name), call.request))

    async def _look(self, call: Call, target: Target, request: Request) -> Response:
        """What the image target says. ProxyError if it says nothing."""
        ring, card = call.keys.get(target.provider, ()), call.snapshot.card(target)
        permit = self._means.standing.ask(target, ring, session=call.features.session_id)
        if isinstance(permit, Closed):
            raise Unavailable(f"{target} is being left alone for now", call.client.name)
        dialect = PROVIDERS[call.snapshot.settings.providers[target.provider].dialect]
        candidate = Candidate(target, drop_thinking=True, context_window=card.context_window)
        clocks = call.snapshot.settings.clocks[target.provider]
        try:
            async with AsyncExitStack() as stack:
                asked = asyncio.get_running_loop().time()
                reply, origin = await self._send(call, candidate, dialect, permit.key, request, stack)
                patience = Patience(clocks, asked=asked, deadline=reply.deadline)
                stack.callback(patience.close)
                body = await relaying.whole(reply, patience)
                response = changed(dialect.decode_response(body), origin.changes)
            permit.done(fault=False)
        except UpstreamFailed as failure:
            relaying.redact(failure, ring)
            permit.done(fault=resilience.unwell(failure))
            raise
        finally:
            permit.withdraw()  # unless it is done
        return response

    async def _send(
        self,
        call: Call,
        candidate: Candidate,
        dialect: ProviderDialect,
        key: ProviderKey,
        request: Request,
        stack: AsyncExitStack,
    ) -> tuple[Reply, Origin]:
        """Send the request; the reply stays open as long as the stack. UpstreamFailed unless it is a 200."""
        name = candidate.target.provider
        provider, clocks = call.snapshot.settings.providers[name], call.snapshot.settings.clocks[name]
        same = dialect.name == request.dialect
        chain = call.snapshot.transformers(candidate.target)
        if dialect.inline_images:
            request = await self._pictures.inlined(request, call.snapshot.settings.images)
        ready = prepare(
            request, call.client, dialect, candidate, chain, provider.base_url, signed=call.snapshot.signers_differ
        )
        origin = Origin(dialect, name, ready.changes)
        headers = relaying.request_headers(call.headers, dialect, same=same)
        headers |= dialect.auth_headers(key.secret, provider.base_url)
        headers = chain.headers(headers)
        path = dialect.path(request, candidate) + ("?beta=true" if same and call.query == "beta=true" else "")
        reply = await stack.enter_async_context(self._upstream.post(provider, clocks, path, headers, ready.body))
        if reply.status != 200:
            raise await relaying.failure(reply, dialect, call.client)
        return reply, origin

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
        read = usage.input + usage.cache_read + usage.cache_write
        state = SessionState(
            turns=call.session.turns + 1,
            last_target=str(call.exchange.answered_by or ""),
            last_input_tokens=read or call.features.token_count,
            cached_prefix_tokens=usage.cache_read + usage.cache_write,
        )
        self._sessions.write(call.features.client_key, call.features.session_id, state)


def _account(exchange: Exchange, stream: StreamRelay, _: object, failed: BaseException | None, __: object) -> None:
    """What a stream used, once, when it is over: whatever ended it, and whether or not a byte of it was sent."""
    if isinstance(failed, UpstreamFailed):
        exchange.lost = exchange.lost.plus(stream.relay.usage)
    else:
        exchange.usage = stream.relay.usage


async def _whole(call: Call, reply: Reply, origin: Origin, patience: Patience) -> bytes:
    """A whole answer in the client's dialect. It is read even if its bytes are passed on: a 200 may hold an error."""
    body = await relaying.whole(reply, patience)
    response = changed(origin.dialect.decode_response(body), origin.changes)
    call.exchange.usage = response.usage
    if origin.dialect.name != call.client.name:
        return call.client.encode_response(sealed_response(response, origin.name), call.request)
    return call.client.encode_response(response, call.request) if origin.changes else body


def _refusal(decision: Decision) -> ProxyError:
    refusal = decision.refusal
    if refusal is None:
        raise ValueError("the decision has candidates")
    if decision.phase == "custom":
        return Denied(refusal.status, refusal.message)
    return NotFound(refusal.message) if refusal.status == 404 else BadRequest(refusal.message)
