"""Between a provider's answer and the client: headers by allow-list, errors, and whole answers."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from core.dialects.base import ClientDialect, ProviderDialect
from core.dialects.provider_errors import retry_delay
from core.errors import UpstreamFailed
from core.exchange import ProviderKey
from core.patience import Patience
from core.redaction import REDACTED, SHORTEST
from core.upstream import MAX_ANSWER, Reply

#: The largest error body that is read, in bytes, and how long it may take, in seconds: its status is known already.
MAX_ERROR = 64 * 1024
ERROR_S = 5.0
#: JSON's escapes of visible ASCII (RFC 8259, section 7), in pairs where a backslash itself is escaped.
_ESCAPE = re.compile(rb"\\(?:u00([2-7][0-9a-fA-F])|.)", re.DOTALL)
#: What must stay escaped, or is no visible character.
_NEED_ESCAPES = (b'"', b"\\", b"\x7f")
#: Media types of a page or a whole answer, where a stream was asked for. Servers label streams in many other ways.
_NO_STREAM = ("application/json", "text/html")

_TO_ANTHROPIC = ("anthropic-version", "anthropic-beta")
_BACK = ("retry-after", "retry-after-ms", "request-id", "x-request-id")
_BACK_PREFIXES = ("anthropic-ratelimit-", "x-ratelimit-")


def request_headers(client: Mapping[str, str], dialect: ProviderDialect, *, same: bool) -> dict[str, str]:
    """What of the client's headers goes upstream: never a credential, a cookie or a forwarding header."""
    headers = {"content-type": "application/json", "accept": client.get("accept", "*/*")}
    if same and dialect.name == "anthropic":
        headers |= {name: client[name] for name in _TO_ANTHROPIC if name in client}
    # Clients may send any Latin-1; what goes out is ASCII.
    return {name: value for name, value in headers.items() if value.isascii() and value.isprintable()}


def response_headers(provider: Mapping[str, str], *, same: bool) -> dict[str, str]:
    """What of the provider's headers comes back: request ids, retry-after, and rate limits in the same dialect."""
    return {
        name: value for name, value in provider.items() if name in _BACK or (same and name.startswith(_BACK_PREFIXES))
    }


def is_no_stream(headers: Mapping[str, str]) -> bool:
    """Whether a provider's headers say that this is a page or a whole answer."""
    return headers.get("content-type", "").lower().startswith(_NO_STREAM)


async def failure(reply: Reply, dialect: ProviderDialect, client: ClientDialect) -> UpstreamFailed:
    """A provider's error answer. Its message is kept verbatim: clients act on its text."""
    if not 400 <= reply.status < 600:
        why = "redirects are not followed" if 300 <= reply.status < 400 else "200 or an error was expected"
        return UpstreamFailed(502, f"the provider answered {reply.status}; {why}", stage="answered")
    body = b""
    with suppress(UpstreamFailed, TimeoutError):  # the status counts, even if its body broke off
        async with asyncio.timeout(ERROR_S):
            async for chunk in reply.chunks:
                body += chunk
                if len(body) >= MAX_ERROR:
                    break
    kind, message = dialect.decode_error(reply.status, body[:MAX_ERROR])
    same = dialect.name == client.name and len(body) < MAX_ERROR
    verbatim = body if same and _is_object(body) else b""
    # Some say 400 of a key: whoever goes by the status must know that it is not the request.
    status = 401 if (reply.status, kind) == (400, "authentication_error") else reply.status
    failed = UpstreamFailed(status, message, stage="answered", type=kind, body=verbatim)
    failed.headers = response_headers(reply.headers, same=same)
    if not failed.headers.keys() & {"retry-after", "retry-after-ms"} and (delay := retry_delay(body)):
        failed.headers["retry-after"] = delay
    return failed


async def whole(reply: Reply, patience: Patience) -> bytes:
    """The whole body of an answer that is not streamed. UpstreamFailed if it is cut, late or over `MAX_ANSWER`.

    Content is any byte but the white space that some providers send until the answer is there.
    """
    parts: list[bytes] = []
    size = 0
    while (chunk := await patience.next(reply.chunks)) is not None:
        size += len(chunk)
        if size > MAX_ANSWER:
            raise UpstreamFailed(502, "the provider's answer is too large", stage="cut")
        if not chunk.isspace():
            patience.content()
        parts.append(chunk)
    return b"".join(parts)


async def no_stream(reply: Reply, dialect: ProviderDialect, patience: Patience) -> UpstreamFailed:
    """What it means that a 200 is a page or a whole answer: often it is an error, with a message of its own."""
    try:
        dialect.decode_response(await whole(reply, patience))
    except UpstreamFailed as failed:
        return failed
    return UpstreamFailed(502, "the provider sent a whole answer, but a stream was asked for", stage="answered")


def _is_object(body: bytes) -> bool:
    """Whether clients can read it as an error: whatever its label says, a cut or compressed body is none."""
    try:
        msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def redact(failed: UpstreamFailed, keys: Sequence[ProviderKey]) -> None:
    """Take our keys out of what the provider said: some repeat one in the message that refuses it."""
    failed.message = without_keys(failed.message.encode("utf-8", "replace"), keys).decode()
    failed.body = without_keys(failed.body, keys)
    failed.headers = headers_without_keys(failed.headers, keys)


def headers_without_keys(headers: Mapping[str, str], keys: Sequence[ProviderKey]) -> dict[str, str]:
    """The headers that hold none of the keys; an answer that is no error may repeat one there, too."""
    return {name: value for name, value in headers.items() if not any(key.secret in value for key in keys)}


def without_keys(data: bytes, keys: Sequence[ProviderKey]) -> bytes:
    """`data` without the keys in it, be they written with JSON's escapes."""
    # The longest first: a key may begin with another.
    plain = _ESCAPE.sub(_unescaped, data) if b"\\" in data else data
    for key in sorted(keys, key=lambda key: -len(key.secret)):
        if len(key.secret) >= SHORTEST and (secret := key.secret.encode()) in plain:
            data = plain = plain.replace(secret, REDACTED.encode())
    return data


def _unescaped(escape: re.Match[bytes]) -> bytes:
    """The character that a JSON escape stands for, if it needs none: the text means the same."""
    plain = bytes((int(escape[1], 16),)) if escape[1] else escape[0].replace(b"\\/", b"/")
    return escape[0] if plain in _NEED_ESCAPES else plain
