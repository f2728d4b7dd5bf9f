from ipaddress import ip_network

import pytest

from core.client_address import client, household, parsed

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1.2.3.4", "1.2.3.4"),
        (" 1.2.3.4:80 ", "1.2.3.4"),
        ("::1", "::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ('"[2001:db8::1]"', "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("unknown", "None"),
        ("_hidden", "None"),
        ("", "None"),
        ("1.2.3", "None"),
        ("[", "None"),
    ],
)
def test_addresses_are_read_in_all_forms(text: str, found: str) -> None:
    assert str(parsed(text)) == found


@pytest.mark.parametrize(
    ("peer", "headers", "found"),
    [
        ("10.0.0.1", {"x-forwarded-for": "8.8.8.8"}, "8.8.8.8"),
        ("10.0.0.1", {"x-forwarded-for": "6.6.6.6, 8.8.8.8"}, "8.8.8.8"),
        ("10.0.0.1", {"x-forwarded-for": "8.8.8.8, 10.0.0.2"}, "8.8.8.8"),
        ("10.0.0.1", {"x-forwarded-for": "8.8.8.8, unknown, 10.0.0.2"}, "10.0.0.2"),
        ("10.0.0.1", {"x-forwarded-for": "10.0.0.3, 10.0.0.2"}, "10.0.0.3"),
        ("10.0.0.1", {"x-forwarded-for": ""}, "10.0.0.1"),
        ("10.0.0.1", {}, "10.0.0.1"),
        ("10.0.0.1", {"forwarded": 'for="[2001:db8::7]:1";proto=https'}, "2001:db8::7"),
        ("10.0.0.1", {"forwarded": "for=6.6.6.6, proto=https;For=8.8.8.8"}, "8.8.8.8"),
        ("10.0.0.1", {"forwarded": "by=8.8.8.8"}, "10.0.0.1"),
        ("10.0.0.1", {"forwarded": "for=8.8.8.8", "x-forwarded-for": "8.8.8.8"}, "8.8.8.8"),
        ("10.0.0.1", {"forwarded": "for=6.6.6.6", "x-forwarded-for": "8.8.8.8"}, "10.0.0.1"),
        ("fd00::1", {"x-forwarded-for": "2001:db8::1"}, "2001:db8::1"),
        ("8.8.4.4", {"x-forwarded-for": "6.6.6.6"}, "8.8.4.4"),
        ("", {"x-forwarded-for": "6.6.6.6"}, ""),
    ],
)
def test_only_who_is_trusted_says_for_whom_it_asks(peer: str, headers: dict[str, str], found: str) -> None:
    assert client(peer, headers, TRUSTED) == found


def test_without_trusted_proxies_it_is_the_connections() -> None:
    assert client("10.0.0.1", {"x-forwarded-for": "6.6.6.6"}, ()) == "10.0.0.1"


def test_an_ipv6_network_is_one_household() -> None:
    assert household("2001:db8:0:1::7") == household("2001:db8:0:1:ffff::") == "2001:db8:0:1::/64"
    assert household("2001:db8:0:2::7") != household("2001:db8:0:1::7")
    assert household("::ffff:1.2.3.4") == household("1.2.3.4") == "1.2.3.4"
    assert household("") == household("/run/socket") == ""
