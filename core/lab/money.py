"""What requests would have cost elsewhere: real usage at another target's price, with the prompt cache that is lost.

After a request went elsewhere, the session's caches are others than those that were recorded: the other target's cache
holds what was sent there, the one that was left is not used again, and a way back reads what is still there. Where they
are as recorded, so is the usage. Tokens are taken as they were reported, whichever model counts them. Pure.
"""

from typing import Final

from msgspec import Struct

from core.exchange import SessionState, Target
from core.messages import Usage
from core.prices import exact
from core.prompt_cache import LEAST_TOKENS, held, reported
from core.schema import Price

#: So many requests lie between two looks at which sessions are over.
_SWEEP: Final = 1000
#: A session is over when nothing came of it for so much longer (ms): clocks are not all alike.
_SLACK_MS: Final = 60_000


class Bill(Struct, frozen=True):
    """Micro-USD times a million (`prices.exact`), None where a price is not known. `cold`: what of `candidate` is due
    to caches that hold less than those that were used, less than nothing where they hold more.
    """

    base: int | None
    candidate: int | None
    cold: int = 0


class Asked(Struct, frozen=True):
    """A request that was answered: by whom in truth, and by whom in the candidate's world (None: it was refused)."""

    at_ms: int
    session: SessionState
    usage: Usage
    real: Target
    candidate: Target | None


class SessionCaches:
    """One session's caches in the candidate's world, where they differ from the recorded ones: tokens and time."""

    def __init__(self) -> None:
        self.differ: dict[Target, tuple[int, int]] = {}
        self.last_ms = 0

    def bill(self, asked: Asked, paid: int | None, price: Price, keep_s: float) -> Bill:
        """What the request costs in both worlds: `paid` is what it did cost, `price` the candidate's target's. The
        caches are those after it from now on. In order of time.
        """
        if asked.candidate is None:
            self._after(asked, 0)
            return Bill(paid, 0)
        usage = self._usage(asked, asked.candidate, price, keep_s)
        self._after(asked, held(usage, price))
        costs = exact(usage, price)
        if costs is None or usage is asked.usage:
            return Bill(paid, costs)
        return Bill(paid, costs, costs - (exact(_as_warm(asked.usage, price), price) or 0))

    def _usage(self, asked: Asked, there: Target, price: Price, keep_s: float) -> Usage:
        """As it was reported, if the same target was asked with the same caches, else as it would have been."""
        if there == asked.real and there not in self.differ:
            return asked.usage
        found = min(self._cached(asked, there, keep_s), _shared(asked, keep_s))
        return reported(price, _prompt(asked.usage), found, asked.usage.output)

    def _cached(self, asked: Asked, target: Target, keep_s: float) -> int:
        if target not in self.differ:
            return asked.session.cached(str(target), asked.at_ms, keep_s)
        tokens, at_ms = self.differ[target]
        return tokens if asked.at_ms - at_ms <= keep_s * 1000 else 0

    def _after(self, asked: Asked, tokens: int) -> None:
        """Both worlds' caches after this request, where they differ. The candidate's target holds so many tokens."""
        self.last_ms = asked.at_ms
        if asked.candidate != asked.real:
            warm = next((each for each in asked.session.warm if each.target == str(asked.real)), None)
            self.differ.setdefault(asked.real, (warm.tokens, warm.at_ms) if warm else (0, 0))
            if asked.candidate is not None:
                self.differ[asked.candidate] = (tokens, asked.at_ms)
        elif asked.real in self.differ:
            # Asked in both worlds at once, with the same prompt: both caches hold it from now on.
            del self.differ[asked.real]


def _prompt(usage: Usage) -> int:
    return usage.input + usage.cache_read + usage.cache_write


def _shared(asked: Asked, keep_s: float) -> int:
    """Tokens that the prompt has at most in common with earlier ones: where the real target's cache was warm, it read
    up to where the prompt differs (a compacted conversation begins anew).
    """
    prompt, warm = _prompt(asked.usage), asked.session.cached(str(asked.real), asked.at_ms, keep_s)
    differs = warm >= LEAST_TOKENS and asked.usage.cache_read < min(warm, prompt)
    return asked.usage.cache_read if differs else prompt


def _as_warm(usage: Usage, price: Price) -> Usage:
    """The usage at another target, if its cache had held what the one that was used held."""
    return reported(price, _prompt(usage), usage.cache_read, usage.output)


class Purse:
    """All sessions' caches, as long as anything is in them: what requests of many cost, in order of time."""

    def __init__(self) -> None:
        self._sessions: dict[str, SessionCaches] = {}
        self._requests = 0

    def __len__(self) -> int:
        """Sessions that are remembered."""
        return len(self._sessions)

    def bill(self, session: str, asked: Asked, paid: int | None, price: Price, keep_s: float) -> Bill:
        """See `SessionCaches.bill`."""
        caches = self._sessions.setdefault(session, SessionCaches())
        found = caches.bill(asked, paid, price, keep_s)
        self._requests += 1
        if self._requests % _SWEEP == 0:
            self._sweep(asked.at_ms - round(keep_s * 1000) - _SLACK_MS)
        return found

    def _sweep(self, before_ms: int) -> None:
        """Forget sessions whose caches are as they were, or have all expired in both worlds."""
        both = self._sessions.items()
        self._sessions = {key: caches for key, caches in both if caches.differ and caches.last_ms >= before_ms}
