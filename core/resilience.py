"""What to do after a failed attempt, as a table. Nothing is retried once a content byte has gone to the client."""

from enum import Enum

from core.errors import UpstreamFailed


class Action(Enum):
    """The next move."""

    RETRY = "ask the same target again"
    NEXT = "ask the next candidate"
    STOP = "tell the client"


#: The request itself is at fault: any other provider would refuse it too, and clients read the message.
FINAL = frozenset({400, 413, 422})
#: Ours to mend (key, credit, model name): asking again is of no use, another target may serve.
NOT_HERE = frozenset({401, 402, 403, 404, 405})
#: The provider says when to come back: with no other candidate, the client is told.
LATER = frozenset({429})

#: Preferred actions by kind of failure; the first that is possible is taken.
TABLE: dict[str, tuple[Action, ...]] = {
    "final": (Action.STOP,),
    "not_here": (Action.NEXT, Action.STOP),
    "later": (Action.NEXT, Action.STOP),
    "server": (Action.NEXT, Action.RETRY, Action.STOP),
    "silent": (Action.NEXT, Action.STOP),
    "broken": (Action.RETRY, Action.NEXT, Action.STOP),
}


def kind(failure: UpstreamFailed) -> str:
    """The row of `TABLE` for a failure."""
    if failure.stage != "answered":
        # Who has waited out a clock does not wait it out again: the client's own clock is running too.
        return "silent" if failure.status == 504 else "broken"
    if failure.status in FINAL:
        return "final"
    if failure.status in NOT_HERE:
        return "not_here"
    return "later" if failure.status in LATER else "server"


def after(failure: UpstreamFailed, *, retries_left: int, more_candidates: bool) -> Action:
    """The action after this failure. A request has one retry in all (`retries_left` starts at 1)."""
    possible = {Action.STOP: True, Action.RETRY: retries_left > 0, Action.NEXT: more_candidates}
    return next(action for action in TABLE[kind(failure)] if possible[action])
