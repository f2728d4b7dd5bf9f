"""Addresses that must not be reached, and every way in which somebody may write one down."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from msgspec import Struct

from core.addresses import METADATA

#: One of each range that is not public, its edges where they matter, and what metadata services use.
FORBIDDEN_V4: Final = (
    *sorted(str(address) for address in METADATA if isinstance(address, IPv4Address)),
    "127.0.0.1", "127.255.255.254", "10.0.0.1", "10.255.255.254", "172.16.0.1", "172.31.255.254", "192.168.0.1",
    "100.64.0.1", "100.127.255.254", "169.254.1.1", "192.0.0.1", "198.18.0.1", "198.51.100.7", "0.0.0.0", "0.1.2.3",  # noqa: S104
    "240.0.0.1", "224.0.0.1", "255.255.255.255",
)  # fmt: skip
FORBIDDEN_V6: Final = (
    *sorted(str(address) for address in METADATA if isinstance(address, IPv6Address)),
    "::1", "::", "fc00::1", "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1", "100::1", "2001:db8::1", "5f00::1",
)  # fmt: skip
#: Addresses that a provider may have: the controls.
PUBLIC: Final = ("1.1.1.1", "8.8.4.4", "160.79.104.10", "2606:4700::1111", "2a00:1450:4001::1", "64:ff9b::808:808")


class Spelling(Struct, frozen=True):
    """`host` as it stands in a URL, of an address that it means; `numeric` if a name server can answer with it."""

    address: str
    host: str
    numeric: bool = False

    @property
    def v6(self) -> bool:
        return self.host.startswith("[")


def spellings() -> list[Spelling]:
    """All of them, without repeats."""
    found = {spelling.host: spelling for spelling in _all()}
    return list(found.values())


def _all() -> Iterator[Spelling]:
    for address in FORBIDDEN_V4:
        yield Spelling(address, address, numeric=True)
        yield from (Spelling(address, host) for host in _legacy(address))
        yield from (Spelling(address, host) for host in _in_other_letters(address))
        for carrier in _carriers(address):
            yield Spelling(address, f"[{carrier}]", numeric=True)
    for address in FORBIDDEN_V6:
        yield Spelling(address, f"[{address}]", numeric=True)
        yield Spelling(address, f"[{IPv6Address(address).exploded}]")
        yield Spelling(address, f"[{address.upper()}]")
        yield from (Spelling(address, f"[{address}%{zone}]") for zone in ("lo", "25lo", "1"))


def _legacy(address: str) -> Iterator[str]:
    """What inet_aton reads: fewer parts, octal, hexadecimal."""
    a, b, c, d = IPv4Address(address).packed
    whole = int(IPv4Address(address))
    yield f"{address}."
    yield str(whole)
    yield f"0x{whole:x}"
    yield f"0X{whole:X}"
    yield f"0{whole:o}"
    yield f"{a}.{(b << 16) + (c << 8) + d}"
    yield f"{a}.{b}.{(c << 8) + d}"
    yield f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"
    yield f"0{a:o}.0{b:o}.0{c:o}.0{d:o}"
    yield f"{a:04d}.{b}.{c}.{d:03d}"
    yield f"0x{a:02x}.{b}.0{c:o}.{d}"
    yield f"{address}.nip.test"


def _in_other_letters(address: str) -> Iterator[str]:
    """Digits and dots that Unicode's compatibility forms (UTS 46) turn into ASCII, and percent signs."""
    wide = str.maketrans("0123456789", "".join(chr(0xFF10 + digit) for digit in range(10)))
    yield address.translate(wide)
    yield address.replace(".", "。")
    yield address.replace("1", "①")
    yield "".join(f"%{ord(character):02x}" for character in address)


def _carriers(address: str) -> Iterator[str]:
    """IPv6 addresses that carry it."""
    value = int(IPv4Address(address))
    high, low, inverted = value >> 16, value & 0xFFFF, value ^ 0xFFFFFFFF
    a, b, c, d = IPv4Address(address).packed
    yield from (f"::{address}", f"::ffff:{address}", f"::ffff:{high:x}:{low:x}", f"::ffff:0:{address}")
    yield from (f"64:ff9b::{address}", f"64:ff9b:1::{address}", f"64:ff9b:1:{high:x}:{c:x}:{d:02x}00::")
    yield f"64:ff9b:1:0:{a:x}:{b:02x}{c:02x}:{d:02x}00::"
    yield from (f"2002:{high:x}:{low:x}::1", f"2001:0:{high:x}:{low:x}::")
    yield f"2001:0:4136:e378:8000:63bf:{inverted >> 16:x}:{inverted & 0xFFFF:x}"
    yield from (f"2606:4700::5efe:{address}", f"2606:4700::200:5efe:{address}")


_HOST: Final = "Host: 127.0.0.1\r\nContent-Type: application/json\r\n"
_POST: Final = f"POST /v1/messages HTTP/1.1\r\n{_HOST}"
_EVIL: Final = "10.0.0.1:8080"
#: (head, model): ways to name a host in a request.
NAMING: Final = (
    *((_POST, model) for model in (
        f"ok0,../../{_EVIL}", f"ok0,//{_EVIL}/", f"ok0,@{_EVIL}", f"ok0,m?@{_EVIL}", f"ok0,m#@{_EVIL}",
        "ok0,%2f%2f10.0.0.1",
        f"ok0,m\r\nHost: {_EVIL}", f"ok0,m\\@{_EVIL}", f"http://{_EVIL},m", f"{_EVIL},m", f"ok0,http://{_EVIL}/v1",
        f"ok0:http://{_EVIL}", "ok0,\u2025/\uff0f10.0.0.1", f"ok0,m HTTP/1.1\r\n\r\nGET http://{_EVIL}/",
    )),
    (f"POST http://{_EVIL}/v1/messages HTTP/1.1\r\n{_HOST}", "ok0,m"),
    (f"POST //{_EVIL}/v1/messages HTTP/1.1\r\n{_HOST}", "ok0,m"),
    (f"POST /v1/messages?base_url=http://{_EVIL}&beta=true HTTP/1.1\r\n{_HOST}", "ok0,m"),
    (f"POST /v1/messages HTTP/1.1\r\nHost: {_EVIL}\r\nContent-Type: application/json\r\n", "ok0,m"),
    (f"{_POST}Host: {_EVIL}\r\n", "ok0,m"),
    (f"CONNECT {_EVIL} HTTP/1.1\r\nHost: 127.0.0.1\r\n", "ok0,m"),
    *((f"{_POST}{name}: {value}\r\n", "ok0,m") for name, value in (
        ("X-Forwarded-Host", _EVIL), ("X-Forwarded-Server", _EVIL), ("Forwarded", f"host={_EVIL}"), ("X-Host", _EVIL),
        ("X-Original-URL", f"http://{_EVIL}/"), ("X-Rewrite-URL", f"http://{_EVIL}/"), ("Proxy", f"http://{_EVIL}"),
        ("anthropic-base-url", f"http://{_EVIL}"), ("x-base-url", f"http://{_EVIL}"), ("Referer", f"http://{_EVIL}/"),
        ("anthropic-version", f"2023-06-01\tHost: {_EVIL}"), ("anthropic-beta", f"a, http://{_EVIL}"),
    )),
)  # fmt: skip
