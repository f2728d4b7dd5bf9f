"""What a dialect is: some functions and three small state machines, all pure.

`decode_*` read what others sent, `encode_*` write what we send. A *client* dialect needs decode_request,
encode_response, stream_encoder and error_body; a *provider* dialect the other four.
"""

from collections.abc import Mapping
from typing import Protocol

from core.dialects.frames import StreamScanner
from core.exchange import Candidate
from core.messages import Request, Response, StreamEvent, Usage


class StreamDecoder(Protocol):
    """Provider's bytes to events. One a stream."""

    #: What the provider has said so far; `MessageDelta` carries the last word.
    usage: Usage
    #: The provider has said that the answer is whole, perhaps before `MessageStop` is given.
    complete: bool

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        """Events that are complete with this chunk; a provider's error becomes a `StreamError`."""
        ...

    def end(self) -> list[StreamEvent]:
        """The transport has ended: a `StreamError` if no terminal marker had come, else nothing."""
        ...


class StreamEncoder(Protocol):
    """Events to the client's bytes. One a stream."""

    def encode(self, event: StreamEvent) -> bytes: ...


class Dialect(Protocol):
    """A wire format."""

    name: str
    #: Content type of its streams.
    stream_type: str

    def decode_request(self, body: bytes) -> Request:
        """BadRequest with the path of what is wrong."""
        ...

    def encode_request(self, request: Request, candidate: Candidate) -> bytes:
        """The provider's body for a request of another dialect."""
        ...

    def splice_request(self, request: Request, candidate: Candidate) -> bytes:
        """The provider's body for a request of this dialect: `request.raw` with only what must change changed."""
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

    def encode_response(self, response: Response) -> bytes: ...

    def stream_decoder(self) -> StreamDecoder: ...

    def stream_encoder(self, request: Request) -> StreamEncoder: ...

    def stream_scanner(self, request: Request) -> StreamScanner:
        """Reads a stream that is passed through to a client of the same dialect."""
        ...

    def decode_error(self, status: int, body: bytes) -> tuple[str, str]:
        """(Anthropic's error type, message) of a provider's error body, however broken it is."""
        ...

    def error_body(
        self, status: int, type: str, message: str, request_id: str, details: Mapping[str, object] | None = None
    ) -> bytes:
        """An error as this dialect's clients read it."""
        ...

    def usage(self, body: bytes) -> Usage:
        """Usage of a whole answer of this dialect that is passed through unread otherwise."""
        ...
