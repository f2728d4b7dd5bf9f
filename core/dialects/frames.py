"""What a stream becomes for the pipeline: bytes for the client, and what they mean."""

from typing import Literal, NamedTuple, Protocol

from core import sse
from core.messages import StreamError, Usage

FrameKind = Literal["opening", "content", "ping", "terminal", "error", "other"]


class Frame(NamedTuple):
    """Bytes in the client's dialect. `error_*` are set on an error frame: Anthropic's type, and a message.

    opening: nothing is lost yet if another provider answers instead · content: something the user sees or a tool gets,
    and nothing else is progress · ping: a sign of life · terminal: the success marker · error: the stream's last
    frame · other: passed on, means nothing.
    """

    kind: FrameKind
    data: bytes
    error_type: str = ""
    error_message: str = ""


class Scan(NamedTuple):
    """What the guard learned of an event that is passed through.

    `steps` are the grammar's event kinds that the event amounts to. `hidden` events are not for this client.
    """

    kind: FrameKind
    steps: tuple[str, ...] = ()
    error: StreamError | None = None
    hidden: bool = False


class StreamScanner(Protocol):
    """Reads a stream of its own dialect without decoding it. One a stream."""

    usage: Usage
    stop_reason: str
    #: The provider's terminal marker has come: the answer is whole.
    complete: bool

    def scan(self, event: sse.Event) -> Scan:
        """What this event is. Unreadable JSON where it must be read is an error in the scan, never an exception."""
        ...

    def last_words(self, error: StreamError, after: bytes) -> bytes:
        """Our own error event at this place of the stream, empty where it is the same at every place. `after` is the
        last event of content that passed, perhaps without having been scanned.
        """
        ...
