"""How late a connection may be, pure: what it is doing, since when, and the server's limits give why it is ended."""

from enum import StrEnum
from typing import Protocol

#: What is left of a refused request is read and dropped for so many seconds, so that its client reads the answer
#: before the connection is reset (RFC 9112, section 9.6).
LINGER_S = 5.0


class Phase(StrEnum):
    """What a connection is doing."""

    HEAD = "head"  # a request's head has begun, or the first one is awaited
    BODY = "body"  # the rest of a request's body is awaited
    ANSWERING = "answering"
    IDLE = "idle"  # between two requests
    CLOSING = "closing"  # no request is read any more; what was written is on its way out


class Clocks(Protocol):
    """The seconds that count here; `schema.ServerSettings` has them."""

    @property
    def header_s(self) -> float: ...
    @property
    def idle_s(self) -> float: ...
    @property
    def write_s(self) -> float: ...


def overdue(phase: Phase, age: float, stalled: float | None, clocks: Clocks) -> str:
    """Why the connection is ended now: `write`, `header`, `idle`, `linger`, or empty.

    `age` is how long the phase has lasted, `stalled` how long bytes have waited of which the client took none (None:
    none wait), in seconds. A body's deadline belongs to who reads it.
    """
    if stalled is not None:
        return "write" if stalled >= clocks.write_s else ""
    match phase:
        case Phase.HEAD if age >= clocks.header_s:
            return "header"
        case Phase.IDLE if age >= clocks.idle_s:
            return "idle"
        case Phase.CLOSING if age >= LINGER_S:
            return "linger"
    return ""


def body_deadline(begun: float, received: int, *, grace_s: float, rate: int) -> float:
    """The moment by which a body must be whole: a little time, and more for what has come at the slowest rate allowed.

    So 32 MiB over a slow line are read to their end, and one byte every now and then is not. `rate` is bytes a second.
    """
    return begun + grace_s + received / rate
