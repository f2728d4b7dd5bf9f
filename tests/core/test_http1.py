import pytest

from core.http1 import without_upgrade

OFFER = (
    b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nX: y\r\n\r\n{}"
)


def test_the_offer_to_upgrade_is_not_heard() -> None:
    assert without_upgrade(OFFER) == OFFER.replace(b"\r\nUpgrade: h2c", b"")


@pytest.mark.parametrize(
    "data",
    [
        OFFER.replace(b"POST", b"GET"),
        OFFER.replace(b"Upgrade: h2c\r\n", b""),
        b'{"a":\r\nupgrade: b\r\n}',
        b"POST / HTTP/1.1\r\n\r\n{\r\nupgrade: b\r\n}",
    ],
)
def test_everything_else_passes_as_it_came(data: bytes) -> None:
    assert without_upgrade(data) == data
