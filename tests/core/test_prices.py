import math
from fractions import Fraction

import hypothesis
import pytest
from hypothesis import strategies as st

from core.exchange import Candidate, Cost, Spent, Target
from core.messages import Usage
from core.prices import SOME_OUTPUT, cost, estimate, micros
from core.schema import ModelCard, Price

CARDS = {
    "full": ModelCard(price=Price(input=3, output=15, cache_read=0.3, cache_write=3.75), max_output=64_000),
    "plain": ModelCard(price=Price(input=0.25, output=2)),
    "half": ModelCard(price=Price(input=1)),
    "free": ModelCard(price=Price(input=0, output=0)),
    "unknown": ModelCard(),
}


def spent(model: str, **usage: int) -> Spent:
    return Spent(Target("p", model), Usage(**usage))


def card(target: Target) -> ModelCard:
    return CARDS[target.model]


@pytest.mark.parametrize(
    ("bill", "expected"),
    [
        ([], Cost(0)),
        ([spent("full", input=1_000_000)], Cost(3_000_000)),
        ([spent("full", input=10, output=10, cache_read=10, cache_write=10, reasoning=9)], Cost(221)),  # 220.5
        ([spent("plain", input=4, cache_read=4, cache_write=4)], Cost(3)),  # as input
        ([spent("plain", input=1)], Cost(1)),  # 0.25
        ([spent("plain", input=1)] * 4, Cost(1)),  # summed, then rounded
        ([spent("free", input=10**8, output=10**8)], Cost(0)),
        ([spent("half", input=5)], Cost(5)),
        ([spent("half", input=5, output=1)], Cost(0, unpriced=True)),
        ([spent("unknown")], Cost(0)),
        ([spent("unknown", input=1), spent("full", output=1)], Cost(15, unpriced=True)),
    ],
)
def test_costs(bill: list[Spent], expected: Cost) -> None:
    assert cost(bill, card) == expected


TOKENS = st.integers(0, 10**8)
DOLLARS = st.integers(0, 10**9).map(lambda millionths: millionths / 10**6)
KINDS = ("input", "output", "cache_read", "cache_write")


@hypothesis.given(st.tuples(*[TOKENS] * 4), st.tuples(*[DOLLARS] * 4))
def test_a_cost_is_the_exact_one_rounded_up(tokens: tuple[int, ...], dollars: tuple[float, ...]) -> None:
    prices = ModelCard(price=Price(**dict(zip(KINDS, dollars, strict=True))))
    bill = [spent("m", **dict(zip(KINDS, tokens, strict=True)))]
    exact = sum(count * Fraction(str(price)) for count, price in zip(tokens, dollars, strict=True))
    assert cost(bill, lambda _: prices) == Cost(math.ceil(exact))


@pytest.mark.parametrize(
    ("model", "clamped", "asked", "expected"),
    [
        ("full", None, 10, Cost(3750 + 150)),  # all of it may be written to the cache
        ("full", 5, 10, Cost(3750 + 75)),
        ("full", None, 0, Cost(3750)),  # which only fills the cache
        ("full", None, None, Cost(3750 + 64_000 * 15)),
        ("plain", None, None, Cost(250 + SOME_OUTPUT * 2)),
        ("half", None, 10, Cost(0, unpriced=True)),
        ("free", None, 10, Cost(0)),
    ],
)
def test_estimates(model: str, clamped: int | None, asked: int | None, expected: Cost) -> None:
    candidate = Candidate(Target("p", model), max_tokens=clamped, tokens=1000)
    assert estimate(candidate, asked, CARDS[model]) == expected


def test_an_answer_of_unknown_length_may_fill_the_window() -> None:
    window = ModelCard(price=Price(input=0, output=1), context_window=5000)
    assert estimate(Candidate(Target("p", "m"), tokens=1000), None, window) == Cost(4000)
    assert estimate(Candidate(Target("p", "m"), tokens=9000), None, window) == Cost(1)


@hypothesis.given(TOKENS, st.integers(1, 10**6), st.data())
def test_nothing_that_was_announced_costs_more_than_its_estimate(tokens: int, most: int, data: st.DataObject) -> None:
    written = data.draw(st.integers(0, tokens))
    read = data.draw(st.integers(0, tokens - written))
    usage = Usage(
        input=tokens - written - read, cache_write=written, cache_read=read, output=data.draw(st.integers(0, most))
    )
    for name in ("full", "plain", "free"):
        target = Target("p", name)
        reserved = estimate(Candidate(target, tokens=tokens), most, CARDS[name])
        assert cost([Spent(target, usage)], card).micros <= reserved.micros


def test_dollars_are_exact_to_a_millionth() -> None:
    assert [micros(dollars) for dollars in (0.1, 0.000001, 29.99, 0)] == [100_000, 1, 29_990_000, 0]
