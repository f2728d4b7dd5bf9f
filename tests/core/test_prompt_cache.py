"""What providers report of their prompt caches."""

import pytest

from core.messages import Usage
from core.prompt_cache import held, reported
from core.schema import Price

READS, WRITES, NONE = Price(cache_read=1), Price(cache_read=1, cache_write=2), Price(input=1)
KEEPS = Price(input=3, cache_read=1, cache_write=1)


@pytest.mark.parametrize(
    ("price", "tokens", "found", "usage"),
    [
        (NONE, 5000, 4000, Usage(input=5000, output=7)),
        (KEEPS, 5000, 4000, Usage(input=1000, cache_read=4000, output=7)),  # a price for keeping, not for writing
        (READS, 5000, 4000, Usage(input=1000, cache_read=4000, output=7)),
        (WRITES, 5000, 4000, Usage(cache_read=4000, cache_write=1000, output=7)),
        (WRITES, 5000, 9000, Usage(cache_read=5000, output=7)),  # the cache holds a longer prompt
        (READS, 1023, 1023, Usage(input=1023, output=7)),  # too short to be cached
        (READS, 5000, 1023, Usage(input=5000, output=7)),
    ],
)
def test_what_is_found_is_read_and_the_rest_is_new(price: Price, tokens: int, found: int, usage: Usage) -> None:
    assert reported(price, tokens, found, 7) == usage


@pytest.mark.parametrize("price", [READS, WRITES, KEEPS])
def test_afterwards_the_whole_prompt_is_held(price: Price) -> None:
    assert held(reported(price, 5000, 2000, 7), price) == 5000


def test_nothing_is_held_without_a_cache() -> None:
    assert held(reported(NONE, 5000, 0, 7), NONE) == 0
