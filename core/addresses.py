"""Which addresses may be connected to. Pure: judges a resolved socket address, never a spelling of a host name."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

#: Cloud metadata services: never, whatever the configuration says.
METADATA = frozenset(
    (
        *map(IPv4Address, ("169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200")),
        *map(IPv6Address, ("fd00:ec2::254", "fd20:ce::254")),
    )
)
#: IPv6 prefixes that carry an IPv4 address: the prefix and the bit at which the address begins from the right.
_EMBEDDED = (
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64, RFC 6052
    (IPv6Network("64:ff9b:1::/48"), 0),  # local NAT64, RFC 8215
    (IPv6Network("2002::/16"), 80),  # 6to4, RFC 3056
    (IPv6Network("::/96"), 0),  # IPv4-compatible, RFC 4291
    (IPv6Network("::ffff:0:0/96"), 0),  # IPv4-mapped, RFC 4291
    (IPv6Network("::ffff:0:0:0/96"), 0),  # IPv4-translated, RFC 2765
)


def forbidden(address: str, *, allow_private: bool) -> str | None:
    """Why this address must not be connected to, or None. `address` is numeric, as the resolver gave it."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return "is not an IP address"
    forms: list[IPv4Address | IPv6Address] = [ip, *(_embedded(ip) if isinstance(ip, IPv6Address) else ())]
    if any(form in METADATA for form in forms):
        return "is a cloud metadata address"
    for form in forms:
        if form.is_multicast or form.is_unspecified or (isinstance(form, IPv4Address) and form.is_reserved):
            return "is no unicast address"
    if not allow_private and not all(_public(form) for form in forms):
        return "is a loopback or private address, and this provider has no allow_private = true"
    return None


def _public(ip: IPv4Address | IPv6Address) -> bool:
    return ip.is_global and not ip.is_multicast


def _embedded(ip: IPv6Address) -> list[IPv4Address]:
    """IPv4 addresses inside an IPv6 one, so that 64:ff9b::a9fe:a9fe is judged as 169.254.169.254."""
    if ip in (IPv6Address("::1"), IPv6Address("::")):
        return []
    return [IPv4Address((int(ip) >> shift) & 0xFFFFFFFF) for network, shift in _EMBEDDED if ip in network]
