"""What is said of targets among those that share what they see of them, whatever carries it. Pure.

Requests look at their own process's `Standing` alone. What changes there is told, and what others tell changes it. A
key is named by a keyed hash of itself (HMAC-SHA-256 with it as the key), so that proxies with different keys do not
mix, and nobody learns one.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from core.exchange import ProviderKey, Target
from core.key_pool import NO_KEY
from core.standing import Others, Standing

CLOSED: Final = "closed"


class Field(msgspec.Struct, frozen=True, array_like=True):
    """What something is said of. `scope` is a target or a provider, `mark` its address's hash, or the key's."""

    kind: str
    scope: str
    mark: str


def marked(key: ProviderKey, among: str) -> str:
    """The key's name among those who share this text."""
    return hmac.digest(key.secret.encode(), among.encode(), "sha256").hex()[:16]


class Hearing(Others):
    """One process among others. Who carries what is said has `_tell` and `_mark`."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._addresses: Mapping[Target, str] = {}
        self._keys: dict[tuple[str, str], ProviderKey] = {}

    def know(self, addresses: Mapping[Target, str], rings: Mapping[str, Sequence[ProviderKey]]) -> None:
        """These targets and keys, from now on."""
        self._addresses = addresses
        providers = {target.provider for target in addresses}
        self._keys = {
            (provider, self._mark(key)): key for provider in providers for key in rings.get(provider) or (NO_KEY,)
        }

    def opened(self, target: Target, open_s: float) -> None:
        self._tell(self._breaker(target), "open", open_s)

    def closed(self, target: Target) -> None:
        self._tell(self._breaker(target), CLOSED, 0.0)

    def rests(self, scope: Target | str, key: ProviderKey, why: str, rest_s: float) -> None:
        self._tell(Field("rest", str(scope), self._mark(key)), why, rest_s)

    def _tell(self, field: Field, word: str, seconds: float) -> None:
        """Everybody else, soon: this counts for so many seconds."""
        raise NotImplementedError

    def _mark(self, key: ProviderKey) -> str:
        raise NotImplementedError

    def _breaker(self, target: Target) -> Field:
        address = self._addresses.get(target, "")
        return Field("breaker", str(target), hashlib.sha256(address.encode()).hexdigest()[:16])

    def take_over(self, field: Field, word: str, left_s: float) -> None:
        """Somebody else said so. ValueError if it is nothing that one of ours would say."""
        scope = Target.parse(field.scope) if "," in field.scope else field.scope
        if field.kind == "breaker" and isinstance(scope, Target) and field == self._breaker(scope):
            if word == CLOSED:
                self._standing.closed_elsewhere(scope)
            elif left_s > 0:
                self._standing.opened_elsewhere(scope, left_s)
        elif field.kind == "rest" and left_s > 0:
            provider = scope.provider if isinstance(scope, Target) else scope
            if key := self._keys.get((provider, field.mark)):
                self._standing.rests_elsewhere(scope, key, word, left_s)
