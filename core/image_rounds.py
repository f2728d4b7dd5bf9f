"""The image agent at work: asks the model, looks at images for it, and asks again, as one answer.

`Rounds` stands where a provider's bytes would: what it gives are wake-up bytes, and the events that came are in its
decoder. So everything that is true of a stream holds for it too: fallback before the first content, the grammar, the
clocks, and that whoever leaves ends it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import NamedTuple

from core.dialects.base import Change, ProviderDialect, StreamDecoder
from core.dialects.sealing import sealed_response
from core.dialects.whole import collected, through
from core.errors import STATUS_OF_TYPE, ProxyError, UpstreamFailed
from core.grammar import Grammar, GrammarViolation
from core.image_agent import MAX_CALLS, MAX_TURNS, Plan, Question, Surgery, following, question, request_about
from core.messages import Block, Request, Response, StreamError, StreamEvent, Usage
from core.patience import Patience
from core.sse import SSEError

_WAKE = b"."
_CUT = StreamError("api_error", "the provider's stream ended in the middle of the answer")


class Turn(NamedTuple):
    """A provider's answer to one request, as it comes."""

    chunks: AsyncIterator[bytes]
    decoder: StreamDecoder
    changes: list[Change]


#: Opens a turn; what must be closed goes onto the stack. UpstreamFailed if there is none.
Open = Callable[[Request, AsyncExitStack], Awaitable[Turn]]
#: Asks the image target. ProxyError if it does not answer.
Look = Callable[[Request], Awaitable[Response]]


class Handed:
    """`base.StreamDecoder` for events that were decoded already."""

    def __init__(self, surgery: Surgery) -> None:
        self._surgery = surgery
        self.events: list[StreamEvent] = []
        self.complete = False

    @property
    def usage(self) -> Usage:
        """Of all turns and looks so far."""
        return self._surgery.usage.plus(self._surgery.under_way)

    def feed(self, chunk: bytes) -> list[StreamEvent]:  # noqa: ARG002 (a wake-up)
        events, self.events = self.events, []
        return events

    def end(self) -> list[StreamEvent]:
        return self.feed(b"") + ([] if self.complete else [_CUT])


class Rounds:
    """One answer. Iterate to its end, or leave; `close` in either case."""

    def __init__(self, plan: Plan, provider: str, opening: Open, look: Look) -> None:
        self._plan, self._provider, self._open, self._look = plan, provider, opening, look
        self._request = plan.request
        self._surgery = Surgery(plan.tool)
        self.decoder = Handed(self._surgery)
        self._stack = AsyncExitStack()
        self._turn: Turn | None = None
        self._grammar = Grammar()
        self._turns = 0
        self._over = False

    def __aiter__(self) -> "Rounds":
        return self

    async def __anext__(self) -> bytes:
        """A wake-up: there may be events in `decoder`."""
        if self._over:
            raise StopAsyncIteration
        if self._surgery.ending is not None:
            await self._go_on()
        turn = self._turn or await self.begin()
        chunk = await anext(turn.chunks, None)
        try:
            events = turn.decoder.end() if chunk is None else turn.decoder.feed(chunk)
            self._surgery.under_way = turn.decoder.usage
            for event in through(turn.changes, events):
                self._take(event)
        except (SSEError, GrammarViolation) as exc:
            self._take_error(StreamError("api_error", f"the provider's stream is broken: {exc}"))
        if chunk is None and self._surgery.ending is None:
            self._over = True
        return _WAKE

    async def begin(self) -> Turn:
        """Ask for the next turn."""
        self._turns += 1
        self._grammar = Grammar()
        self._surgery.begin()
        self._turn = await self._open(self._request, self._stack)
        return self._turn

    async def close(self) -> None:
        """Let go of the provider."""
        self._over = True
        await self._stack.aclose()

    def _take_error(self, error: StreamError) -> None:
        self.decoder.events.append(error)
        self._over = True

    def _take(self, event: StreamEvent) -> None:
        if self._over:
            return
        self._grammar.check(event)
        self.decoder.events += self._surgery.take(event)
        if isinstance(event, StreamError):
            self._over = True
        elif self._grammar.state == "DONE" and not self._questions():
            self.decoder.events += self._surgery.end()
            self.decoder.complete = self._over = True

    def _questions(self) -> list[Block]:
        """The agent's calls of a turn that ended with nothing else to do."""
        surgery = self._surgery
        if surgery.client_called or surgery.ending is None or surgery.ending.stop_reason != "tool_use":
            return []
        calls = [block for block in collected(surgery.turn).content if block.type == "tool_use"]
        return calls if self._turns < MAX_TURNS else []

    async def _go_on(self) -> None:
        """Answer the turn's questions, all at once, and make the next request."""
        calls = self._questions()
        await self._stack.aclose()
        self._stack = AsyncExitStack()
        asked = [question(call, len(self._plan.images)) for call in calls]
        seen = await asyncio.gather(*(self._seen(each, number) for number, each in enumerate(asked)))
        answers = {each.call: answer for each, answer in zip(asked, seen, strict=True)}
        turn = sealed_response(collected(self._surgery.turn), self._provider).content
        self._request = following(self._request, turn, answers)
        self._turn = None

    async def _seen(self, asked: Question, number: int) -> tuple[str, bool]:
        """What the model is told, and whether that is a failure: its answer goes on without the image."""
        if asked.wrong or number >= MAX_CALLS or self._turns >= MAX_TURNS - 1:
            return asked.wrong or "No more images can be looked at now; answer with what you know.", True
        try:
            response = await self._look(request_about(self._plan.images[asked.image], asked.task))
        except ProxyError as failed:
            return f"The image could not be looked at: {failed.message}", True
        self._surgery.usage = self._surgery.usage.plus(response.usage)
        text = "".join(block.text for block in response.content if block.type == "text")
        return (text, False) if text else ("The image could not be looked at: there was no answer.", True)


class Spoken:
    """A `base.ProviderDialect` whose stream is that of rounds."""

    inline_images = False
    name = "image-agent"

    def __init__(self, dialect: ProviderDialect, decoder: Handed) -> None:
        self._decoder = decoder
        self.encode_request, self.path = dialect.encode_request, dialect.path
        self.auth_headers, self.decode_error = dialect.auth_headers, dialect.decode_error
        self.decode_response = dialect.decode_response

    def stream_decoder(self) -> StreamDecoder:
        return self._decoder


async def whole(rounds: Rounds, patience: Patience) -> Response:
    """An answer that is not streamed to its client. UpstreamFailed if it is not whole."""
    events: list[StreamEvent] = []
    while (wake := await patience.next(rounds)) is not None:
        if came := rounds.decoder.feed(wake):
            patience.content()
        events += came
    events += rounds.decoder.end()
    error = next((event for event in events if isinstance(event, StreamError)), None)
    if error is not None:
        status = 502 if error.type == "api_error" else STATUS_OF_TYPE.get(error.type, 502)
        raise UpstreamFailed(status, error.message, stage="answered", type=error.type)
    return collected(events)
