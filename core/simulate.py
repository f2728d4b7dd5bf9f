"""Answers without a network: what the embedded default gives as long as no provider can be reached."""

from collections.abc import AsyncGenerator

from core.call import Answer, Call
from core.dialects import loopback
from core.exchange import Candidate
from core.messages import StreamEvent


def answer(call: Call, candidate: Candidate) -> Answer:
    """Loopback's answer in the client's dialect, under the decided target's name."""
    decision = call.exchange.decision
    facts = loopback.Facts(
        request_id=call.exchange.request_id,
        phase=decision.phase if decision else "",
        reason=decision.reason if decision else "",
        provider=candidate.target.provider,
        model=candidate.target.model,
        input_tokens=call.features.token_count,
    )
    response = loopback.answer(call.request, facts)
    call.exchange.usage = response.usage
    if not call.request.stream:
        return Answer(200, {}, call.client.encode_response(response, call.request))
    pieces = _pieces(call, loopback.events(response))
    return Answer(200, {"content-type": call.client.stream_type}, pieces)


async def _pieces(call: Call, events: list[StreamEvent]) -> AsyncGenerator[bytes, None]:
    encoder = call.client.stream_encoder(call.request)
    for event in events:
        yield encoder.encode(event)
    call.exchange.whole = True
