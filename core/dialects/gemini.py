"""The Gemini dialect, as providers speak it: its parts under one name."""

from urllib.parse import quote

from core.dialects import gemini_answer, gemini_encode, gemini_stream
from core.dialects.gemini_wire import NewId
from core.dialects.provider_errors import decode_error
from core.exchange import Candidate
from core.messages import Request, Response

#: The reason in the details of the error (google.rpc.ErrorInfo).
_BAD_KEY = b'"API_KEY_INVALID"'


class Gemini:
    """`core.dialects.base.ProviderDialect` for `generateContent` and `streamGenerateContent`.

    `new_id` names answers and calls that came without an id. The base URL holds the version: `https://…/v1beta`.
    """

    name = "gemini"
    inline_images = True

    def __init__(self, new_id: NewId) -> None:
        self._new_id = new_id

    def encode_request(self, request: Request, candidate: Candidate) -> bytes:
        return gemini_encode.encode_request(request, candidate)

    def path(self, request: Request, candidate: Candidate) -> str:
        model = quote(candidate.target.model.removeprefix("models/"), safe="")
        return f"/models/{model}:" + ("streamGenerateContent?alt=sse" if request.stream else "generateContent")

    def auth_headers(self, key: str, base_url: str) -> dict[str, str]:  # noqa: ARG002
        return {"x-goog-api-key": key} if key else {}

    def decode_response(self, body: bytes) -> Response:
        return gemini_answer.decode_response(body, self._new_id)

    def stream_decoder(self) -> gemini_stream.Decoder:
        return gemini_stream.Decoder(self._new_id)

    def decode_error(self, status: int, body: bytes) -> tuple[str, str]:
        """A key that is not valid is a 400 here."""
        type, message = decode_error(status, body)
        return ("authentication_error" if _BAD_KEY in body else type), message
