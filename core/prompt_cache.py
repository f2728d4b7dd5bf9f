"""Providers' prompt caches, as far as their prices and reports say how they work. Pure.

A provider that sells writing to its cache caches what it was asked to, and says how much. One that sells only reading
from it caches every prompt, and says afterwards what of it was found. Without a price for reading there is no cache.
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
    if price.cache_write is None:
        return Usage(input=tokens - found, cache_read=found, output=output)
    return Usage(cache_read=found, cache_write=tokens - found, output=output)


def held(usage: Usage, price: Price) -> int:
    """Tokens of the prompt that the provider's cache holds after it has reported this usage."""
    if price.cache_read is not None and price.cache_write is None:
        return usage.input + usage.cache_read
    return usage.cache_read + usage.cache_write
