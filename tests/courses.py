"""What tests of a request's course need: candidates, keys, failures, and a world whose clocks and dice they hold."""

from collections.abc import Sequence
from typing import Any

from core.course import Course, Means
from core.errors import ProxyError, UpstreamFailed
from core.exchange import Candidate, ProviderKey, Target
from core.schema import ResilienceSettings
from core.standing import IN_A_ROW, Observer, Permit, Standing

A, B, C = (Candidate(Target(provider, "m")) for provider in ("a", "b", "c"))
KEYS = {"a": tuple(ProviderKey(position, f"sk-{position}") for position in (1, 2, 3))}


class Seen(Observer):
    def __init__(self) -> None:
        self.moves: list[tuple[str, str]] = []
        self.refused = 0
        self.rests: list[tuple[str, int, str]] = []

    def again(self, reason: str, action: str) -> None:
        self.moves.append((reason, action))

    def exhausted(self) -> None:
        self.refused += 1

    def key_rests(self, target: Target, key: int, why: str, rest_s: float) -> None:
        self.rests.append((target.provider, key, why))


class World(Means):
    """Everything that requests share, at a time that the tests tell."""

    def __init__(self) -> None:
        self.now, self.seen = 0.0, Seen()
        standing = Standing(self.seen, clock=lambda: self.now)
        super().__init__(standing, wall=lambda: 1_445_412_480.0 + self.now, dice=lambda: 0.5)
        standing.keep({candidate.target: "http://x" for candidate in (A, B, C)})

    def on(self, *candidates: Candidate, keys: dict[str, Any] | None = None, **settings: Any) -> Course:
        return self.course(candidates, keys or {}, ResilienceSettings(**settings), session="s", dialect="anthropic")

    def open(self, candidate: Candidate, times: int = IN_A_ROW) -> None:
        for _ in range(times):
            permit = self.standing.ask(candidate.target, ())
            assert isinstance(permit, Permit)
            permit.done(fault=True)

    def refuse(self, candidate: Candidate) -> None:
        permit = self.standing.ask(candidate.target, ())
        assert isinstance(permit, Permit)
        self.standing.refused(permit, everywhere=True)


def failure(status: int, stage: str = "answered", **headers: str) -> UpstreamFailed:
    failed = UpstreamFailed(status, f"{status} {stage}", stage=stage)
    failed.headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return failed


def walk(course: Course, failures: Sequence[UpstreamFailed]) -> tuple[list[str], list[float], ProxyError | None]:
    """Who is asked, after which waits, and what the client is told if these failures come one after another."""
    asked, waits = [], []
    try:
        with course:
            for failed in failures:
                waits.append(course.wait_s)
                step = course.next()
                asked.append(f"{step.candidate.target.provider}{step.permit.key.position or ''}")
                course.failed(failed)
            waits.append(course.wait_s)
            step = course.next()
            asked.append(f"{step.candidate.target.provider}{step.permit.key.position or ''}")
            step.permit.answered(None)
            step.permit.done(fault=False)
    except ProxyError as told:
        return asked, waits, told
    return asked, waits, None
