from ipaddress import IPv4Address

import pytest

from core.addresses import METADATA, forbidden

METADATA_V4 = sorted(str(address) for address in METADATA if isinstance(address, IPv4Address))
FORBIDDEN_V4 = ["127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "169.254.1.1"]


def embeddings(address: str) -> list[str]:
    """Every IPv6 spelling that carries this IPv4 address."""
    value = int(IPv4Address(address))
    high, low = value >> 16, value & 0xFFFF
    inverted = value ^ 0xFFFFFFFF
    a, b, c, d = value.to_bytes(4, "big")
    return [
        f"::{address}", f"::ffff:{address}", f"::ffff:0:{address}", f"64:ff9b::{address}", f"64:ff9b:1::{address}",
        f"64:ff9b:1:{high:x}:{c:x}:{d:02x}00::", f"64:ff9b:1:{a:x}:{b:x}:{c:02x}{d:02x}::",
        f"64:ff9b:1:0:{a:x}:{b:02x}{c:02x}:{d:02x}00::", f"2002:{high:x}:{low:x}::1",
        f"2001:0:{high:x}:{low:x}::", f"2001:0:4136:e378:8000:63bf:{inverted >> 16:x}:{inverted & 0xFFFF:x}",
        f"2606:4700::5efe:{address}", f"fe80::200:5efe:{address}", f"fe80::5efe:{address}%eth0",
    ]  # fmt: skip


@pytest.mark.parametrize("address", sorted(map(str, METADATA)))
def test_metadata_is_never_allowed(address: str) -> None:
    assert forbidden(address, allow_private=True) == "is a cloud metadata address"


@pytest.mark.parametrize("address", [form for address in METADATA_V4 for form in embeddings(address)])
def test_metadata_is_never_allowed_in_disguise(address: str) -> None:
    assert forbidden(address, allow_private=True) == "is a cloud metadata address"


@pytest.mark.parametrize("address", [form for address in FORBIDDEN_V4 for form in (address, *embeddings(address))])
def test_private_addresses_need_the_operators_word_in_every_disguise(address: str) -> None:
    assert forbidden(address, allow_private=False)


EDGES = [
    # (first, last) of each range that is not public, and what lies beside it
    ("10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"),
    ("100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0"),
    ("127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0"),
    ("169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0"),
    ("172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"),
    ("192.0.0.0", "192.0.0.255", "191.255.255.255", "192.0.1.0"),
    ("192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0"),
    ("192.88.99.0", "192.88.99.255", "192.88.98.255", "192.88.100.0"),
    ("192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0"),
    ("198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0"),
    ("198.51.100.0", "198.51.100.255", "198.51.99.255", "198.51.101.0"),
    ("203.0.113.0", "203.0.113.255", "203.0.112.255", "203.0.114.0"),
    ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2000:ffff::", "2001:200::"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db7:ffff::", "2001:db9::"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3ffe:ffff::", "3fff:1000::"),
]


@pytest.mark.parametrize(("first", "last", "before", "after"), EDGES)
def test_ranges_begin_and_end_where_they_do(first: str, last: str, before: str, after: str) -> None:
    assert all(forbidden(address, allow_private=False) for address in (first, last))
    assert [forbidden(address, allow_private=False) for address in (before, after)] == [None, None]


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "169.254.1.1", "fc00::1", "fd12::1", "fe80::1%eth0",
     "fec0::1", "64:ff9b::7f00:1", "2002:7f00:1::", "::ffff:10.0.0.1"],
)  # fmt: skip
def test_private_addresses_are_allowed_by_the_operator(address: str) -> None:
    assert forbidden(address, allow_private=True) is None
    assert "allow_private" in (forbidden(address, allow_private=False) or "")


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "160.79.104.10", "2606:4700::1111", "2a00:1450::1", "64:ff9b::a04f:680a"]
)
def test_public_addresses_are_allowed(address: str) -> None:
    """64:ff9b:: is how an IPv6-only machine sees an IPv4 one."""
    assert forbidden(address, allow_private=False) is None


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "ff02::1",  # noqa: S104
     "::ffff:0.0.0.0", "64:ff9b::0.0.0.0", "2002:e000:1::", "::2"],
)  # fmt: skip
def test_what_is_no_host_is_never_allowed(address: str) -> None:
    assert forbidden(address, allow_private=True) == "is no unicast address"


@pytest.mark.parametrize("address", ["100::1", "::ffff:1.1.1.1", "5f00::1", "4000::1", "64:ff9b:2::1", "fe00::1"])
def test_what_nobody_has_is_not_public(address: str) -> None:
    assert "allow_private" in (forbidden(address, allow_private=False) or "")


@pytest.mark.parametrize("text", ["localhost", "", "127.1", "0x7f.0.0.1", "2130706433", "127.0.0.1 ", "[::1]", "١.1.1"])
def test_what_is_no_numeric_address_is_none(text: str) -> None:
    assert forbidden(text, allow_private=True) == "is not an IP address"
