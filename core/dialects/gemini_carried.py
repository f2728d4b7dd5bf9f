"""What Gemini must get back with a tool loop, as the payload of a seal (`sealing`), and where it belongs.

    own.SIGNATURE      on the thought part that it came with
    call.ID.SIGNATURE  on the function call of this id
    text.SIGNATURE     on the text part before it
    tail.SIGNATURE     on an empty text part of its own, after the text
    part.JSON          a whole part that only Gemini reads: what its own tools did

Source: Google's documentation, "Thought signatures": a signature goes back on the part that it came on; parts with and
without one are not to be merged; Gemini 3 refuses the first function call of a step that has none. "Combine built-in
tools and function calling": `toolCall` and `toolResponse` parts go back as they came.
"""

from typing import NamedTuple

#: Google's stand-in for the signature of a call that its model did not make: another provider's, or one that a client
#: did not keep ("Thought signatures", FAQ).
STAND_IN = "skip_thought_signature_validator"

_KINDS = frozenset({"own", "call", "text", "tail", "part"})


class Carried(NamedTuple):
    """One payload. `id` is a call's; `value` is a signature, or a part's JSON."""

    kind: str
    value: str
    id: str = ""


def written(carried: Carried) -> str:
    """The payload. An id has no dot in it."""
    where = f"{carried.kind}.{carried.id}" if carried.id else carried.kind
    return f"{where}.{carried.value}"


def read(payload: str | None) -> Carried | None:
    """What a payload carries; None if there is none, or it is not of this making."""
    kind, _, value = (payload or "").partition(".")
    if kind not in _KINDS or not value:
        return None
    if kind != "call":
        return Carried(kind, value)
    id, _, signature = value.partition(".")
    return Carried(kind, signature, id) if signature else None
