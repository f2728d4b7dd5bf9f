"""Which request may get the answer of an earlier one, and which answer is kept for it. Pure.

"The same request" is strict: the same client key, decided target, snapshot, dialect, query, headers that a provider
sees, and the same bytes of body (`stream` and `metadata` are in them). Its answer is kept as the client got it, byte by
byte, so that giving it again invents nothing.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache

import msgspec
from msgspec import Struct

from core.exchange import Exchange, Features, Target
from core.features import fits
from core.messages import Request, Usage

#: Headers of a client that its provider sees, and answers by.
HEADERS = ("anthropic-beta", "anthropic-version")
#: Fields of a body by which the provider itself does or remembers something: its answer is of that moment.
_ELSEWHERE = frozenset({"background", "container", "mcp_servers", "web_search_options"})
#: The form of what is kept outside of this process; another one is not read.
_FORM = b"terraphim-answer/1\n"
_SUM = 32


class Kept(Struct, frozen=True, array_like=True):
    """A whole, successful answer as its client got it, and what it used."""

    body: bytes
    usage: Usage


class Wish(Struct, frozen=True):
    """Whether a kept answer may be given, and whether the answer may be kept."""

    read: bool = True
    write: bool = True


NEITHER = Wish(read=False, write=False)


@lru_cache(maxsize=1024)  # targets are configured, and asked about with each request
def chosen(target: Target, globs: tuple[str, ...]) -> bool:
    """Whether answers of this target are kept; `globs` are `cache.targets`."""
    return fits(str(target), globs)


def wish(headers: Mapping[str, str], request: Request, features: Features) -> Wish:
    """What the client wants (RFC 9111, section 5.2.1), if its request is one whose answer depends on nothing else."""
    if request.fields & _ELSEWHERE or features.server_web_search or features.provider_tools:
        return NEITHER
    said = headers.get("cache-control", "").lower()
    if not said:
        return Wish()
    directives = {part.strip() for part in said.split(",")}
    if "no-store" in directives:
        return NEITHER
    return Wish(read=not directives & {"no-cache", "max-age=0"})


def key_of(exchange: Exchange, target: Target, query: str, headers: Mapping[str, str], body: bytes) -> str:
    """The name of the request's answer: SHA-256 in hex. A part is preceded by its length, so that none poses as two."""
    told = [headers.get(name, "") for name in HEADERS]
    parts = (exchange.client_key, exchange.snapshot, exchange.dialect, *target, query, *told)
    digest = hashlib.sha256()
    for part in (*(text.encode() for text in parts), body):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def worth_keeping(exchange: Exchange) -> bool:
    """Whether the finished answer is what the same request should get again.

    A fallback's answer is not: the decided target may be well again. Nor is a refusal: asking again is how users
    try to get past one.
    """
    decided = exchange.decision.target if exchange.decision else None
    return (
        exchange.answered_by == decided
        and not exchange.simulated
        and not exchange.error
        and exchange.stop_reason != "refusal"
    )


def packed(key: str, kept: Kept) -> bytes:
    """What is stored under `key`, with a sum over both: what lies under another name is nobody's answer."""
    data = msgspec.msgpack.encode(kept)
    return _FORM + _sum(key, data) + data


def unpacked(key: str, stored: object) -> Kept | None:
    """What was stored; None if this is anything else, or damaged."""
    if not isinstance(stored, bytes) or not stored.startswith(_FORM):
        return None
    start = len(_FORM) + _SUM
    data = stored[start:]
    if stored[len(_FORM) : start] != _sum(key, data):
        return None
    try:
        return msgspec.msgpack.decode(data, type=Kept)
    except msgspec.MsgspecError:
        return None


def _sum(key: str, data: bytes) -> bytes:
    return hashlib.sha256(key.encode() + data).digest()
