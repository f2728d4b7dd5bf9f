"""Reasoning that only its own provider can read again, on its way through a client of another dialect and back.

A signature (or the `data` of redacted thinking) goes out sealed: marked as the proxy's, with the provider's name. The
client sends it back with the next request of a tool loop. Only that provider's encoder opens it; to everybody else, the
real Anthropic first, a sealed value is none. Thinking that had no signature is closed with an empty seal, so that it is
known to be translated.

    tp1.PROVIDER.PAYLOAD      PROVIDER as configured, PAYLOAD as the provider (or its dialect's decoder) gave it
"""

import msgspec

from core.messages import Block, BlockDelta, BlockStart, BlockStop, Response, StreamEvent

_MARK = "tp1."
#: What the bytes of a request hold that has anything sealed in it.
SEAL = _MARK.encode()


def seal(provider: str, payload: str) -> str:
    """The sealed value."""
    return f"{_MARK}{provider}.{payload}"


def is_sealed(value: str | None) -> bool:
    """Whether the proxy made it."""
    return (value or "").startswith(_MARK)


def holds_nothing(value: str) -> bool:
    """Whether this is an empty seal: thinking that had no signature."""
    return is_sealed(value) and value.count(".") == _MARK.count(".") + 1 and value.endswith(".")


def opened(value: str | None, provider: str) -> str | None:
    """The payload, perhaps empty, if this was sealed for this provider; else None."""
    mark = seal(provider, "")
    return value[len(mark) :] if value is not None and value.startswith(mark) else None


def is_foreign(block: Block) -> bool:
    """Whether this is reasoning that Anthropic did not sign: made or sealed by the proxy, or never signed."""
    if block.type == "redacted_thinking":
        return is_sealed(block.data)
    return block.type == "thinking" and (not block.signature or is_sealed(block.signature))


def sealed_response(response: Response, provider: str) -> Response:
    """The whole answer with its reasoning sealed."""
    content = [_sealed(block, provider) for block in response.content]
    return msgspec.structs.replace(response, content=content)


def _sealed(block: Block, provider: str) -> Block:
    if block.type == "thinking":
        return msgspec.structs.replace(block, signature=seal(provider, block.signature or ""))
    if block.type == "redacted_thinking":
        return msgspec.structs.replace(block, data=seal(provider, block.data))
    return block


class Sealing:
    """`base.Change`: the pieces of a signature are kept until their block ends, as one sealed value."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._open = False
        self._signature = ""

    def take(self, event: StreamEvent) -> list[StreamEvent]:
        match event:
            case BlockStart(index=index, block=block) if block.type in {"thinking", "redacted_thinking"}:
                self._open, self._signature = block.type == "thinking", ""
                return [event if self._open else BlockStart(index, _sealed(block, self._provider))]
            case BlockDelta(kind="signature", data=data):
                self._signature += data
                return []
            case BlockStop(index=index) if self._open:
                self._open = False
                return [BlockDelta(index, "signature", seal(self._provider, self._signature)), event]
        return [event]
