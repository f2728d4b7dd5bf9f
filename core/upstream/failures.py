"""What an error on the way out means: how far the request got, and what a client may read of it.

Where the error was raised says how far. aiohttp raises `ClientConnectorError` and `ConnectionTimeoutError` while it
connects and nowhere else; only these may be called not sent. A connection that was closed when it was used again may
have carried the request to its end, and a proxy must not send a POST twice (RFC 9110, section 9.2.2).
"""

import ssl
from collections.abc import Iterator

import aiohttp
import httpx
from aiohttp.http_exceptions import HttpProcessingError

from core.errors import UpstreamFailed
from core.upstream.resolver import ForbiddenAddressError

#: OpenSSL's verification errors (x509_vfy.h) in words; any other is told as "not valid".
_CERTIFICATE = {
    9: "is not valid yet",
    10: "has expired",
    18: "is signed by itself",
    19: "is signed by an unknown authority",
    20: "is signed by an unknown authority",
    21: "is signed by an unknown authority",
    62: "is for another name",
    64: "is for another address",
}
#: Errors of connecting. Their order matters: the special ones first.
_NOT_SENT: tuple[tuple[type[BaseException], int, str], ...] = (
    (aiohttp.ClientConnectorDNSError, 502, "the provider's name cannot be resolved"),
    (aiohttp.ClientConnectorCertificateError, 502, "the provider's certificate is not valid"),
    (aiohttp.ClientConnectorSSLError, 502, "no TLS connection to the provider can be made; does it speak https?"),
    (aiohttp.ClientConnectorError, 502, "the provider cannot be reached"),
    (aiohttp.ConnectionTimeoutError, 504, "the provider could not be reached in time"),
    (aiohttp.InvalidURL, 502, "the provider's base_url is no usable address"),
)


def classify(exc: BaseException, *, answered: bool = False) -> UpstreamFailed:
    """The failure that a transport's error is. `answered`: a status had come, so only the body can have failed."""
    causes = list(_causes(exc))
    late = any(isinstance(cause, TimeoutError | httpx.TimeoutException) for cause in causes)
    if answered:
        if late and not any(isinstance(cause, aiohttp.ServerDisconnectedError) for cause in causes):
            return UpstreamFailed(504, "the provider fell silent in the middle of its answer", stage="stalled")
        return UpstreamFailed(502, "the provider's answer broke off", stage="cut")
    return _before_sending(causes) or _after_sending(causes)


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """An error and what it came from."""
    seen: set[int] = set()
    cause: BaseException | None = exc
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__ or getattr(cause, "os_error", None)


def _before_sending(causes: list[BaseException]) -> UpstreamFailed | None:
    for cause in causes:
        if isinstance(cause, ForbiddenAddressError):
            return UpstreamFailed(502, f"the provider's address is refused: {cause}", stage="not_sent", lasting=True)
        # aiohttp's own error is of this kind too, and has no code: it comes first and brings the real one.
        if isinstance(cause, ssl.SSLCertVerificationError) and hasattr(cause, "verify_code"):
            why = _CERTIFICATE.get(cause.verify_code, "is not valid")
            return UpstreamFailed(502, f"the provider's certificate {why}", stage="not_sent", lasting=True)
    for kind, status, message in _NOT_SENT:
        if any(isinstance(cause, kind) for cause in causes):
            return UpstreamFailed(status, message, stage="not_sent")
    return None


def _after_sending(causes: list[BaseException]) -> UpstreamFailed:
    for cause in causes:
        if isinstance(cause, HttpProcessingError):
            return UpstreamFailed(502, "the provider's answer is not HTTP that can be read", stage="cut")
        if isinstance(cause, aiohttp.ServerDisconnectedError) and not isinstance(cause.message, str):
            return UpstreamFailed(502, "the provider's answer broke off in its headers", stage="cut")
        if isinstance(cause, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError):
            return UpstreamFailed(502, "the provider closed the connection without an answer", stage="unknown")
    if any(isinstance(cause, TimeoutError | httpx.TimeoutException) for cause in causes):
        return UpstreamFailed(504, "the provider did not answer in time", stage="unknown")
    return UpstreamFailed(502, "the request to the provider failed", stage="unknown")
