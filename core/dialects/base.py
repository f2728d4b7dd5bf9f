"""What a dialect is: some functions and three small state machines, all pure.

`decode_*` read what others sent, `encode_*` write what we send.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from core.dialects.frames import StreamScanner
from core.exchange import Candidate
from core.messages import Request, Response, StreamEvent, Usage


class StreamDecoder(Protocol):
    """Provider's bytes to events. One a stream."""

    @property
    def usage(self) -> Usage:
        """What the provider has said so far; `MessageDelta` carries the last word."""
        ...

    @property
    def complete(self) -> bool:
        """The provider has said that the answer is whole, perhaps before `MessageStop` is given."""
        ...

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        """Events that are complete with this chunk; a provider's error becomes a `StreamError`."""
        ...

    def end(self) -> list[StreamEvent]:
        """The transport has ended: a `StreamError` if no terminal marker had come, else nothing."""
        ...


class StreamEncoder(Protocol):
    """Events to the client's bytes. One a stream."""

    def encode(self, event: StreamEvent) -> bytes: ...


class Change(Protocol):
    """A change to an answer between its provider and its client. One a stream; a whole answer takes the same way.

    What it is given is legal by the grammar, and what it gives must be.
    """

    def take(self, event: StreamEvent) -> list[StreamEvent]:
        """What takes the event's place: itself, others, or nothing yet. `MessageStop` or a `StreamError` is last."""
        ...


class ProviderDialect(Protocol):
    """A wire format that providers speak."""

    name: str
    #: It takes images themselves and no URLs of images; those are fetched (`core.pictures`).
    inline_images: bool

    def encode_request(self, request: Request, candidate: Candidate) -> bytes:
        """The provider's body for a request of another dialect."""
        ...

    def path(self, request: Request, candidate: Candidate) -> str:
        """Path and query below the provider's base URL, e.g. `/v1/messages`."""
        ...

    def auth_headers(self, key: str, base_url: str) -> dict[str, str]:
        """The provider's credential and the headers that its API cannot do without."""
        ...

    def decode_response(self, body: bytes) -> Response:
        """UpstreamFailed if this is no whole, successful answer."""
        ...

    def stream_decoder(self) -> StreamDecoder: ...

    def decode_error(self, status: int, body: bytes) -> tuple[str, str]:
        """(Anthropic's error type, message) of a provider's error body, however broken it is."""
        ...


class Origin(NamedTuple):
    """Who answers: the provider's dialect and name, and what is changed about its answer, in this order."""

    dialect: ProviderDialect
    name: str
    changes: Sequence[Change] = ()


class ClientDialect(Protocol):
    """A wire format that clients speak."""

    name: str
    #: Content type of its streams.
    stream_type: str

    def decode_request(self, body: bytes) -> Request:
        """BadRequest with the path of what is wrong."""
        ...

    def encode_response(self, response: Response, request: Request) -> bytes:
        """The answer to `request`."""
        ...

    def stream_encoder(self, request: Request) -> StreamEncoder: ...

    def error_body(
        self, status: int, type: str, message: str, request_id: str, details: Mapping[str, object] | None = None
    ) -> bytes:
        """An error as this dialect's clients read it."""
        ...


class Dialect(ClientDialect, ProviderDialect, Protocol):
    """A wire format of both sides: what a provider and its client share is passed on as it is."""

    name: str

    def splice_request(self, request: Request, candidate: Candidate) -> bytes:
        """The provider's body for a request of this dialect: `request.raw` with only what must change changed."""
        ...

    def stream_scanner(self, request: Request) -> StreamScanner:
        """Reads a stream that is passed through to a client of the same dialect."""
        ...
