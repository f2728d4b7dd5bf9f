"""What to do after a failed attempt: one table, and the arithmetic of retries. Pure.

Nothing is repeated once a content byte has gone to the client. Before that, a repetition may cost twice: a request that
was sent and came to nothing may have been worked on, and paid for. It changes nothing else in the world, and most
connections that break without an answer were idle ones that the provider had just closed, so it is repeated once
(`MAX_DOUBTS`), by us rather than by the client, which would not know of the other targets.
"""

from enum import Enum
from typing import Final

from msgspec import Struct

from core.errors import UpstreamFailed


class Action(Enum):
    """The next move."""

    KEY = "ask the same target with the provider's next key"
    WAIT = "ask the same target again when it said"
    RETRY = "ask the same target again"
    NEXT = "ask the next candidate"
    STOP = "tell the client"


#: The request itself is at fault: any other provider would refuse it too, and clients read the message.
FINAL: Final = frozenset({400, 413, 422})
#: The key may be at fault: unknown, without credit, or not for this.
BAD_KEY: Final = frozenset({401, 402, 403})
#: The provider says when to come back.
LATER: Final = frozenset({429})
#: Of the 4xx, those that say that the next try may succeed (RFC 9110, section 15.5.9; RFC 8470).
TRANSIENT: Final = frozenset({408, 409, 425})
#: Only the operator can mend it: key, credit, model name.
OPERATOR: Final = frozenset({401, 402, 403, 404, 405})

#: Preferred actions by kind of failure; the first that is possible is taken.
TABLE: Final[dict[str, tuple[Action, ...]]] = {
    "final": (Action.STOP,),
    "bad_key": (Action.KEY, Action.NEXT, Action.STOP),
    "not_here": (Action.NEXT, Action.STOP),
    "later": (Action.KEY, Action.NEXT, Action.WAIT, Action.STOP),
    "server": (Action.NEXT, Action.RETRY, Action.STOP),
    "silent": (Action.NEXT, Action.STOP),
    "unsent": (Action.RETRY, Action.NEXT, Action.STOP),
    "lost": (Action.RETRY, Action.NEXT, Action.STOP),
}
#: Stages after which the provider may have worked on the request, and be paid for it.
DOUBTFUL: Final = frozenset({"unknown", "cut", "stalled"})
#: A request is repeated after so many of those.
MAX_DOUBTS: Final = 1
#: Kinds that say that the target is not well. A 4xx says nothing of that, nor does a client that left.
UNWELL: Final = frozenset({"server", "silent", "unsent", "lost"})

#: Ceiling of the first wait before a retry, in seconds; it doubles with each.
FIRST_WAIT_S: Final = 0.5
#: Retries under way, as a share of the requests that wait for their answer to begin.
RETRY_SHARE: Final = 0.2
#: So many retries may be under way however few requests are.
RETRY_FLOOR: Final = 3


class Situation(Struct, frozen=True, kw_only=True):
    """What decides between the actions of a row.

    `tries` of at most `attempts` were made at this target; `doubts` counts the request's doubtful failures. `said_s` is
    how long the provider asked to wait, if it did, and `max_wait_s` the longest that the proxy waits for it.
    """

    tries: int = 1
    attempts: int = 2
    more_keys: bool = False
    more_targets: bool = False
    #: The target may be asked again: it is not closed off, and the budget has room.
    again: bool = True
    doubts: int = 0
    said_s: float | None = None
    max_wait_s: float = 5.0


def kind(failure: UpstreamFailed) -> str:
    """The row of `TABLE` for a failure."""
    if failure.lasting:
        return "not_here"
    if failure.stage != "answered":
        # Who has waited out a clock does not wait it out again: the client's own clock is running too.
        if failure.stage == "stalled" or failure.status == 504:
            return "silent"
        return "unsent" if failure.stage == "not_sent" else "lost"
    status = failure.status
    for row, statuses in (("final", FINAL), ("bad_key", BAD_KEY), ("later", LATER)):
        if status in statuses:
            return row
    return "server" if status >= 500 or status in TRANSIENT else "not_here"


def only_the_operator(failure: UpstreamFailed) -> bool:
    """Whether nobody else can mend it: a client that tries again multiplies it."""
    return failure.lasting or failure.status in OPERATOR


def unwell(failure: UpstreamFailed) -> bool:
    """Whether the target's breaker counts it."""
    return kind(failure) in UNWELL and not (failure.stage == "answered" and failure.status in TRANSIENT)


def after(row: str, now: Situation) -> Action:
    """The first action of this row that is possible."""
    again = now.again and now.tries < now.attempts and (now.said_s or 0.0) <= now.max_wait_s
    possible = {
        Action.KEY: now.more_keys,
        Action.WAIT: again and now.said_s is not None,
        Action.RETRY: again,
        Action.NEXT: now.more_targets,
        Action.STOP: True,
    }
    if now.doubts > MAX_DOUBTS:
        return Action.STOP
    return next(action for action in TABLE[row] if possible[action])


def wait_s(tries: int, said_s: float | None, max_wait_s: float, chance: float) -> float:
    """Seconds before a retry: what the provider asked for, and on top anything up to a doubling ceiling (full jitter).

    `chance` is from 0 to 1.
    """
    return (said_s or 0.0) + chance * min(max_wait_s, FIRST_WAIT_S * 2.0 ** min(tries - 1, 16))


class Budget:
    """Retries under way, so that an outage does not double the load on whoever has it."""

    def __init__(self) -> None:
        self.waiting = 0
        self.retries = 0

    def take(self) -> bool:
        """Whether one more retry may be made now; who takes it gives it back."""
        if self.retries >= max(RETRY_FLOOR, RETRY_SHARE * self.waiting):
            return False
        self.retries += 1
        return True

    def give_back(self) -> None:
        self.retries -= 1
