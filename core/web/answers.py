"""Values and errors as HTTP answers. No known secret leaves in one, wherever a client or a file wrote it."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from core.admin_door import is_admin
from core.dialects import CLIENTS
from core.redaction import Redactor


def value(known: Redactor, what: Any, status: int = 200) -> Response:
    """As JSON."""
    return Response(encoded(known, what), status, media_type="application/json")


def encoded(known: Redactor, what: Any) -> bytes:
    """As JSON bytes."""
    return known.cleaned(msgspec.json.encode(what))


def error(
    path: str, headers: Mapping[str, str], status: int, kind: str, message: str, more: Mapping[str, str] | None = None
) -> Response:
    """In the client's shape: Anthropic's for who says that it speaks so, OpenAI's for everybody else."""
    anthropic = "anthropic-version" in headers and not is_admin(path)
    body = CLIENTS["anthropic" if anthropic else "openai"].error_body(status, kind, message, "")
    return Response(body, status, more, media_type="application/json")
