"""Providers' prompt caches, as far as their prices and reports say how they work. Pure.

A provider that sells writing to its cache caches what it was asked to, and says how much. One that sells only reading
from it caches every prompt, and says afterwards what of it was found. So does one whose price for writing is below that
of input: that is for keeping (Google's, as OpenRouter lists it). Without a price for reading there is no cache.
"""

from typing import Final

from core.messages import Usage
from core.schema import Price

#: No provider caches a shorter prompt, in tokens.
LEAST_TOKENS: Final = 1024


def reported(price: Price, tokens: int, found: int, output: int) -> Usage:
    """The usage of a prompt of so many tokens, of whose beginning the target's cache holds `found`."""
    if price.cache_read is None or tokens < LEAST_TOKENS:
        return Usage(input=tokens, output=output)
    found = min(found, tokens) if found >= LEAST_TOKENS else 0
    if not sells_writing(price):
        return Usage(input=tokens - found, cache_read=found, output=output)
    return Usage(cache_read=found, cache_write=tokens - found, output=output)


def held(usage: Usage, price: Price) -> int:
    """Tokens of the prompt that the provider's cache holds after it has reported this usage."""
    if price.cache_read is not None and not sells_writing(price):
        return usage.input + usage.cache_read
    return usage.cache_read + usage.cache_write


def sells_writing(price: Price) -> bool:
    """Whether writing to the cache is asked for, and paid in the place of input."""
    return price.cache_write is not None and (price.input is None or price.cache_write >= price.input)
