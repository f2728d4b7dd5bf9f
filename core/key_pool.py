"""Which of a provider's keys is used, and which rest. Pure: time is a parameter, in seconds.

A session stays on its key, because a provider's prompt cache belongs to the key's account; requests without a session
take turns. A key rests for one target when it was told to wait there, and for all targets of its provider when it is
refused. Nothing here is ever printed: it holds the keys.
"""

from collections.abc import Collection, Sequence
from typing import Final
from zlib import crc32

from msgspec import Struct

from core.exchange import ProviderKey, Target

#: Stands for the key of a provider that needs none.
NO_KEY: Final = ProviderKey(0, "")
#: A target, or a provider's name for all of its targets.
Scope = Target | str


class Closed(Struct, frozen=True):
    """Why a target is passed over (`breaker`, `rate_limited`, `key_refused`), and for how many seconds."""

    why: str
    wait_s: float


class KeyPool:
    """All providers' keys, as far as something is known of them."""

    def __init__(self) -> None:
        #: Until when a key rests, and why.
        self._rests: dict[tuple[Scope, str], tuple[float, str]] = {}
        self._turns: dict[str, int] = {}

    def choose(
        self, target: Target, ring: Sequence[ProviderKey], session: str, tried: frozenset[int], now: float
    ) -> ProviderKey:
        """The first key from the session's own place on that does not rest, else the one that rests the shortest.

        `tried` are positions that this request was refused with; they are taken only if there are no others.
        """
        if len(ring) < 2:
            return ring[0] if ring else NO_KEY
        start = self._start(target.provider, len(ring), session)
        keys = [*ring[start:], *ring[:start]]
        rests = [(key.position in tried, rest.wait_s if (rest := self.rest(target, key, now)) else 0.0) for key in keys]
        return keys[rests.index(min(rests))]

    def _start(self, provider: str, count: int, session: str) -> int:
        if session:
            return crc32(session.encode("utf-8", "replace")) % count
        turn = self._turns[provider] = (self._turns.get(provider, -1) + 1) % count
        return turn

    def rest(self, target: Target, key: ProviderKey, now: float) -> Closed | None:
        """Why this key is not used for this target now, and for how long; None if it is."""
        if not self._rests:  # the usual case, on the way of every request
            return None
        scopes: tuple[Scope, ...] = (target, target.provider)
        found = [rest for scope in scopes if (rest := self._rests.get((scope, key.secret)))]
        until, why = max(found, default=(now, ""))
        return Closed(why, until - now) if until > now else None

    def closed(self, target: Target, ring: Sequence[ProviderKey], now: float) -> Closed | None:
        """Why none of the keys is used for this target, and until the first is; None if one is."""
        rests = [self.rest(target, key, now) for key in (ring or (NO_KEY,))]
        return min((rest for rest in rests if rest), key=lambda rest: rest.wait_s) if all(rests) else None

    def lay_off(self, scope: Scope, key: ProviderKey, rest_s: float, why: str, now: float) -> bool:
        """Let the key rest for one target or for a provider; whether it did not before."""
        before, _ = self._rests.get((scope, key.secret), (now, ""))
        self._rests[scope, key.secret] = max(before, now + rest_s), why
        return before <= now < now + rest_s

    def served(self, target: Target, key: ProviderKey) -> None:
        """The key has just been good for this target."""
        if self._rests:
            self._rests.pop((target, key.secret), None)
            self._rests.pop((target.provider, key.secret), None)

    def forget(self, now: float, providers: Collection[str]) -> None:
        """Rests that are over, and whose turn it was of providers that are none of these."""
        self._rests = {key: rest for key, rest in self._rests.items() if rest[0] > now}
        self._turns = {provider: turn for provider, turn in self._turns.items() if provider in providers}
