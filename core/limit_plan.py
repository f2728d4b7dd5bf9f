"""Which limits hold for whom, by the configuration. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from core.exchange import Candidate, Target
from core.limits import Ask, Kind, Scope
from core.routing.permission import permitted, whole
from core.schema import ServerKey, Settings
from core.schema_state import Rates

FIELDS: Final[Mapping[Kind, str]] = {
    "requests": "requests_per_minute",
    "tokens": "tokens_per_minute",
    "input_tokens": "input_tokens_per_minute",
    "output_tokens": "output_tokens_per_minute",
    "concurrent": "concurrent",
}
#: Output of a request that sets itself no bound; what it uses beyond this is charged when it is known.
USUAL_OUTPUT: Final = 4096
DOOR: Final[dict[Kind, int]] = {"requests": 1, "concurrent": 1}


class Holder(Struct, frozen=True):
    """Somebody whose requests are limited together: `limits` are kind, limit and setting."""

    scope: Scope
    whose: str
    limits: tuple[tuple[Kind, int, str], ...]

    def asks(self, units: Mapping[Kind, int]) -> list[Ask]:
        """So much of each of its limits that is of one of these kinds."""
        return [
            Ask(self.scope, self.whose, kind, limit, units[kind], setting)
            for kind, limit, setting in self.limits
            if units.get(kind)
        ]


class Plan:
    """The limits of one configuration."""

    def __init__(self, settings: Settings) -> None:
        limits = settings.limits
        self.shared = limits.store != "memory" and (limits.store == "redis" or bool(settings.redis.url))
        self.closed = limits.without_redis == "closed"
        self._keys = {key.name: _of_key(key.name, key.limits, limits) for key in settings.server.keys}
        self._anonymous = _of_key("", Rates(), limits)
        self._address = _limits(limits.address, "limits.address")
        self._targets = tuple(
            Holder("target", name, found)
            for name, rates in limits.targets.items()
            if (found := _limits(rates, f'limits.targets."{name}"'))
        )
        clients = [*self._address, *(each for one in (self._anonymous, *self._keys.values()) for each in one.limits)]
        self.anything = bool(clients or self._targets)
        #: Whether tokens of clients count.
        self.tokens = any(kind not in DOOR for kind, _, _ in clients)

    def holders(self, key: ServerKey | None, address: str) -> tuple[Holder, ...]:
        """Who asks: the client's key (all who need none are one), and its address."""
        of_key = self._keys.get(key.name, self._anonymous) if key else self._anonymous
        holders = [of_key] if of_key.limits else []
        return (*holders, *self.of_address(address))

    def everybody(self, addresses: Sequence[str]) -> tuple[Holder, ...]:
        """All holders that have limits: clients' keys (or all clients, if there are none), these addresses, targets."""
        keys = self._keys.values() if self._keys else (self._anonymous,)
        named = (holder for address in addresses for holder in self.of_address(address))
        return (*(holder for holder in keys if holder.limits), *named, *self._targets)

    def of_address(self, address: str) -> tuple[Holder, ...]:
        """The client's address alone."""
        return (Holder("address", address, self._address),) if self._address else ()

    @property
    def addresses(self) -> bool:
        """Whether it matters where a request comes from."""
        return bool(self._address)

    def of_target(self, target: Target) -> tuple[Holder, ...]:
        """All entries that fit a target; targets that fit the same entry share it."""
        return tuple(holder for holder in self._targets if fits(holder.whose, target))


def fits(pattern: str, target: Target) -> bool:
    """Whether a glob over `provider,model`, or a provider's name, means this target."""
    return permitted(str(target), (whole(pattern),))


def _of_key(name: str, own: Rates, everybodys: Rates) -> Holder:
    limits = dict[Kind, tuple[Kind, int, str]]()
    for rates, where in ((everybodys, "limits"), (own, f'server.keys["{name}"].limits')):
        for kind, field in FIELDS.items():
            if (limit := getattr(rates, field)) is not None:
                limits[kind] = (kind, limit, f"{where}.{field}")
    return Holder("key", name, tuple(each for each in limits.values() if each[1]))


def _limits(rates: Rates, where: str) -> tuple[tuple[Kind, int, str], ...]:
    named = ((kind, getattr(rates, field), f"{where}.{field}") for kind, field in FIELDS.items())
    return tuple(each for each in named if each[1])


def tokens(candidate: Candidate, counted: int, asked: int | None, most: int | None) -> dict[Kind, int]:
    """What is reserved for a candidate: the request as it counts it, and the longest answer that it may give.

    `counted`: tokens of the request as we count it; `asked`: its own `max_tokens`; `most`: the model's. A request that
    sets no bound is taken for a usual one.
    """
    sent = candidate.tokens or counted
    answer = candidate.max_tokens or asked or min(most or USUAL_OUTPUT, USUAL_OUTPUT)
    return {"tokens": sent + answer, "input_tokens": sent, "output_tokens": answer}


def asks(holders: Sequence[Holder], units: Mapping[Kind, int]) -> list[Ask]:
    """So much of all their limits of these kinds."""
    return [ask for holder in holders for ask in holder.asks(units)]
