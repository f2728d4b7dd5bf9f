"""Rate limits as arithmetic on integers. Pure: time is a parameter, in milliseconds of a clock that never goes back.

The generic cell rate algorithm (ITU-T I.371), written as the leaky bucket that it is the same as: a bucket's level is
its theoretical arrival time less now, counted in ticks instead of time so that nothing is ever rounded. With
burst = limit / 10 (at least 1) and refill = limit - burst, one unit is `UNIT` ticks and drains in 60 s / refill.

No 60 s hold more than the limit. From s on a bucket drains at most 60 s x refill, and what it drained and what it holds
is all that was let in, so at most refill + burst = limit. A request of more than the burst must find the bucket idle
for as long as the excess takes to drain: it uses what the time before it did not, and keeps what comes after it
waiting, so the sum still holds. What is larger than the limit never passes.
"""

from typing import Final, Literal

from msgspec import Struct

Scope = Literal["key", "address", "target"]
Kind = Literal["requests", "tokens", "input_tokens", "output_tokens", "concurrent"]

WINDOW_MS: Final = 60_000
#: Ticks of one unit; a bucket drains `Rate.refill` ticks a millisecond.
UNIT: Final = WINDOW_MS
#: A wait that never ends: the request is larger than the limit.
NEVER: Final = -1


class Rate(Struct, frozen=True):
    """So many units in any 60 s; `limit` is at least 1."""

    limit: int

    @property
    def burst(self) -> int:
        """Units that an idle bucket takes at once."""
        return max(1, self.limit // 10)

    @property
    def refill(self) -> int:
        """Units that come back in 60 s; with a limit of 1 its only one, a full minute later."""
        return max(1, self.limit - self.burst)


class Level(Struct, frozen=True):
    """A bucket: `ticks` at `at` (ms); negative ones say how long it has been idle. `returned`: all that was ever given
    back, in ticks.
    """

    at: int
    ticks: int
    returned: int = 0


def idle(rate: Rate, now: int) -> Level:
    """A bucket that nobody used for 60 s, or ever: nothing needs to be remembered of it."""
    return Level(now, -WINDOW_MS * rate.refill)


def drained(rate: Rate, level: Level, now: int) -> Level:
    """The same bucket now. Its level is bounded both ways, so that a limit may change while it is in use."""
    past = max(0, now - level.at)
    ticks = min(level.ticks, rate.limit * UNIT) - past * rate.refill
    return Level(max(now, level.at), max(ticks, -WINDOW_MS * rate.refill), level.returned)


def wait_ms(rate: Rate, level: Level, units: int) -> int:
    """0: so many units may pass now. Else in how many milliseconds they may, or `NEVER`. `level` is drained."""
    if units > rate.limit:
        return NEVER
    ticks = level.ticks if units > rate.burst else max(level.ticks, 0)
    over = ticks + (units - rate.burst) * UNIT
    return max(0, -(-over // rate.refill))


def taken(level: Level, units: int) -> Level:
    """The bucket with so many units more."""
    return Level(level.at, max(level.ticks, 0) + units * UNIT, level.returned)


def settled(rate: Rate, level: Level, mark: Level, reserved: int, used: int) -> Level:
    """The bucket when it is known what a reservation used. `mark` is the bucket as it was right after the reservation.

    Never lower than it would be if the request had only taken what it used: what drained since then, and what was
    given back since then, no longer stands in the bucket and cannot be given back. So the bound above holds for what
    was used, counted when it was reserved. What was used beyond the reservation counts from now on, up to the limit.
    """
    if used >= reserved:
        ticks = max(level.ticks, 0) + (used - reserved) * UNIT if used > reserved else level.ticks
        return Level(level.at, min(ticks, rate.limit * UNIT), level.returned)
    since = level.returned - mark.returned
    if since < 0:  # another bucket of this name: that one was forgotten
        return level
    standing = mark.ticks - (level.at - mark.at) * rate.refill - since
    back = max(0, min((reserved - used) * UNIT, standing, level.ticks))
    return Level(level.at, level.ticks - back, level.returned + back)


class Ask(Struct, frozen=True):
    """So many `units` of one limit. `whose` is a key's name, an address or a pattern of targets; `setting` is where the
    limit comes from.
    """

    scope: Scope
    whose: str
    kind: Kind
    limit: int
    units: int
    setting: str

    @property
    def name(self) -> str:
        """Of the bucket."""
        return f"{self.scope}:{self.whose}:{self.kind}"

    @property
    def rate(self) -> Rate:
        return Rate(self.limit)


class Said(Struct, frozen=True):
    """What one limit said: `wait_ms` as above; what is `left` of it for the next minute, and in how many milliseconds
    all of it is there again. `mark`: the bucket after the reservation; None for requests at once.
    """

    wait_ms: int
    left: int
    reset_ms: int
    mark: Level | None = None


class Taken(Struct, frozen=True):
    """What several limits said together: all of them let the request through, or none took anything. `shared`: Redis
    said it, and `lease` is the name under which it counts the request as being there.
    """

    asks: tuple[Ask, ...]
    said: tuple[Said, ...]
    lease: str = ""
    shared: bool = False

    @property
    def refused(self) -> list[tuple[Ask, Said]]:
        """Those that said no."""
        return [(ask, said) for ask, said in zip(self.asks, self.said, strict=True) if said.wait_ms]


def said(rate: Rate, level: Level, wait: int) -> Said:
    """What there is to say of a drained bucket."""
    ticks = max(level.ticks, 0)
    return Said(wait, max(0, rate.limit - -(-ticks // UNIT)), -(-ticks // rate.refill), level)
