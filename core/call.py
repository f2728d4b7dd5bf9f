"""A request on its way, and the answer that the edge sends."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from core.dialects import CLIENTS
from core.dialects.base import Dialect
from core.errors import ProxyError
from core.exchange import Exchange, Features, ProviderKey, SessionState, TargetState
from core.guarding import Visit
from core.messages import Request, StreamError
from core.redaction import NOTHING, Redactor
from core.routing.snapshot import Snapshot


@dataclass
class Answer:
    """What the edge sends: a whole body, or an iterator of pieces; whoever takes it closes both, pieces first."""

    status: int
    headers: dict[str, str]
    body: bytes | AsyncGenerator[bytes, None]
    #: A sign of life in the client's dialect, for a stream that is silent.
    ping: bytes = b""
    #: What must be closed when the answer was sent, or was not: a generator that never began closes nothing.
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)


@dataclass
class Call:
    """One request on its way, with the generation of everything that it began with."""

    exchange: Exchange
    snapshot: Snapshot
    keys: Mapping[str, tuple[ProviderKey, ...]]
    headers: Mapping[str, str]
    query: str
    now_ms: int
    tz_offset_min: int
    #: What its guards keep of it; None if nobody guards it.
    visit: Visit | None = None
    #: Knows every secret: none may travel on as a name.
    redactor: Redactor = NOTHING
    #: Targets that its client may ask, as globs; all if there are none.
    allowed: tuple[str, ...] = ()
    request: Request = field(init=False)
    features: Features = field(init=False)
    session: SessionState = field(init=False)
    #: What the decision knew of targets, if a rule wanted to know.
    states: Mapping[str, TargetState] = field(default_factory=dict)
    #: What it knew of models' tokens: a factor a model.
    factors: Mapping[str, float] = field(default_factory=dict)

    @property
    def client(self) -> Dialect:
        return CLIENTS[self.exchange.dialect]

    def last_words(self, error: ProxyError) -> bytes:
        """The event that tells the client of a stream that it ends here."""
        return self.client.stream_encoder(self.request).encode(StreamError(error.type, error.message))
