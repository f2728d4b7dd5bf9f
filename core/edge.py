"""The rules of the door, pure: who may speak to the proxy, and how. A web page must not spend the user's keys."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Final
from urllib.parse import urlsplit

from core.config_file import LOOPBACK_NAMES
from core.errors import Forbidden, Unauthorized, UnsupportedMediaType
from core.schema import ServerKey


def check_host(headers: Mapping[str, str], allowed: frozenset[str]) -> None:
    """`Host` must name us (a rebound DNS name would not), and `Origin`, if a browser sent one, must be ours too."""
    host = _name(headers.get("host", ""))
    if host not in allowed:
        raise Forbidden(f"Host {host!r} is not served here; add it to server.hosts if it is yours")
    origin = headers.get("origin")
    if origin is not None and _origin_name(origin) not in allowed:
        raise Forbidden(f"Origin {origin[:200]!r} may not use this proxy")


def _name(netloc: str) -> str:
    """Host name without port, lower-case; `[::1]:3456` as `::1`."""
    if netloc.startswith("["):
        return netloc[1:].partition("]")[0].lower()
    return netloc.rpartition(":")[0].lower() if netloc.count(":") == 1 else netloc.lower()


def _origin_name(origin: str) -> str:
    try:
        return _name(urlsplit(origin).netloc)
    except ValueError:  # no URL at all
        return ""


def headers_of(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Header names in lower case to values. One that came twice is a list (RFC 9110, section 5.3), so that a second
    Host, key or content type is refused rather than believed.
    """
    texts = b"\0".join(chain.from_iterable(raw)).decode("latin-1").split("\0")  # all at once: fields hold no NUL
    headers = dict(zip(texts[::2], texts[1::2], strict=False))
    return headers if len(texts) == 2 * len(headers) == 2 * len(raw) else _joined(raw)


def _joined(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def allowed_hosts(host: str, more: tuple[str, ...]) -> frozenset[str]:
    """Names that requests may carry: loopback's, the address that is listened on, and the configured ones."""
    return frozenset({*LOOPBACK_NAMES, host.lower(), *(name.lower() for name in more)})


def is_here(peer: str, headers: Mapping[str, str]) -> bool:
    """Whether this machine asks, and for itself: a proxy on it that passes a stranger's request on says so."""
    return peer in _HERE and headers.keys().isdisjoint(_PASSED_ON)


_HERE: Final = frozenset({"127.0.0.1", "::1"})
_PASSED_ON: Final = ("x-forwarded-for", "forwarded")


def check_json(headers: Mapping[str, str]) -> None:
    """A form or a plain-text body is what a foreign page can send without asking, so only JSON is read."""
    declared = headers.get("content-type", "")
    if declared.partition(";")[0].strip().lower() != "application/json":
        raise UnsupportedMediaType(f"content-type must be application/json, not {declared[:100]!r}")
    if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise UnsupportedMediaType("content-encoding: compressed request bodies are not read; send the body as it is")


class ClientKeys:
    """The keys that clients may use. Digests are compared, in constant time, so that any bytes may be sent."""

    def __init__(self, secrets: Mapping[str, str], keys: Iterable[ServerKey]) -> None:
        by_name = {key.name: key for key in keys}
        self._digests = [(_digest(secret.encode()), by_name[name]) for secret, name in secrets.items()]

    def key_of(self, headers: Mapping[str, str]) -> ServerKey | None:
        """The key that the request carries; None if none is needed. Unauthorized otherwise."""
        if not self._digests:
            return None
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        both = (headers.get("x-api-key", ""), bearer.strip() if scheme.lower() == "bearer" else "")
        given = [_digest(key.encode("latin-1", "replace")) for key in both if key]
        if not given:
            raise _refused("no key: send one of the proxy's keys as x-api-key or as Authorization: Bearer")
        # Claude Code may send a provider's key of its user's in one header and ours in the other.
        keys = [key for known, key in self._digests for digest in given if hmac.compare_digest(known, digest)]
        if not keys:
            raise _refused("this key is not one of the proxy's keys")
        return keys[0]


def _refused(message: str) -> Unauthorized:
    refusal = Unauthorized(message)
    refusal.headers["x-should-retry"] = "false"  # or Claude Code asks again for minutes
    return refusal


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()
