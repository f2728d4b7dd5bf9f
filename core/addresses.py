"""Which addresses may be connected to. Pure: judges a resolved socket address, never a spelling of a host name.

The tables are IANA's special-purpose registries (RFC 6890) as far as nobody serves an API there; Python's own
`is_global` differs between its versions, and lets addresses through that carry a forbidden one.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_Networks = tuple[IPv4Network | IPv6Network, ...]

#: Cloud metadata and credential services: never, whatever the configuration says.
METADATA = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",  # AWS, Google, Azure, Oracle, DigitalOcean, OpenStack, Hetzner, IBM
            "169.254.170.2",  # AWS: credentials of ECS tasks
            "169.254.170.23",  # AWS: credentials of EKS pods
            "168.63.129.16",  # Azure: the host's agent
            "100.100.100.200",  # Alibaba
            "192.0.0.192",  # Oracle, the older one
            "169.254.0.23",  # Tencent
            "169.254.42.42",  # Scaleway
            "fd00:ec2::254",  # AWS
            "fd00:ec2::23",  # AWS: credentials of EKS pods
            "fd20:ce::254",  # Google
            "fd00:42::42",  # Scaleway
            "fe80::a9fe:a9fe",  # OpenStack
        ),
    )
)
#: Nobody's address: this network, multicast, reserved, broadcast; Linux takes 0.0.0.0 for loopback.
_NO_HOST: _Networks = (
    *map(IPv4Network, ("0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4")),
    *map(IPv6Network, ("::/128", "ff00::/8")),
)
#: Not on the public internet: loopback, private, shared, link-local, protocols, documentation, benchmarks.
_NOT_PUBLIC: _Networks = (
    *map(
        IPv4Network,
        (
            "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
            "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        ),
    ),
    # Protocols with Teredo, documentation, 6to4, documentation.
    *map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")),
)  # fmt: skip
#: All other IPv6 addresses are local ones; NAT64's well-known prefix is as public as what it carries.
_PUBLIC_IPV6: _Networks = (IPv6Network("2000::/3"), IPv6Network("64:ff9b::/96"))
#: Prefixes whose last 32 bits are an IPv4 address.
_LAST_32: _Networks = tuple(
    map(
        IPv6Network,
        (
            "::/96",  # IPv4-compatible, RFC 4291
            "::ffff:0:0/96",  # IPv4-mapped, RFC 4291
            "::ffff:0:0:0/96",  # IPv4-translated, RFC 2765
            "64:ff9b::/96",  # NAT64, RFC 6052
        ),
    )
)
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")  # RFC 8215
_SIX_TO_FOUR = IPv6Network("2002::/16")  # RFC 3056
_TEREDO = IPv6Network("2001::/32")  # RFC 4380
_ISATAP = (0x00005EFE, 0x02005EFE)  # RFC 5214, section 6.1
_32_BITS = 0xFFFFFFFF


def forbidden(address: str, *, allow_private: bool) -> str | None:
    """Why this address must not be connected to, or None. `address` is numeric, as the resolver gave it."""
    try:
        ip = ip_address(address.partition("%")[0])  # a zone does not change what fe80::1 is
    except ValueError:
        return "is not an IP address"
    forms = [ip, *(_embedded(ip) if isinstance(ip, IPv6Address) else ())]
    if any(form in METADATA for form in forms):
        return "is a cloud metadata address"
    if any(_within(form, _NO_HOST) for form in forms):
        return "is no unicast address"
    if not allow_private and not all(map(_public, forms)):
        return "is a loopback or private address, and this provider has no allow_private = true"
    return None


def _public(ip: IPv4Address | IPv6Address) -> bool:
    outside = isinstance(ip, IPv6Address) and not _within(ip, _PUBLIC_IPV6)
    return not outside and not _within(ip, _NOT_PUBLIC)


def _within(ip: IPv4Address | IPv6Address, networks: _Networks) -> bool:
    return any(ip in network for network in networks)


def _embedded(ip: IPv6Address) -> Iterator[IPv4Address]:
    """IPv4 addresses inside an IPv6 one, so that 64:ff9b::a9fe:a9fe is judged as 169.254.169.254."""
    value = int(ip)
    if value <= 1:  # :: and ::1 are themselves
        return
    last = value & _32_BITS
    if _within(ip, _LAST_32) or value >> 32 & _32_BITS in _ISATAP:
        yield IPv4Address(last)
    if ip in _SIX_TO_FOUR:
        yield IPv4Address(value >> 80 & _32_BITS)
    if ip in _TEREDO:  # the server's address, and the client's, inverted
        yield IPv4Address(value >> 64 & _32_BITS)
        yield IPv4Address(last ^ _32_BITS)
    if ip in _LOCAL_NAT64:
        yield IPv4Address(last)
        for prefix in (48, 56, 64):
            yield IPv4Address(_after_prefix(value, prefix))


def _after_prefix(value: int, prefix: int) -> int:
    """The IPv4 address behind a NAT64 prefix of that many bits; bits 64 to 71 are skipped (RFC 6052, section 2.2)."""
    octets = value.to_bytes(16, "big")
    return int.from_bytes((octets[:8] + octets[9:])[prefix // 8 :][:4], "big")
