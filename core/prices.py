"""What a request costs, from the model cards' prices: pure, in whole micro-USD (a millionth of a US dollar).

A price of one US dollar for a million tokens is one micro-USD a token. Sums are exact: prices are taken to a millionth
of a dollar a million tokens, and a request is rounded up once.
"""

from collections.abc import Callable, Iterable
from typing import Final

from core.exchange import Candidate, Cost, Spent, Target
from core.messages import Usage
from core.schema import ModelCard, Price

MICRO: Final = 1_000_000
#: So much of an answer is expected where neither the client nor the model's card says how long it may be, in tokens.
SOME_OUTPUT: Final = 4096
#: What a target's card says.
Cards = Callable[[Target], ModelCard]


def micros(dollars: float) -> int:
    """US dollars as micro-USD."""
    return round(dollars * MICRO)


def cost(bill: Iterable[Spent], card: Cards) -> Cost:
    """What all of it costs, each part at its own target's price."""
    total, unpriced = 0, False
    for spent in bill:
        part = exact(spent.usage, card(spent.target).price)
        unpriced |= part is None
        total += part or 0
    return Cost(_rounded_up(total), unpriced)


def estimate(candidate: Candidate, asked: int | None, card: ModelCard) -> Cost:
    """The most that asking a candidate may cost, as far as its tokens are known. `asked`: the client's own max_tokens.

    All that is sent may be written to the prompt cache, where that is dearer.
    """
    price, output = card.price, _most_output(candidate, asked, card)
    read = exact(Usage(input=candidate.tokens, output=output), price)
    written = exact(Usage(cache_write=candidate.tokens, output=output), price)
    return Cost(_rounded_up(max(read or 0, written or 0)), read is None or written is None)


def _most_output(candidate: Candidate, asked: int | None, card: ModelCard) -> int:
    room = None if card.context_window is None else max(1, card.context_window - candidate.tokens)
    known = (candidate.max_tokens, asked, card.max_output, room, SOME_OUTPUT)
    return next(tokens for tokens in known if tokens is not None)


def exact(usage: Usage, price: Price) -> int | None:
    """Micro-USD times a million; None if what was used has no price. `reasoning` is a part of `output`.

    Reading from a prompt cache and writing to it cost what `input` does, unless the card has a price of their own.
    """
    total = 0
    for tokens, dollars in (
        (usage.input, price.input),
        (usage.output, price.output),
        (usage.cache_read, price.input if price.cache_read is None else price.cache_read),
        (usage.cache_write, price.input if price.cache_write is None else price.cache_write),
    ):
        if tokens:
            if dollars is None:
                return None
            total += tokens * micros(dollars)
    return total


def _rounded_up(exact: int) -> int:
    return -(-exact // MICRO)
