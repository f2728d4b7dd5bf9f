"""Breakers, rests and medians of targets, over a time that the tests tell."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.exchange import ProviderKey, Target, TargetState
from core.key_pool import Closed
from core.standing import (
    IN_A_ROW,
    IN_SPITE,
    LAST,
    LIMITED_REST_S,
    LONGEST_OPEN_S,
    OPEN_S,
    REFUSED_REST_S,
    Observer,
    Others,
    Permit,
    Standing,
    Tally,
)

ONE, TWO, MADE_UP = Target("p", "one"), Target("p", "two"), Target("p", "made up")
ADDRESSES = {ONE: "http://p", TWO: "http://p"}
RING = (ProviderKey(1, "sk-1"),)


@dataclass
class Seen(Observer):
    states: list[tuple[str, str]] = field(default_factory=list)
    rests: list[tuple[int, str, float]] = field(default_factory=list)
    left: list[Target] = field(default_factory=list)

    def breaker(self, target: Target, state: str) -> None:
        self.states.append((target.model, state))

    def gone(self, target: Target) -> None:
        self.left.append(target)

    def key_rests(self, target: Target, key: int, why: str, rest_s: float) -> None:
        self.rests.append((key, why, rest_s))


class Book(Standing):
    """A book whose time is `now`."""

    def __init__(self) -> None:
        self.now, self.seen = 0.0, Seen()
        super().__init__(self.seen, clock=lambda: self.now)
        self.keep(ADDRESSES)
        self.seen.states.clear()

    def permit(self, target: Target = ONE, *, in_spite: bool = False) -> Permit:
        permit = self.ask(target, RING, in_spite=in_spite)
        assert isinstance(permit, Permit)
        return permit

    def refuses(self, target: Target = ONE, *, in_spite: bool = False) -> Closed:
        closed = self.ask(target, RING, in_spite=in_spite)
        assert isinstance(closed, Closed)
        return closed

    def fail(self, times: int = 1, target: Target = ONE) -> None:
        for _ in range(times):
            self.permit(target).done(fault=True)


@pytest.fixture
def book() -> Book:
    return Book()


def opened() -> Book:
    book = Book()
    book.fail(IN_A_ROW)
    return book


def tripped(outcomes: list[bool]) -> list[int]:
    """After which outcomes (True: a fault) it was too many."""
    tally = Tally()
    return [at for at, fault in enumerate(outcomes) if tally.add(fault=fault, now=0)]


def test_failures_in_a_row_are_too_many_and_a_good_one_between_them_excuses() -> None:
    assert tripped([True] * IN_A_ROW) == [IN_A_ROW - 1]
    assert tripped([*[True] * (IN_A_ROW - 1), False, *[True] * (IN_A_ROW - 1)]) == []


def test_half_of_the_last_is_too_many() -> None:
    assert tripped([True, False] * (LAST // 2)) == [LAST - 2]
    assert tripped([True, False, False] * LAST) == []


@given(st.lists(st.booleans(), max_size=80))
def test_the_tally_never_opens_for_less_than_it_says(outcomes: list[bool]) -> None:
    begin = 0
    for at in tripped(outcomes):
        since = outcomes[begin : at + 1]
        assert all(since[-IN_A_ROW:]) or sum(since[-LAST:]) * 2 >= LAST
        assert outcomes[at]
        begin = at + 1
    rest = outcomes[begin:]
    assert not any(all(rest[at : at + IN_A_ROW]) for at in range(len(rest) - IN_A_ROW + 1))


def test_an_open_target_is_closed_to_others_until_its_time(book: Book) -> None:
    book.fail(IN_A_ROW - 1)
    assert book.closed(ONE, RING) is None
    book.fail()
    book.now = 4
    closed = book.refuses()
    assert (closed.why, closed.wait_s) == ("breaker", OPEN_S - 4)
    assert book.closed(ONE, RING) == closed
    assert book.closed(TWO, RING) is None
    assert book.seen.states == [("one", "open")]


def test_one_probe_and_only_one() -> None:
    book = opened()
    book.now = OPEN_S
    probe = book.permit()
    assert probe.probe
    for _ in range(20):
        assert book.refuses().why == "breaker"
    probe.done(fault=False)
    assert not book.permit().probe
    assert [state for _, state in book.seen.states] == ["open", "probing", "closed"]


def test_a_bad_probe_opens_it_for_twice_as_long() -> None:
    book = opened()
    waits = []
    for _ in range(4):
        waits.append(book.refuses().wait_s)
        book.now += waits[-1]
        book.permit().done(fault=True)
    assert waits == [OPEN_S, 2 * OPEN_S, 4 * OPEN_S, LONGEST_OPEN_S]


def test_a_probe_whose_client_left_frees_its_place() -> None:
    book = opened()
    book.now = OPEN_S
    book.permit().withdraw()
    assert book.permit().probe


def test_a_probe_need_not_wait_for_the_end_of_its_stream() -> None:
    book = opened()
    book.now = OPEN_S
    probe = book.permit()
    probe.answered(12.0)
    assert not book.permit().probe
    probe.withdraw()
    assert not book.broken(ONE)


def test_outcomes_of_before_say_nothing_of_now() -> None:
    book = Book()
    early = [book.permit() for _ in range(10)]
    book.fail(IN_A_ROW)
    book.now = OPEN_S
    probe = book.permit()
    for permit in early[:5]:
        permit.done(fault=True)
    assert book.refuses().wait_s > 0
    probe.done(fault=False)
    assert book.closed(ONE, RING) is None
    book.fail(IN_A_ROW)
    early[9].done(fault=False)
    assert book.broken(ONE)


def test_only_the_first_word_counts(book: Book) -> None:
    permit = book.permit()
    for _ in range(LAST):
        permit.done(fault=True)
        permit.withdraw()
    assert not book.broken(ONE)


def test_who_has_nobody_else_asks_in_spite_of_it_a_few_at_a_time() -> None:
    book = opened()
    permits = [book.permit(in_spite=True) for _ in range(IN_SPITE)]
    assert all(permit.in_spite and not permit.probe for permit in permits)
    assert book.refuses(in_spite=True).why == "breaker"
    permits[0].done(fault=True)
    permits[1].withdraw()
    assert [book.permit(in_spite=True).in_spite for _ in range(2)] == [True, True]
    book.refuses(in_spite=True)
    permits[2].answered(None)
    assert not book.broken(ONE)
    assert not book.permit().in_spite


def test_a_failure_in_spite_of_it_does_not_lengthen_the_open_time() -> None:
    book = opened()
    for _ in range(30):
        book.permit(in_spite=True).done(fault=True)
    book.now = OPEN_S
    assert book.permit(in_spite=True).probe


def test_a_told_wait_closes_the_target_and_is_no_failure(book: Book) -> None:
    permit = book.permit()
    book.limited(permit, 7.0)
    permit.withdraw()
    assert (book.refuses().why, book.refuses().wait_s) == ("rate_limited", 7)
    assert book.closed(TWO, RING) is None
    assert not book.broken(ONE)
    book.now = 7
    book.limited(book.permit(), None)
    assert book.refuses().wait_s == LIMITED_REST_S
    assert book.seen.rests == [(1, "rate_limited", 7.0), (1, "rate_limited", LIMITED_REST_S)]


def test_a_refused_key_closes_one_target_or_all_of_the_provider(book: Book) -> None:
    book.refused(book.permit(), everywhere=False)
    assert book.refuses().why == "key_refused"
    book.refused(book.permit(TWO), everywhere=True)
    assert book.refuses(TWO).wait_s == REFUSED_REST_S
    other = Book()
    other.refused(other.permit(TWO), everywhere=True)
    assert other.refuses(ONE).why == "key_refused"
    assert book.has_key(TWO, (ProviderKey(2, "sk-2"),))
    assert not book.has_key(TWO, RING)


def test_in_spite_of_a_rest_the_provider_itself_may_say_no_to_everybody(book: Book) -> None:
    book.limited(book.permit(), 50)
    permits = [book.permit(in_spite=True) for _ in range(5 * IN_SPITE)]
    for permit in permits:
        permit.withdraw()
    assert book._records[ONE].in_spite == 0
    assert book.refuses().why == "rate_limited"


def test_an_answer_ends_a_rest(book: Book) -> None:
    book.limited(book.permit(), 50)
    book.permit(in_spite=True).answered(None)
    assert book.closed(ONE, RING) is None


def test_a_made_up_target_leaves_nothing_behind(book: Book) -> None:
    for number in range(50):
        permit = book.permit(Target("p", f"made up {number}"))
        permit.answered(5.0)
        book.limited(permit, 50)
        book.refused(permit, everywhere=False)
        permit.done(fault=True)
    assert book.states({}) == {}
    assert book.keys._rests == {}


def test_what_stays_at_its_address_keeps_its_record_and_the_rest_is_forgotten() -> None:
    book = opened()
    book.fail(IN_A_ROW, TWO)
    book.keep({ONE: "http://p", TWO: "http://elsewhere"})
    assert book.broken(ONE)
    assert not book.broken(TWO)
    book.keep({TWO: "http://elsewhere"})
    book.keep(ADDRESSES)
    assert not book.broken(ONE)
    assert book.seen.left == [ONE]


def test_a_permit_of_a_target_that_went_is_reported_to_nobody(book: Book) -> None:
    permit = book.permit()
    book.keep({})
    permit.answered(1.0)
    permit.done(fault=True)
    assert book.states({}) == {}


def test_switched_off_it_passes_nobody_over() -> None:
    book = opened()
    book.keep(ADDRESSES, breakers=False)
    book.limited(book.permit(), 50)
    book.fail(3 * IN_A_ROW)
    assert book.closed(ONE, RING) is None
    assert not book.has_key(ONE, RING)


def test_states_are_what_is_known(book: Book) -> None:
    assert book.states({}) == {}
    for ms in (10.0, 900.0, 30.4, 20.0):
        book.permit().answered(ms)
    book.fail(IN_A_ROW, TWO)
    assert book.states({}) == {
        "p,one": TargetState(healthy=True, p50_ms=20),
        "p,two": TargetState(healthy=False, p50_ms=None),
    }
    book.limited(book.permit(), 9)
    assert not book.states({"p": RING})["p,one"].healthy
    assert book.states({"p": (*RING, ProviderKey(2, "sk-2"))})["p,one"].healthy


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ask", "only", "ok", "bad", "leave", "answer"]), st.integers(0, 5), st.floats(0, 20)
        ),
        max_size=60,
    )
)
def test_there_is_never_more_than_one_probe_nor_a_place_lost(moves: list[tuple[str, int, float]]) -> None:
    book, out = opened(), list[Permit]()
    for move, which, seconds in moves:
        book.now += seconds
        if move in {"ask", "only"}:
            permit = book.ask(ONE, RING, in_spite=move == "only")
            out += [permit] if isinstance(permit, Permit) else []
        elif out:
            permit = out[which % len(out)]
            if move == "answer":
                permit.answered(1.0)
                continue
            out.remove(permit)
            if move == "leave":
                permit.withdraw()
            else:
                permit.done(fault=move == "bad")
        assert sum(permit.probe for permit in out) <= 1
        assert sum(permit.in_spite for permit in out) <= IN_SPITE
    for permit in out:
        permit.withdraw()
    book.now += LONGEST_OPEN_S
    assert isinstance(book.ask(ONE, RING), Permit)
    assert book._records[ONE].in_spite == 0


class Told(Others):
    """What the other proxies are told."""

    def __init__(self) -> None:
        self.said: list[object] = []

    def opened(self, target: Target, open_s: float) -> None:
        self.said.append(("opened", target.model, open_s))

    def closed(self, target: Target) -> None:
        self.said.append(("closed", target.model))

    def rests(self, scope: Target | str, key: ProviderKey, why: str, rest_s: float) -> None:
        self.said.append(("rests", str(scope), key.position, why, rest_s))


def test_the_others_are_told_what_changes_here() -> None:
    book = Book()
    book.others = told = Told()
    for _ in range(IN_A_ROW):
        book.permit().done(fault=True)
    book.now = OPEN_S
    book.permit().withdraw()  # nobody knows: that is no news
    book.permit().done(fault=True)
    book.now = 3 * OPEN_S
    book.permit().done(fault=False)
    assert told.said == [("opened", "one", OPEN_S), ("opened", "one", 2 * OPEN_S), ("closed", "one")]
    told.said.clear()
    book.limited(book.permit(), 7.0)
    book.now += 7
    book.refused(book.permit(), everywhere=True)
    assert told.said == [("rests", "p,one", 1, "rate_limited", 7.0), ("rests", "p", 1, "key_refused", REFUSED_REST_S)]


def test_what_others_tell_holds_here_and_is_not_told_again() -> None:
    book = Book()
    book.others = told = Told()
    book.opened_elsewhere(ONE, 4.0)
    assert book.refuses() == Closed("breaker", 4.0)
    book.closed_elsewhere(ONE)
    book.closed_elsewhere(TWO)
    book.permit().withdraw()
    book.rests_elsewhere(ONE, RING[0], "rate_limited", 3.0)
    assert book.refuses() == Closed("rate_limited", 3.0)
    assert not book.closed(TWO, RING)
    book.rests_elsewhere("p", RING[0], "key_refused", 1.0)
    assert book.refuses(TWO) == Closed("key_refused", 1.0)
    assert (told.said, book.seen.states) == ([], [("one", "open"), ("one", "closed")])


def test_nonsense_from_others_does_not_last() -> None:
    book = Book()
    book.opened_elsewhere(ONE, 1e12)
    assert book.refuses() == Closed("breaker", LONGEST_OPEN_S)
    book.rests_elsewhere("p", RING[0], "because", 9.0)
    book.rests_elsewhere(MADE_UP, RING[0], "rate_limited", 9.0)
    book.opened_elsewhere(MADE_UP, 9.0)
    book.closed_elsewhere(MADE_UP)
    assert not book.closed(TWO, RING)
    book.rests_elsewhere("p", RING[0], "key_refused", 1e12)
    assert book.refuses(TWO) == Closed("key_refused", REFUSED_REST_S)
    book.keep(ADDRESSES, breakers=False)
    book.opened_elsewhere(ONE, 9.0)
    assert not book.broken(ONE)
