"""Where a URL leads: whom to connect to, and the first lines of a request to there."""

from functools import lru_cache
from typing import Final, NamedTuple

import httpx

from core.upstream import failures
from core.upstream.connections import Origin

_PORTS: Final = {"http": 80, "https": 443}


class Place(NamedTuple):
    """`target` is the request line's (RFC 9112, section 3.2.1), `host` the field of that name."""

    origin: Origin
    target: str
    host: str


def place(url: str) -> Place:
    """What is not ASCII is encoded as URLs and names want it. UpstreamFailed (`not_sent`) if it leads nowhere."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as exc:
        raise failures.not_sent(f"the provider's base_url is no URL: {exc}") from None
    if parsed.scheme not in _PORTS or not parsed.raw_host:
        raise failures.not_sent("the provider's base_url is no usable address")
    origin = Origin(parsed.raw_host.decode(), parsed.port or _PORTS[parsed.scheme], parsed.scheme == "https")
    return Place(origin, parsed.raw_path.decode(), parsed.netloc.decode())


#: The same for providers: they are few, times their paths.
known_place = lru_cache(maxsize=256)(place)
