"""Ollama's own chat API as a provider: its parts under one name."""

from core.dialects import ollama_encode, ollama_response, ollama_stream
from core.dialects.ollama_wire import NewId
from core.dialects.provider_errors import decode_error
from core.exchange import Candidate
from core.messages import Request, Response


class Ollama:
    """`base.ProviderDialect` for `/api/chat`. `new_id` names answers, and calls that came without an id."""

    name = "ollama"
    inline_images = True

    def __init__(self, new_id: NewId) -> None:
        self._new_id = new_id

    def encode_request(self, request: Request, candidate: Candidate) -> bytes:
        return ollama_encode.encode_request(request, candidate)

    def splice_request(self, request: Request, candidate: Candidate) -> bytes:
        """Nobody speaks this dialect to us."""
        raise NotImplementedError

    def path(self, request: Request, candidate: Candidate) -> str:  # noqa: ARG002 (other dialects name the model here)
        return "/api/chat"

    def auth_headers(self, key: str, base_url: str) -> dict[str, str]:  # noqa: ARG002
        """A bearer token, which the hosted service wants; a local server takes anybody."""
        return {"authorization": f"Bearer {key}"} if key else {}

    def decode_response(self, body: bytes) -> Response:
        return ollama_response.decode_response(body, self._new_id)

    def stream_decoder(self) -> ollama_stream.Decoder:
        return ollama_stream.Decoder(self._new_id)

    def decode_error(self, status: int, body: bytes) -> tuple[str, str]:
        return decode_error(status, body)
