"""Whose request it is, as an address. Pure.

Only a proxy that the operator trusts may say for whom it asks: `X-Forwarded-For`, or `Forwarded` (RFC 7239). Each of
them appends who asked it, so the list is read from its end, past those who are trusted, and what stands before the
first stranger is the stranger's own word.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

#: One person usually has a whole network of this size.
_IPV6_PREFIX = 64
_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*("[^"]*"|[^;,\s]+)', re.IGNORECASE)


def parsed(text: str) -> Address | None:
    """An address as `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]` or `[::1]:80`; None for anything else."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def client(peer: str, headers: Mapping[str, str], trusted: Sequence[Network]) -> str:
    """The client's address. Where two headers name different ones, or nobody readable, it is who told so."""
    teller = parsed(peer)
    if not trusted or teller is None or not _any(teller, trusted):
        return peer
    ways = [list(way) for way in (_x_forwarded(headers), _forwarded(headers)) if way is not None]
    found = {_stranger(teller, way, trusted) for way in map(list, ways)}
    return str(found.pop()) if len(found) == 1 else str(teller)


def _x_forwarded(headers: Mapping[str, str]) -> Iterator[str] | None:
    said = headers.get("x-forwarded-for")
    return None if said is None else iter(said.split(","))


def _forwarded(headers: Mapping[str, str]) -> Iterator[str] | None:
    said = headers.get("forwarded")
    return None if said is None else (m[1] if (m := _FOR.search(hop)) else "" for hop in said.split(","))


def _stranger(teller: Address, hops: list[str], trusted: Sequence[Network]) -> Address:
    """The first from the end who is not trusted; who told last if a hop cannot be read."""
    for hop in reversed(hops):
        found = parsed(hop)
        if found is None:
            return teller
        teller = found
        if not _any(found, trusted):
            return found
    return teller


def _any(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def household(address: str) -> str:
    """What an address counts as: an IPv6 address as its /64, one that is none (a Unix socket's) as nothing."""
    found = parsed(address)
    if isinstance(found, IPv6Address):
        return str(ip_network((found, _IPV6_PREFIX), strict=False))
    return str(found or "")
