import pytest

from core.addresses import forbidden


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "::169.254.169.254",
        "fd00:ec2::254",
        "100.100.100.200",
    ],
)
def test_metadata_is_never_allowed(address: str) -> None:
    assert forbidden(address, allow_private=True) == "is a cloud metadata address"


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "fe80::1%eth0", "fc00::1",
     "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "169.254.1.1"],
)  # fmt: skip
def test_private_addresses_need_the_operators_word(address: str) -> None:
    assert "allow_private" in (forbidden(address, allow_private=False) or "")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "fc00::1"])
def test_private_addresses_are_allowed_by_the_operator(address: str) -> None:
    assert forbidden(address, allow_private=True) is None


@pytest.mark.parametrize("address", ["1.1.1.1", "160.79.104.10", "2606:4700::1111"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert forbidden(address, allow_private=False) is None


@pytest.mark.parametrize("address", ["0.0.0.0", "224.0.0.1", "ff02::1", "::", "255.255.255.255"])  # noqa: S104 # judged only
def test_what_is_no_host_is_never_allowed(address: str) -> None:
    assert forbidden(address, allow_private=True)


def test_a_name_is_no_address() -> None:
    assert forbidden("localhost", allow_private=True) == "is not an IP address"
