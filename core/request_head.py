"""A request's head, judged more strictly than the parser does: what two servers could read differently is refused.

The parser (llhttp) has refused what breaks the grammar of lines, names and lengths. What is left is what a head means:
to whom it speaks, and where its body ends. A proxy in front of this one may have believed something else.
"""

import re
from collections.abc import Iterable
from urllib.parse import unquote

#: RFC 9110, section 7.2: a name or an address, and a port that may be empty; no user, no path, no list.
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(:[0-9]{0,5})?")
#: RFC 9112, section 3.2.1, and 3.2.2 without a user.
_PATH = re.compile(rb"/(?!/)[^#\x00-\x20\x7f-\xff]*")
_ABSOLUTE = re.compile(rb"https?://([^/?#@\x00-\x20\x7f-\xff]+)(/[^#\x00-\x20\x7f-\xff]*)?", re.IGNORECASE)
#: Fields that frame, route or authorise: RFC 9110, section 6.5.1 forbids them behind a body.
_NO_TRAILERS = frozenset(
    b"authorization connection content-encoding content-length content-type cookie expect host keep-alive origin"
    b" proxy-authorization te trailer transfer-encoding upgrade x-api-key".split()
)

#: Nothing is wrong.
SOUND = (0, "")

Headers = Iterable[tuple[bytes, bytes]]


def fault(version: str, method: bytes, target: bytes, headers: Headers) -> tuple[int, str]:
    """Status and message of what is wrong, or SOUND. Names are lower-case, values without blanks around."""
    if version not in {"1.1", "1.0"}:
        return 400, f"HTTP/{version} is not spoken here; send HTTP/1.1"
    hosts, codings, expectations = [], [], []
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"transfer-encoding":
            codings.append(value)
        elif name == b"expect":
            expectations.append(value)
    if codings and (version == "1.0" or [coding.lower() for coding in codings] != [b"chunked"]):
        return 400, "transfer-encoding: only chunked is read, once, in HTTP/1.1 (RFC 9112, section 6.1)"
    if expectations and [what.lower() for what in expectations] != [b"100-continue"]:
        return 417, "expect: only 100-continue is known (RFC 9110, section 10.1.1)"
    said = _host_fault(version, hosts) or _target_fault(method, target, hosts)
    return (400, said) if said else SOUND


def _host_fault(version: str, hosts: list[bytes]) -> str:
    if len(hosts) != 1 and not (version == "1.0" and not hosts):
        return f"a request has one Host header, not {len(hosts)} (RFC 9112, section 3.2)"
    if hosts and not _HOST.fullmatch(hosts[0]):
        return "Host is a name or an address, with a port or without (RFC 9110, section 7.2)"
    return ""


def _target_fault(method: bytes, target: bytes, hosts: list[bytes]) -> str:
    if _PATH.fullmatch(target) or (target == b"*" and method == b"OPTIONS"):
        return ""
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        return "the target is a path that begins with one slash (RFC 9112, section 3.2.1)"
    if [absolute[1].lower()] != [host.lower() for host in hosts]:
        return "the target and the Host header name different servers (RFC 9112, section 3.2.2)"
    return ""


def parts(target: bytes) -> tuple[str, bytes, bytes]:
    """Path, the path as it was sent, and query of a sound target."""
    if not target.startswith(b"/") and (absolute := _ABSOLUTE.fullmatch(target)):
        target = absolute[2] or b"/"
    raw, _, query = target.partition(b"?")
    path = raw.decode("ascii")
    return unquote(path) if "%" in path else path, raw, query


def forbidden_trailer(name: bytes) -> bool:
    """Whether this field may not stand behind a body."""
    return name.lower() in _NO_TRAILERS


def framing(headers: Headers) -> bytes:
    """A head with nothing but where the body of this sound one ends; empty if there is no body."""
    for name, value in headers:
        if name == b"transfer-encoding" or (name == b"content-length" and int(value)):
            return b"POST / HTTP/1.1\r\nhost: -\r\n" + name + b": " + value + b"\r\n\r\n"
    return b""
