"""The Anthropic Messages dialect: its parts under one name."""

from collections.abc import Mapping

from core.dialects import (
    anthropic_encode,
    anthropic_request,
    anthropic_response,
    anthropic_scan,
    anthropic_splice,
    anthropic_stream,
)
from core.dialects.frames import StreamScanner
from core.dialects.provider_errors import decode_error
from core.exchange import Candidate
from core.messages import Request, Response

API_VERSION = "2023-06-01"
#: How tokens of a claude.ai account begin: Anthropic takes these as bearer tokens only.
_ACCOUNT_TOKEN = "sk-ant-oat"  # noqa: S105 (a prefix, no secret)


class Anthropic:
    """`core.dialects.base.Dialect` for Anthropic Messages."""

    name = "anthropic"
    inline_images = False
    stream_type = "text/event-stream; charset=utf-8"

    def decode_request(self, body: bytes) -> Request:
        return anthropic_request.decode_request(body)

    def encode_request(self, request: Request, candidate: Candidate) -> bytes:
        return anthropic_encode.encode_request(request, candidate)

    def splice_request(self, request: Request, candidate: Candidate) -> bytes:
        return anthropic_splice.splice_request(request, candidate)

    def path(self, request: Request, candidate: Candidate) -> str:  # noqa: ARG002 (other dialects name the model here)
        return "/v1/messages"

    def auth_headers(self, key: str, base_url: str) -> dict[str, str]:
        """`x-api-key` at Anthropic; a bearer token for account tokens, and beside it for servers that copy the API."""
        headers = {"anthropic-version": API_VERSION}
        account = key.startswith(_ACCOUNT_TOKEN)
        if key and not account:
            headers["x-api-key"] = key
        if key and (account or "api.anthropic.com" not in base_url):
            headers["authorization"] = f"Bearer {key}"
        return headers

    def decode_response(self, body: bytes) -> Response:
        return anthropic_response.decode_response(body)

    def encode_response(self, response: Response, request: Request) -> bytes:  # noqa: ARG002
        return anthropic_response.encode_response(response)

    def stream_decoder(self) -> anthropic_stream.Decoder:
        return anthropic_stream.Decoder()

    def stream_encoder(self, request: Request) -> anthropic_stream.Encoder:  # noqa: ARG002
        return anthropic_stream.Encoder()

    def stream_scanner(self, request: Request) -> StreamScanner:  # noqa: ARG002
        return anthropic_scan.Scanner()

    def decode_error(self, status: int, body: bytes) -> tuple[str, str]:
        return decode_error(status, body)

    def error_body(
        self,
        status: int,  # noqa: ARG002
        type: str,
        message: str,
        request_id: str,
        details: Mapping[str, object] | None = None,
    ) -> bytes:
        return anthropic_response.error_body(type, message, request_id, details)
