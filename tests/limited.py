"""Requests on their way through the guard of limits, without a proxy around it."""

from typing import Any

from facts import features, settings, snapshot

from core.call import Call
from core.exchange import Attempt, Candidate, Decision, Exchange, Spent, Target
from core.guarding import Guard, Visit
from core.messages import Request, Usage
from core.routing.snapshot import Snapshot
from core.schema import ServerKey, Settings
from core.schema_state import LimitSettings, RedisSettings

ONE, TWO = Target("openai", "gpt-5.1"), Target("deepseek", "deepseek-chat")


def configured(limits: dict[str, Any], redis: str = "") -> Settings:
    """Settings with these limits."""
    there = RedisSettings(url=redis, timeout_ms=2000)
    return settings().model_copy(update={"limits": LimitSettings.model_validate(limits), "redis": there})


class Passage:
    """One request: `async with passage: await passage.reserve(...)`, then attempts and what came of them."""

    def __init__(self, guard: Guard, config: Settings, shot: Snapshot, number: int = 1, **who: Any) -> None:
        self.exchange = Exchange(f"req_{number}", who.pop("endpoint", "/v1/messages"), who.pop("dialect", "anthropic"))
        key = ServerKey.model_validate({"name": who["key"], "key": {"env": "K"}}) if who.get("key") else None
        self.visit = Visit((guard,), self.exchange, config, key, who.get("address", "1.2.3.4"))
        self.call = Call(self.exchange, shot, {}, {}, "", 0, 0)
        self.call.features = features()

    async def __aenter__(self) -> "Passage":
        await self.visit.__aenter__()
        return self

    async def __aexit__(self, *how: Any) -> None:
        await self.visit.__aexit__(*how)

    async def reserve(self, sent: int, answer: int, *targets: Target) -> None:
        """It is decided: these targets, the request's tokens, and the longest answer."""
        self.call.request = Request(dialect="anthropic", raw=b"", model="m", messages=[], max_tokens=answer)
        candidates = tuple(Candidate(target, tokens=sent) for target in targets or (ONE,))
        self.exchange.decision = Decision("default", "default", candidates, "a" * 12)
        await self.visit.reserve(self.call)

    async def at_target(self, place: int = 0) -> None:
        """The candidate of this place is about to be asked."""
        assert self.exchange.decision is not None
        await self.visit.at_target(self.call, self.exchange.decision.candidates[place])

    def answered(self, sent: int, answer: int, target: Target = ONE, pieces: int = 0) -> None:
        """The whole answer is there, in so many pieces."""
        self.exchange.contents = pieces
        self.exchange.attempts.append(Attempt(target, "ok", 1.0))
        self.exchange.answered_by, self.exchange.whole = target, True
        self.exchange.usage = Usage(input=sent, output=answer)

    def broke_off(self, pieces: int, usage: Usage | None = None, target: Target = ONE) -> None:
        """So many pieces of an answer came, and no more."""
        self.exchange.attempts.append(Attempt(target, "ok", 1.0))
        self.exchange.answered_by, self.exchange.contents = target, pieces
        self.exchange.usage = usage or Usage()

    def failed(self, outcome: str, used: Usage | None = None, target: Target = ONE) -> None:
        """The attempt came to nothing."""
        self.exchange.attempts.append(Attempt(target, outcome, 1.0))
        if used:
            self.exchange.spent.append(Spent(target, used))
            self.exchange.lost = self.exchange.lost.plus(used)


def shot(config: Settings) -> Snapshot:
    """The snapshot of these settings."""
    return snapshot(config)
