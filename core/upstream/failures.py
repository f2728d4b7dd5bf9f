"""What a failure on the way out means: how far the request got, and what a client may read of it.

Where it happens says how far. Only failures of look-up, connection and TLS are `not_sent`: of a connection that was
closed when it was used again nobody knows whether it carried the request to its end, and a proxy must not send a POST
twice (RFC 9110, section 9.2.2).
"""

import socket
import ssl

from core.errors import UpstreamFailed
from core.upstream.reading import Reader
from core.upstream.resolver import ForbiddenAddressError

#: What connecting may raise. Anything else is a mistake of ours, and no provider's failure. (uvloop raises RuntimeError
#: for some sockets; names that IDNA cannot encode are ValueErrors.)
CONNECTING = (OSError, ValueError, RuntimeError)

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


def classify(exc: BaseException) -> UpstreamFailed:
    """The failure that an error of connecting is."""
    if isinstance(exc, ForbiddenAddressError):
        return not_sent(f"the provider's address is refused: {exc}", lasting=True)
    if isinstance(exc, ssl.SSLCertVerificationError):
        why = _CERTIFICATE.get(getattr(exc, "verify_code", 0), "is not valid")
        return not_sent(f"the provider's certificate {why}", lasting=True)
    if isinstance(exc, ssl.SSLError):
        return not_sent("no TLS connection to the provider can be made; does it speak https?")
    if isinstance(exc, socket.gaierror):
        return not_sent("the provider's name cannot be resolved")
    if isinstance(exc, ValueError):
        return not_sent("the provider's base_url is no usable address")
    return not_sent("the provider cannot be reached")


def not_sent(message: str, *, lasting: bool = False) -> UpstreamFailed:
    """Nothing of the request was sent. `lasting`: it does not pass by itself."""
    return UpstreamFailed(502, message, stage="not_sent", lasting=lasting)


def no_connection() -> UpstreamFailed:
    """The clock ran out while a connection was waited for."""
    return UpstreamFailed(504, "the provider could not be reached in time", stage="not_sent")


def no_answer() -> UpstreamFailed:
    """The clock ran out before the head of an answer was whole."""
    return UpstreamFailed(504, "the provider did not answer in time", stage="unknown")


def silent() -> UpstreamFailed:
    """Nothing more came."""
    return UpstreamFailed(504, "the provider fell silent in the middle of its answer", stage="stalled")


def too_long() -> UpstreamFailed:
    """The answer is not whole by its deadline."""
    return UpstreamFailed(504, "the provider's answer takes longer than upstream.total_s", stage="stalled")


def broken_off(answer: Reader, *, reset: bool) -> UpstreamFailed:
    """The connection ended, or was reset, before the answer was whole."""
    if answer.status:
        return UpstreamFailed(502, "the provider's answer broke off", stage="cut")
    if answer.begun and not reset:
        return UpstreamFailed(502, "the provider's answer broke off in its headers", stage="cut")
    return UpstreamFailed(502, "the provider closed the connection without an answer", stage="unknown")


def no_http(answer: Reader) -> UpstreamFailed:
    """What came is not HTTP, or has no end."""
    if answer.status:
        return broken_off(answer, reset=True)
    return UpstreamFailed(502, "the provider's answer is not HTTP that can be read", stage="cut")
