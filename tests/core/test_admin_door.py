from typing import Final

import pytest

from core.admin_door import ADDRESSES, WINDOW_S, WRONG, Brake, check_site, check_token, given_token, headers_for
from core.errors import Forbidden, ProxyError, RateLimited, Unauthorized

TOKEN: Final = "the-right-token-of-the-operator"  # noqa: S105  # it is of no use


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def brake(clock: Clock) -> Brake:
    return Brake(clock)


def outcome(brake: Brake, authorization: str | None, *, token: str = TOKEN, address: str = "1.2.3.4") -> str:
    headers = {} if authorization is None else {"authorization": authorization}
    try:
        check_token(headers, token, address, brake)
    except ProxyError as exc:
        return type(exc).__name__
    return "let in"


@pytest.mark.parametrize("said", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER   {TOKEN} "])
def test_the_token_lets_in(brake: Brake, said: str) -> None:
    assert outcome(brake, said) == "let in"


@pytest.mark.parametrize(
    "said",
    [
        None, "", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.upper()}", f"Bearer {TOKEN}, Bearer {TOKEN}", f"Bearer\t{TOKEN}", "Bearer \udc80\xff",
    ],
)  # fmt: skip
def test_nothing_else_does(brake: Brake, said: str | None) -> None:
    assert outcome(brake, said) == "Unauthorized"


@pytest.mark.parametrize("said", [None, "Bearer", "Bearer ", "Bearer x"])
def test_without_a_token_of_ours_nobody_comes_in(brake: Brake, said: str | None) -> None:
    assert outcome(brake, said, token="") == "Unauthorized"


def test_a_refusal_says_what_to_send_and_never_the_token(brake: Brake) -> None:
    with pytest.raises(Unauthorized, match="Authorization: Bearer TOKEN") as caught:
        check_token({"authorization": "Bearer wrong-one"}, TOKEN, "1.2.3.4", brake)
    assert TOKEN not in caught.value.message
    assert "wrong-one" not in caught.value.message
    assert caught.value.headers["www-authenticate"].startswith("Bearer")


def test_who_guesses_must_wait_even_for_the_right_one(brake: Brake, clock: Clock) -> None:
    for number in range(WRONG):
        clock.now += 1
        assert outcome(brake, f"Bearer guess{number}") == "Unauthorized"
    assert outcome(brake, "Bearer guess10") == "RateLimited"
    assert outcome(brake, f"Bearer {TOKEN}") == "RateLimited"
    assert outcome(brake, None) == "RateLimited"
    with pytest.raises(RateLimited) as caught:
        check_token({}, TOKEN, "1.2.3.4", brake)
    assert caught.value.headers["retry-after"] == "51"
    clock.now += 50.9
    assert outcome(brake, f"Bearer {TOKEN}") == "RateLimited"
    clock.now += 0.1  # the first of them is a minute old
    assert outcome(brake, f"Bearer {TOKEN}") == "let in"
    assert outcome(brake, "Bearer guess11") == "Unauthorized"
    assert outcome(brake, "Bearer guess12") == "RateLimited"


def test_another_address_does_not_wait_and_a_network_of_one_is_one(brake: Brake) -> None:
    for number in range(WRONG):
        outcome(brake, f"Bearer {number}", address=f"2001:db8::{number}")
    assert outcome(brake, f"Bearer {TOKEN}", address="2001:db8::ffff") == "RateLimited"
    assert outcome(brake, f"Bearer {TOKEN}", address="2001:db8:0:1::1") == "let in"


def test_an_old_token_that_is_sent_again_and_again_locks_nobody_out(brake: Brake) -> None:
    for _ in range(100):
        assert outcome(brake, "Bearer yesterdays") == "Unauthorized"
    assert outcome(brake, f"Bearer {TOKEN}") == "let in"


def test_requests_without_any_token_are_no_guesses(brake: Brake) -> None:
    for _ in range(100):
        assert outcome(brake, None) == "Unauthorized"
    assert outcome(brake, f"Bearer {TOKEN}") == "let in"


def test_what_is_remembered_is_bounded(brake: Brake, clock: Clock) -> None:
    for number in range(ADDRESSES + 10):
        outcome(brake, "Bearer x", address=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(brake._wrong) == ADDRESSES
    clock.now += WINDOW_S
    for number in range(100):
        outcome(brake, f"Bearer {number}")
    assert len(brake._wrong["1.2.3.4"]) == WRONG


@pytest.mark.parametrize("site", ["same-origin", "none", None])
def test_the_page_and_its_user_may_ask(site: str | None) -> None:
    check_site({} if site is None else {"sec-fetch-site": site})


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "same-origin, cross-site", "Same-Origin", "null"])
def test_another_site_may_not(site: str) -> None:
    with pytest.raises(Forbidden):
        check_site({"sec-fetch-site": site})


def test_only_the_page_and_the_admin_plane_have_its_headers() -> None:
    for path in ("/ui", "/ui/", "/ui/app.js", "/admin", "/admin/overview", "/admin/nothing"):
        headers = dict(headers_for(path))
        assert b"require-trusted-types-for 'script'" in headers[b"content-security-policy"]
        assert (b"cache-control" in headers) == path.startswith("/admin")
    for path in ("/", "/v1/models", "/uix", "/administration", "/health"):
        assert headers_for(path) == ()


def test_a_token_is_found_in_one_place_only() -> None:
    assert given_token({"x-api-key": TOKEN, "cookie": f"token={TOKEN}", "proxy-authorization": TOKEN}) == ""
