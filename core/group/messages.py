"""What a supervisor and its workers say to each other. Pure."""

from msgspec import Struct

from core.answer_cache import Kept
from core.limits import Ask


class Welcome(Struct, tag=0, array_like=True, frozen=True):
    """The first word to a worker: which of how many it is, the admin token, and descriptors: all listeners in the order
    of the workers that they belong to, and the one by which they take turns at the log.
    """

    number: int
    count: int
    token: str
    listeners: tuple[int, ...]
    turns: int


class Worker(Struct, array_like=True, frozen=True):
    """One worker: `state` is one of `STATES`; `restarts` counts those that came before it in its place."""

    number: int
    process: int
    state: str
    restarts: int
    snapshot: str


#: Not serving yet; serving; ended, and not started again yet.
STARTING, READY, ENDED = STATES = ("starting", "ready", "ended")


class Workers(Struct, tag=1, array_like=True, frozen=True):
    """How all of them are now."""

    each: tuple[Worker, ...]


class Stop(Struct, tag=2, array_like=True, frozen=True):
    """Drain and end; `now`: what is under way is told, and not waited for."""

    now: bool


class Reload(Struct, tag=3, array_like=True, frozen=True):
    """Read the configuration again."""


class Cover(Struct, tag=4, array_like=True, frozen=True):
    """Accept from these workers' listeners, too, and from no others: they cannot."""

    numbers: tuple[int, ...]


class Told(Struct, tag=5, array_like=True, frozen=True):
    """Another worker said so: see `Tell`. `seconds` are what is left."""

    topic: str
    key: bytes
    data: bytes
    seconds: float


class Said(Struct, tag=6, array_like=True, frozen=True):
    """The answer to the question of this number, as MessagePack."""

    number: int
    answer: bytes


class Ready(Struct, tag=0, array_like=True, frozen=True):
    """The worker serves."""


class Serves(Struct, tag=1, array_like=True, frozen=True):
    """The worker serves by this snapshot from now on."""

    snapshot: str


class Tell(Struct, tag=2, array_like=True, frozen=True):
    """For all other workers, those included that begin within so many seconds: the last word on a key counts."""

    topic: str
    key: bytes
    data: bytes
    seconds: float


class Take(Struct, tag=3, array_like=True, frozen=True):
    """All of these, or nothing (`limits.Taken`)."""

    number: int
    asks: tuple[Ask, ...]
    lease: str


class Settle(Struct, tag=4, array_like=True, frozen=True):
    """What was taken under this lease is over, and used so many units of each; None: nobody knows that it was taken."""

    lease: str
    used: tuple[int, ...] | None


class Look(Struct, tag=5, array_like=True, frozen=True):
    """What is left of these (a list of `limits.Said`)."""

    number: int
    asks: tuple[Ask, ...]


class Share(Struct, tag=6, array_like=True, frozen=True):
    """What this worker has spent of a client key's budget in each period, with the period's limit (-1: none counts),
    and what a request wants to hold of it (-1: it is over); `held`: all that it holds (`budgets_redis.Shared`).
    """

    number: int
    key: str
    periods: dict[str, tuple[int, int]]
    request: str
    wanted: int
    held: dict[str, int] | None


class Spent(Struct, tag=7, array_like=True, frozen=True):
    """What client keys had spent before this worker began, by period."""

    before: dict[str, dict[str, int]]


class Find(Struct, tag=8, array_like=True, frozen=True):
    """The answer that is kept under this name, or None."""

    number: int
    key: str


class Keep(Struct, tag=9, array_like=True, frozen=True):
    """Keep an answer for so many seconds (the bytes of all answers)."""

    number: int
    key: str
    kept: Kept
    ttl_s: float


class Room(Struct, tag=10, array_like=True, frozen=True):
    """So many bytes of answers may be kept."""

    size: int


class Ping(Struct, tag=11, array_like=True, frozen=True):
    """Whether anybody is there (None)."""

    number: int


#: What the supervisor's store is asked. Those with a number are answered, as each says in brackets.
Asking = Take | Settle | Look | Share | Spent | Find | Keep | Room | Ping
ToWorker = Welcome | Workers | Stop | Reload | Cover | Told | Said
ToSupervisor = Ready | Serves | Tell | Asking
