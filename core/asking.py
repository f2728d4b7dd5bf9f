"""How one target is asked once: the request prepared and sent, its answer whole or as a stream that has begun."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial

import msgspec

from core import relaying, resilience, retry_after, streaming
from core.call import Answer, Call
from core.dialects import PROVIDERS
from core.dialects.base import Origin, ProviderDialect
from core.dialects.sealing import sealed_response
from core.dialects.whole import changed
from core.errors import Unavailable, UpstreamFailed
from core.exchange import Candidate, Exchange, ProviderKey, Target
from core.image_agent import plan
from core.image_rounds import Rounds, Spoken, Turn
from core.image_rounds import whole as whole_of_turns
from core.key_pool import Closed
from core.messages import Ping, Request, Response, Usage
from core.patience import Patience
from core.pictures import Pictures
from core.preparing import prepare
from core.standing import Standing
from core.streaming import StreamRelay
from core.upstream import Reply, Upstream

#: Of an answer whose provider does not say what it used.
BYTES_A_TOKEN = 4


class Asking:
    """The way to a provider and back, with the parts of the outside world that it needs."""

    def __init__(self, upstream: Upstream, standing: Standing, pictures: Pictures) -> None:
        self._upstream = upstream
        self._standing = standing
        self._pictures = pictures

    async def ask(self, call: Call, candidate: Candidate, key: ProviderKey) -> Answer:
        """For a stream, returns when its first content is here. UpstreamFailed if the target does not answer."""
        dialect = PROVIDERS[call.snapshot.settings.providers[candidate.target.provider].dialect]
        request, name = call.request, candidate.target.provider
        clocks, keys = call.snapshot.settings.clocks[name], call.keys.get(name, ())
        same = dialect.name == request.dialect
        agent = call.snapshot.image_agent(candidate.target, call.features.images, call.allowed)
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
            return await self._streamed(call, reply.chunks, origin, patience, sent_back, stack, target=candidate.target)

    async def _streamed(
        self,
        call: Call,
        chunks: AsyncIterator[bytes],
        origin: Origin,
        patience: Patience,
        headers: dict[str, str],
        stack: AsyncExitStack,
        *,
        target: Target,
    ) -> Answer:
        stream = StreamRelay(chunks, origin, call.client, call.request, patience)
        stack.push(partial(_account, call.exchange, stream, target))
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
            return await self._streamed(call, rounds, origin, patience, {}, stack, target=candidate.target)
        try:
            response = await whole_of_turns(rounds, patience)
        except UpstreamFailed:
            call.exchange.lose(candidate.target, rounds.decoder.usage)
            raise
        call.exchange.usage, call.exchange.stop_reason = response.usage, response.stop_reason
        return Answer(200, {}, call.client.encode_response(sealed_response(response, name), call.request))

    async def _look(self, call: Call, target: Target, request: Request) -> Response:
        """What the image target says. ProxyError if it says nothing."""
        ring, card = call.keys.get(target.provider, ()), call.snapshot.card(target)
        permit = self._standing.ask(target, ring, session=call.features.session_id)
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
            call.exchange.looked(target, response.usage)
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
        if call.exchange.trace is not None:
            headers |= call.exchange.trace.for_provider()
        path = dialect.path(request, candidate) + ("?beta=true" if same and call.query == "beta=true" else "")
        reply = await stack.enter_async_context(self._upstream.post(provider, clocks, path, headers, ready.body))
        if reply.status != 200:
            raise await relaying.failure(reply, dialect, call.client)
        return reply, origin


def _account(
    exchange: Exchange, stream: StreamRelay, target: Target, _: object, failed: BaseException | None, __: object
) -> None:
    """What a stream used, once, when it is over: whatever ended it, and whether or not a byte of it was sent."""
    if isinstance(failed, UpstreamFailed):
        exchange.lose(target, stream.relay.usage)
    else:
        exchange.usage, exchange.contents = stream.relay.usage, stream.contents


async def _whole(call: Call, reply: Reply, origin: Origin, patience: Patience) -> bytes:
    """A whole answer in the client's dialect. It is read even if its bytes are passed on: a 200 may hold an error."""
    body = await relaying.whole(reply, patience)
    response = changed(origin.dialect.decode_response(body), origin.changes)
    call.exchange.usage, call.exchange.stop_reason = response.usage, response.stop_reason
    if response.usage == Usage():
        call.exchange.contents = len(body) // BYTES_A_TOKEN
    if origin.dialect.name != call.client.name:
        return call.client.encode_response(sealed_response(response, origin.name), call.request)
    return call.client.encode_response(response, call.request) if origin.changes else body
