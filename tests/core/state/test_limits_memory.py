from core.limits import NEVER, WINDOW_MS, Ask, Taken
from core.state.limits_memory import BUSY_MS, OTHERS, MemoryLimits


class Clock:
    now = 0

    def __call__(self) -> int:
        return self.now


def ask(kind: str = "requests", limit: int = 100, units: int = 1, scope: str = "key", whose: str = "laptop") -> Ask:
    return Ask(scope, whose, kind, limit, units, "limits")  # type: ignore[arg-type]


def waits(one: Taken) -> list[int]:
    return [said.wait_ms for said in one.said]


def test_all_limits_let_it_through_or_none_takes_anything() -> None:
    limits = MemoryLimits(Clock())
    requests, tokens = ask(limit=20), ask("tokens", 1000, 600)
    assert waits(limits.take([requests, tokens])) == [0, 0]
    refused = limits.take([requests, tokens])
    assert [one.kind for one, _ in refused.refused] == ["tokens"]
    assert waits(limits.take([requests])) == [0]
    assert waits(limits.take([requests])) != [0]


def test_requests_at_once_are_counted_until_they_are_settled() -> None:
    limits = MemoryLimits(Clock())
    at_once = ask("concurrent", 2)
    first, second = limits.take([at_once]), limits.take([at_once])
    assert [each.said[0].left for each in (first, second)] == [1, 0]
    assert waits(limits.take([at_once])) == [BUSY_MS]
    limits.settle(first, [1])
    assert waits(limits.take([at_once])) == [0]
    limits.settle(second, [1])
    limits.settle(second, [1])
    assert limits.empty


def test_what_was_not_used_is_given_back() -> None:
    limits = MemoryLimits(Clock())
    one = limits.take([ask("tokens", 1000, 1000)])
    assert waits(limits.take([ask("tokens", 1000, 50)])) != [0]
    limits.settle(one, [10])
    assert waits(limits.take([ask("tokens", 1000, 90)])) == [0]
    assert waits(limits.take([ask("tokens", 1000, 1)])) != [0]


def test_too_large_is_never() -> None:
    assert waits(MemoryLimits(Clock()).take([ask("tokens", 1000, 1001)])) == [NEVER]


def test_who_was_there_last_makes_room_last() -> None:
    clock = Clock()
    limits = MemoryLimits(clock, addresses=2)
    for now, whose in ((0, "a"), (1, "b"), (WINDOW_MS, "a")):
        clock.now = now
        assert waits(limits.take([ask(limit=10, scope="address", whose=whose)])) == [0]
    clock.now = 2 * WINDOW_MS
    assert limits.take([ask(limit=10, scope="address", whose="c")]).asks[0].whose == "c"
    assert limits.take([ask(limit=10, scope="address", whose="a")]).asks[0].whose == "a"


def test_nobodys_bucket_is_taken_from_him_to_make_room() -> None:
    clock = Clock()
    limits = MemoryLimits(clock, addresses=2)
    for whose in ("a", "b"):
        assert waits(limits.take([ask(limit=10, scope="address", whose=whose)])) == [0]
    third = limits.take([ask(limit=10, scope="address", whose="c")])
    assert (third.asks[0].whose, waits(third)) == (OTHERS, [0])
    assert waits(limits.take([ask(limit=10, scope="address", whose="d")])) != [0]
    assert waits(limits.take([ask(limit=10, scope="address", whose="a")])) != [0]
    limits.settle(third, [0])
    clock.now = 3 * WINDOW_MS
    late = limits.take([ask(limit=10, scope="address", whose="e")])
    assert (late.asks[0].whose, waits(late)) == ("e", [0])


def test_to_look_takes_nothing_and_says_what_is_left() -> None:
    limits = MemoryLimits(clock=lambda: 1_000)
    for _ in range(3):
        limits.take([ask(), ask("concurrent", 7)])
    looks = [limits.look([ask(), ask("concurrent", 7), ask(whose="another")]) for _ in range(5)]
    assert [[said.left for said in look] for look in looks] == [[97, 4, 100]] * 5
    assert looks[0][0].reset_ms > 0
    assert limits.take([ask("concurrent", 7)]).said[0].left == 3


def test_the_addresses_that_asked_last_are_known() -> None:
    limits = MemoryLimits(clock=lambda: 1_000)
    for whose in ("::1", "10.0.0.1", "10.0.0.2", "::1"):
        limits.take([ask("requests", scope="address", whose=whose), ask("tokens", scope="address", whose=whose)])
    assert limits.addresses(10) == ["::1", "10.0.0.2", "10.0.0.1"]
    assert limits.addresses(1) == ["::1"]
