"""What requests would have cost elsewhere."""

from core.exchange import SessionState, Target, Warm
from core.lab.money import Asked, Bill, Purse, SessionCaches
from core.messages import Usage
from core.prices import exact
from core.schema import Price

A, B = Target("p", "a"), Target("p", "b")
#: Dollars a million tokens, so micro-USD a token: a is dear, b cheap, and both sell their caches.
PRICES = {
    A: Price(input=10, output=50, cache_read=1, cache_write=12),
    B: Price(input=2, output=10, cache_read=1, cache_write=3),
}
MICRO = 1_000_000
KEEP_S = 300.0


def price(target: Target | None) -> Price:
    return PRICES.get(target, Price()) if target else Price()


class World:
    """A session that really asks A, every minute, with a prompt that grows."""

    def __init__(self) -> None:
        self.caches, self.now, self.warm = SessionCaches(), 0, 0

    def ask(self, candidate: Target | None, prompt: int, pause_s: int = 60, real: Target = A) -> Bill:
        self.now += pause_s * 1000
        state = SessionState(warm=(Warm(str(A), self.warm, self.now - pause_s * 1000),) if self.warm else ())
        found = state.cached(str(real), self.now, KEEP_S)
        usage = Usage(cache_read=found, cache_write=prompt - found, output=10)
        self.warm = prompt if real == A else self.warm
        return self.bill(Asked(self.now, state, usage, real, candidate))

    def bill(self, asked: Asked) -> Bill:
        return self.caches.bill(asked, exact(asked.usage, price(asked.real)), price(asked.candidate), KEEP_S)


def micro(*parts: tuple[int, int]) -> int:
    return sum(tokens * dollars for tokens, dollars in parts) * MICRO


def test_where_nothing_changes_it_costs_what_it_did() -> None:
    world = World()
    for prompt in (2000, 3000, 4000):
        bill = world.ask(A, prompt)
        assert (bill.base, bill.cold) == (bill.candidate, 0)
    assert world.caches.differ == {}


def test_elsewhere_the_whole_prompt_is_written_and_then_read() -> None:
    world = World()
    world.ask(A, 2000)
    bill = world.ask(B, 3000)
    assert bill.base == micro((2000, 1), (1000, 12), (10, 50))
    assert bill.candidate == micro((3000, 3), (10, 10))
    assert bill.cold == micro((2000, 3 - 1))
    bill = world.ask(B, 4000)
    assert bill == Bill(micro((3000, 1), (1000, 12), (10, 50)), micro((3000, 1), (1000, 3), (10, 10)), 0)


def test_the_way_back_reads_what_was_left_there() -> None:
    world = World()
    world.ask(A, 2000)
    world.ask(B, 3000)
    back = world.ask(A, 4000)
    assert back.base == micro((3000, 1), (1000, 12), (10, 50))
    assert back.candidate == micro((2000, 1), (2000, 12), (10, 50))
    assert back.cold == micro((1000, 12 - 1))
    same = micro((4000, 1), (1000, 12), (10, 50))
    assert world.ask(A, 5000) == Bill(same, same)  # all is as it was
    assert A not in world.caches.differ


def test_a_cache_that_was_left_expires() -> None:
    world = World()
    world.ask(A, 2000)
    for prompt in (3000, 4000, 5000):
        world.ask(B, prompt, 120)
    assert world.ask(A, 6000, 120).candidate == micro((6000, 12), (10, 50))


def test_a_session_that_begins_elsewhere_leaves_nothing_behind() -> None:
    world = World()
    world.ask(B, 2000)
    assert world.ask(A, 3000).candidate == micro((3000, 12), (10, 50))


def test_a_prompt_that_began_anew_is_read_nowhere() -> None:
    """The real target's cache was warm, and found nothing."""
    world = World()
    world.ask(B, 5000)
    world.ask(B, 6000)
    state = SessionState(warm=(Warm(str(A), 6000, world.now),))
    asked = Asked(world.now + 1, state, Usage(cache_write=3000, output=10), A, B)
    assert world.bill(asked).candidate == micro((3000, 3), (10, 10))


def test_what_is_refused_costs_nothing_and_fills_no_cache() -> None:
    world = World()
    assert world.ask(None, 2000).candidate == 0
    assert world.ask(A, 3000).candidate == micro((3000, 12), (10, 50))


def test_sessions_are_forgotten_when_their_caches_are_as_they_were_or_gone() -> None:
    """However many there are: three requests of each session, of which every second one goes elsewhere."""
    purse = Purse()
    for number in range(30_000):
        session = number // 3
        there = B if session % 2 else A
        purse.bill(
            str(session), Asked(number * 1000, SessionState(), Usage(input=5000), A, there), 1, price(there), 300
        )
    assert len(purse) < 3000


def test_what_has_no_price_has_none() -> None:
    world = World()
    assert world.ask(Target("p", "unknown"), 2000).candidate is None
    assert world.ask(A, 2000, real=Target("p", "unknown")).base is None
