"""The OpenAI Chat Completions dialect: its parts under one name."""

from collections.abc import Callable, Mapping

from core.dialects import openai_encode, openai_request, openai_response, openai_scan, openai_splice, openai_stream
from core.dialects.frames import StreamScanner
from core.dialects.openai_wire import NewId
from core.dialects.provider_errors import decode_error
from core.exchange import Candidate
from core.messages import Request, Response


class OpenAIChat:
    """`core.dialects.base.Dialect` for Chat Completions.

    `now` (Unix seconds) dates what we write; `new_id` names answers and calls that came without an id.
    """

    name = "openai"
    inline_images = False
    stream_type = "text/event-stream; charset=utf-8"

    def __init__(self, now: Callable[[], float], new_id: NewId) -> None:
        self._now = now
        self._new_id = new_id

    def decode_request(self, body: bytes) -> Request:
        return openai_request.decode_request(body)

    def encode_request(self, request: Request, candidate: Candidate) -> bytes:
        return openai_encode.encode_request(request, candidate)

    def splice_request(self, request: Request, candidate: Candidate) -> bytes:
        return openai_splice.splice_request(request, candidate)

    def path(self, request: Request, candidate: Candidate) -> str:  # noqa: ARG002 (other dialects name the model here)
        return "/chat/completions"

    def auth_headers(self, key: str, base_url: str) -> dict[str, str]:  # noqa: ARG002
        return {"authorization": f"Bearer {key}"} if key else {}

    def decode_response(self, body: bytes) -> Response:
        return openai_response.decode_response(body, self._new_id)

    def encode_response(self, response: Response, request: Request) -> bytes:  # noqa: ARG002
        return openai_response.encode_response(response, int(self._now()))

    def stream_decoder(self) -> openai_stream.Decoder:
        return openai_stream.Decoder(self._new_id)

    def stream_encoder(self, request: Request) -> openai_stream.Encoder:
        return openai_stream.Encoder(self._now, include_usage=request.include_usage)

    def stream_scanner(self, request: Request) -> StreamScanner:
        return openai_scan.Scanner(include_usage=request.include_usage)

    def decode_error(self, status: int, body: bytes) -> tuple[str, str]:
        return decode_error(status, body)

    def error_body(
        self,
        status: int,  # noqa: ARG002
        type: str,
        message: str,
        request_id: str,  # noqa: ARG002
        details: Mapping[str, object] | None = None,
    ) -> bytes:
        return openai_response.error_body(type, message, details)
