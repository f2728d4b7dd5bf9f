"""What providers report of their prompt caches, as a model: for benches that play whole sessions. Pure, by its clock.

A cache holds the beginnings of prompts that were sent to a target, each for five minutes after its last use (as
Anthropic and OpenAI document it). A prompt of at least 1024 tokens is cached whole, and read up to where it differs
from what is there. A target without a price for reading from a cache has none. Every target counts tokens alike.
"""

from collections.abc import Sequence
from typing import Final

from core.exchange import Target
from core.messages import Usage
from core.prompt_cache import LEAST_TOKENS, reported
from core.schema import Price

KEEP_MS: Final = 300_000

#: Pieces of a prompt in their order: what they are, and their tokens.
Pieces = Sequence[tuple[str, int]]


class PromptCaches:
    """The caches of all targets."""

    def __init__(self) -> None:
        self._held: dict[Target, dict[tuple[tuple[str, int], ...], int]] = {}

    def ask(self, target: Target, price: Price, prompt: Pieces, output: int, now_ms: int) -> Usage:
        """What the target reports of this request; its prompt is cached from now on."""
        tokens = sum(count for _, count in prompt)
        found = 0
        if price.cache_read is not None and tokens >= LEAST_TOKENS:
            found = self._read(target, prompt, now_ms)
            self._held[target][tuple(prompt)] = now_ms
        return reported(price, tokens, found, output)

    def _read(self, target: Target, prompt: Pieces, now_ms: int) -> int:
        """Tokens of the longest beginning that is there; what it is found in was used."""
        held = {there: at for there, at in self._held.get(target, {}).items() if now_ms - at <= KEEP_MS}
        self._held[target] = held
        common = {there: _common(there, prompt) for there in held}
        best = max(common, key=lambda there: common[there], default=None)
        if best is None or common[best] < LEAST_TOKENS:
            return 0
        held[best] = now_ms
        return common[best]


def _common(there: Pieces, prompt: Pieces) -> int:
    tokens = 0
    for one, other in zip(there, prompt, strict=False):
        if one != other:
            break
        tokens += one[1]
    return tokens
