"""The guards of a request: who may say no to it before it costs anything, and who is told what it cost in the end.

    async with guards.visit(...) as visit:        # enter: key, address, request rate, concurrency
        …read the body, decode, decide…
        await visit.reserve(call)                 # tokens and money, now that it is known who should answer
        await visit.at_target(candidate)          # before each attempt
        …answer…
                                                  # leave: what was reserved is settled, once, whatever happened

A guard that cannot say (its store is down) does as the configuration says: guards fail closed unless told otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from core.exchange import Candidate, Exchange
from core.schema import ServerKey, Settings

if TYPE_CHECKING:
    from core.call import Call


class TargetFull(Exception):
    """This target takes no more for now: the next candidate's turn. `wait_s`: in so many seconds it may."""

    def __init__(self, why: str, wait_s: float) -> None:
        super().__init__(why)
        self.why, self.wait_s = why, wait_s


class Guard:
    """One guard; does nothing by itself. `leave` is called once for each visit whose `enter` was begun."""

    def concerns(self, visit: "Visit") -> bool:  # noqa: ARG002  # other guards look at it
        """Whether it has a say in this request. If not, it hears no more of it."""
        return True

    async def enter(self, visit: "Visit") -> None:
        """The request is at the door: its key and address are known, its body is not. ProxyError refuses it."""

    async def reserve(self, visit: "Visit", call: "Call") -> None:
        """It is decided (`call.exchange.decision`). ProxyError refuses it."""

    async def at_target(self, visit: "Visit", call: "Call", candidate: Candidate) -> None:
        """It is about to ask this candidate. `TargetFull` passes on to the next one."""

    def leave(self, visit: "Visit") -> None:
        """It is over, whatever ended it: `visit.exchange` says what it used. Must not wait and must not raise."""

    def headers(self, visit: "Visit") -> dict[str, str]:  # noqa: ARG002  # other guards look at it
        """What the client is told with its answer, in its dialect (`visit.exchange.dialect`), also with an error."""
        return {}


@dataclass
class Visit:
    """One request and what its guards keep of it. `key` is None if the proxy has no client keys."""

    guards: Sequence[Guard]
    exchange: Exchange
    settings: Settings
    key: ServerKey | None = None
    address: str = ""
    #: What the key may still spend in micro-USD, of the smallest of its budgets; None if it has none.
    budget_left: int | None = None
    #: Each guard's own, by its class's name.
    kept: dict[str, Any] = field(default_factory=dict)
    #: Those that have a say, and of them those that were not left yet.
    _concerned: list[Guard] = field(default_factory=list)
    _entered: list[Guard] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        try:
            for guard in self.guards:
                if guard.concerns(self):
                    self._concerned.append(guard)
                    self._entered.append(guard)
                    await guard.enter(self)
        except BaseException:
            self._leave()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        while self._entered:
            self._entered.pop().leave(self)

    async def reserve(self, call: "Call") -> None:
        """What this request may cost is taken now."""
        for guard in self._concerned:
            await guard.reserve(self, call)

    async def at_target(self, call: "Call", candidate: Candidate) -> None:
        """`TargetFull` if this target takes no more now."""
        for guard in self._concerned:
            await guard.at_target(self, call, candidate)

    def headers(self) -> dict[str, str]:
        """Everything that the client is told of its limits."""
        told: dict[str, str] = {}
        for guard in self._concerned:
            told |= guard.headers(self)
        return told
