"""What providers report of their prompt caches, as a model: for whole sessions that nobody answers. Pure, by its clock.

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
#: From so many children on a piece forgets those that no cache holds any more.
_CROWD: Final = 64

#: A piece of a prompt: what it is, and its tokens.
Piece = tuple[str, int]


class _Held:
    """The end of a beginning that is cached, and what followed it."""

    __slots__ = ("after", "crowd", "used_ms")

    def __init__(self) -> None:
        self.after: dict[Piece, _Held] = {}
        self.used_ms, self.crowd = 0, _CROWD

    def next(self, piece: Piece, now_ms: int) -> "_Held":
        """Where this piece leads."""
        found = self.after.get(piece)
        if found is None:
            if len(self.after) >= self.crowd:
                self.after = {each: held for each, held in self.after.items() if held.warm(now_ms)}
                self.crowd = max(_CROWD, 2 * len(self.after))
            found = self.after[piece] = _Held()
        return found

    def warm(self, now_ms: int) -> bool:
        return now_ms - self.used_ms <= KEEP_MS


class PromptCaches:
    """The caches of all targets."""

    def __init__(self) -> None:
        self._held: dict[Target, _Held] = {}

    def ask(self, target: Target, price: Price, prompt: Sequence[Piece], output: int, now_ms: int) -> Usage:
        """What the target reports of this request; its prompt is cached from now on."""
        tokens = sum(count for _, count in prompt)
        cached = price.cache_read is not None and tokens >= LEAST_TOKENS
        return reported(price, tokens, self._use(target, prompt, now_ms) if cached else 0, output)

    def _use(self, target: Target, prompt: Sequence[Piece], now_ms: int) -> int:
        """Tokens of the longest beginning that is there; all of the prompt is from now on."""
        held, read = self._held.setdefault(target, _Held()), 0
        for piece in prompt:
            known = piece in held.after
            held = held.next(piece, now_ms)
            read += piece[1] if known and held.warm(now_ms) else 0  # what is behind a cold one is no warmer
            held.used_ms = now_ms
        return read


def counted(usage: Usage, tokens: int) -> Usage:
    """The usage of the same request with so many tokens of prompt: estimates become what was counted."""
    estimated = usage.input + usage.cache_read + usage.cache_write
    if not estimated:
        return usage
    read = usage.cache_read * tokens // estimated
    written = tokens - read if usage.cache_write else 0
    return Usage(input=tokens - read - written, cache_read=read, cache_write=written, output=usage.output)
