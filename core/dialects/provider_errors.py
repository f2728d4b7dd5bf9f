"""What a provider's error body says, however broken it is: HTML, nothing, JSON within JSON, OpenRouter's metadata.

The message is kept verbatim, because clients act on its words ("prompt is too long: N tokens > M maximum"), up to
`MAX_MESSAGE` characters.
"""

import html
import re
from math import ceil

import msgspec
from msgspec import Raw, Struct

from core.errors import STATUS_OF_TYPE, type_of_status

#: Most characters of a message that are passed on.
MAX_MESSAGE = 2000
#: How many times JSON text inside a message is opened.
_MAX_NESTING = 3

_TITLE = re.compile(r"<title[^>]*>([^<]{1,300})", re.IGNORECASE)
_TAGS = re.compile(r"<(?:script|style)\b.{0,20000}?</(?:script|style)>|<[^<>]{0,2000}>", re.IGNORECASE | re.DOTALL)
_RETRY_DELAY = re.compile(rb'"retryDelay"\s*:\s*"(\d{1,6}(?:\.\d{1,9})?)s"')
_SPACE = re.compile(r"\s+")


class _Metadata(Struct):
    raw: str | Raw | None = None
    provider_name: str | None = None


class _Error(Struct):
    message: str | None = None
    type: str | None = None
    metadata: _Metadata | None = None


class _Body(Struct):
    error: _Error | str | None = None
    message: str | None = None
    detail: str | None = None
    type: str | None = None


def decode_error(status: int, body: bytes) -> tuple[str, str]:
    """(Anthropic's error type, message). The type is the provider's if it is one of Anthropic's, else the status's."""
    type, message = _read(body, _MAX_NESTING)
    if type not in STATUS_OF_TYPE:
        type = type_of_status(status)
    message = message or f"the provider answered {status} without a message"
    return type, message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…"


def retry_delay(body: bytes) -> str:
    """Whole seconds to wait, as Google says them within the error (google.rpc.RetryInfo); empty if it says none."""
    found = _RETRY_DELAY.search(body)
    return str(ceil(float(found[1]))) if found else ""


def _read(body: bytes, nesting: int) -> tuple[str, str]:
    """(type or "", message or "")."""
    try:
        wire = msgspec.json.decode(body, type=_Body | list[_Body] | str)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "", _plain(body)
    if isinstance(wire, list):  # Gemini's streaming endpoints answer a list
        wire = wire[0] if wire else _Body()
    if isinstance(wire, str):
        return "", wire
    error = wire.error
    if isinstance(error, _Error):
        return _deeper(error, nesting)
    return wire.type or "", error or wire.message or wire.detail or _plain(body)


def _deeper(error: _Error, nesting: int) -> tuple[str, str]:
    """The innermost message: OpenRouter says "Provider returned error" and puts the reason into metadata."""
    message = error.message or ""
    if error.metadata and error.metadata.raw and nesting:
        raw = error.metadata.raw
        _, inner = _read(raw.encode() if isinstance(raw, str) else bytes(raw), nesting - 1)
        who = f" ({error.metadata.provider_name})" if error.metadata.provider_name else ""
        return error.type or "", f"{message}{who}: {inner}" if inner else message
    if message.startswith("{") and nesting:
        type, inner = _read(message.encode(), nesting - 1)
        return type or error.type or "", inner or message
    return error.type or "", message


def _plain(body: bytes) -> str:
    """Text of a body that is no JSON we know: an HTML page's title or words, else the text as it is."""
    text = body[: 64 * 1024].decode("utf-8", "replace").strip()
    if not text.startswith("<"):
        return text
    title = _TITLE.search(text)
    return _SPACE.sub(" ", html.unescape(title[1] if title else _TAGS.sub(" ", text))).strip()
