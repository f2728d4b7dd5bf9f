"""The OpenAI Responses dialect: its parts under one name."""

from collections.abc import Callable, Mapping

from core.dialects import (
    openai_response,
    responses_answer,
    responses_decoder,
    responses_encode,
    responses_encoder,
    responses_request,
    responses_scan,
    responses_splice,
)
from core.dialects.frames import StreamScanner
from core.dialects.openai_wire import NewId
from core.dialects.provider_errors import decode_error
from core.exchange import Candidate
from core.messages import Request, Response


class OpenAIResponses:
    """`core.dialects.base.Dialect` for Responses.

    `now` (Unix seconds) dates what we write; `new_id` names answers, items and calls that came without an id.
    """

    name = "openai-responses"
    inline_images = False
    stream_type = "text/event-stream; charset=utf-8"

    def __init__(self, now: Callable[[], float], new_id: NewId) -> None:
        self._now = now
        self._new_id = new_id

    def decode_request(self, body: bytes) -> Request:
        return responses_request.decode_request(body)

    def encode_request(self, request: Request, candidate: Candidate) -> bytes:
        return responses_encode.encode_request(request, candidate)

    def splice_request(self, request: Request, candidate: Candidate) -> bytes:
        return responses_splice.splice_request(request, candidate)

    def path(self, request: Request, candidate: Candidate) -> str:  # noqa: ARG002 (other dialects name the model here)
        return "/responses"

    def auth_headers(self, key: str, base_url: str) -> dict[str, str]:  # noqa: ARG002
        return {"authorization": f"Bearer {key}"} if key else {}

    def decode_response(self, body: bytes) -> Response:
        return responses_answer.decode_response(body, self._new_id)

    def encode_response(self, response: Response, request: Request) -> bytes:
        return responses_answer.encode_response(response, request, int(self._now()), self._new_id)

    def stream_decoder(self) -> responses_decoder.Decoder:
        return responses_decoder.Decoder(self._new_id)

    def stream_encoder(self, request: Request) -> responses_encoder.Encoder:
        return responses_encoder.Encoder(request, self._now, self._new_id)

    def stream_scanner(self, request: Request) -> StreamScanner:  # noqa: ARG002
        return responses_scan.Scanner()

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
