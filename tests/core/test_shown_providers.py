"""Providers and their targets as they are shown, and how they are looked at: without a change."""

from core.exchange import ProviderKey, Target
from core.shown_providers import host_of
from core.standing import IN_A_ROW, OPEN_S, Permit, Standing

ONE, TWO, MADE_UP = Target("p", "one"), Target("p", "two"), Target("p", "made up")


def test_what_is_shown_of_a_target_and_of_keys_changes_nothing() -> None:
    now = 0.0
    book = Standing(clock=lambda: now)
    ring = (ProviderKey(1, "sk-1"), ProviderKey(2, "sk-2"))
    book.keep({ONE: "http://p", TWO: "http://p"})
    assert (book.breaker(ONE), book.breaker(MADE_UP), book.resting("p", ring)) == ("closed", "closed", 0)
    permit = book.ask(ONE, ring)
    assert isinstance(permit, Permit)
    book.limited(permit, 30.0)
    assert (book.resting("p", ring), book.resting("q", ring)) == (1, 0), "one of two rests, at one of its targets"
    for _ in range(IN_A_ROW):
        permit = book.ask(TWO, ring)
        assert isinstance(permit, Permit)
        permit.done(fault=True)
    assert [book.breaker(TWO) for _ in range(3)] == ["open"] * 3
    now += OPEN_S + 30
    assert (book.breaker(TWO), book.resting("p", ring)) == ("open", 0), "to look probes nothing"


def test_a_host_is_shown_without_credentials_and_paths() -> None:
    urls = ("https://user:pass@host.example/v1?x=1", "http://[::1]:8080/", "https://a.example", "")
    assert [host_of(url) for url in urls] == ["host.example", "[::1]:8080", "a.example", ""]
