"""What workers share, over real lines to a supervisor's hub. Limits and budgets beside Redis' in tests/core/state."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from hub import Desk, desk, quiet
from limited import Passage, configured, shot
from loops import on_a_loop, until

from core.answer_cache import Kept
from core.budgets import Account
from core.errors import RateLimited, Unavailable
from core.exchange import ProviderKey, SessionState, Target
from core.group import member as member_module
from core.group import stores
from core.group.member import Member
from core.group.stores import GroupAnswers, GroupBudgets, GroupLimits, GroupSessions, GroupStanding
from core.limiting import Limiting
from core.messages import Usage
from core.schema import Settings
from core.standing import IN_A_ROW, Permit, Standing
from core.state.background import Background
from core.state.memory import EMPTY, MemorySessions
from core.state.redis import Redis
from core.state.redis_line import StoreDown

KEPT = Kept(b"an answer", Usage(output=3))
ONE = Target("p", "one")
KEY = ProviderKey(1, "sk-canary-1")


@on_a_loop
async def test_an_answer_that_one_kept_another_gives() -> None:
    async with desk() as (_, members):
        one, two = map(GroupAnswers, members)
        assert await two.read("key") is None
        one.write("key", KEPT, 60.0)
        assert await one.read("key") == KEPT
        assert await two.read("key") == KEPT
        assert one.size > len(KEPT.body)
        two.bound(0)
        assert await one.read("key") is None


@on_a_loop
async def test_what_waits_to_be_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "WAITING", len(KEPT.body) - 1)
    async with desk() as (_, [member, _other]):
        answers = GroupAnswers(member)
        answers.write("key", KEPT, 60.0)
        assert await answers.read("key") is None


@on_a_loop
async def test_a_session_is_known_to_all_and_to_who_comes_later() -> None:
    async with desk() as (supervisor, members):
        memories = [MemorySessions() for _ in range(3)]
        one, _two = (GroupSessions(member, memory) for member, memory in zip(members, memories, strict=False))
        state = SessionState(turns=3, last_target="p,one", home="p,one")
        one.write("laptop", "s", state)
        one.write("laptop", "", state)
        await quiet()
        late = await supervisor.joined("2")
        GroupSessions(late, memories[2])
        await quiet()
        assert [memory.find("laptop", "s") for memory in memories] == [state] * 3
        assert await one.read("laptop", "other") == EMPTY


class Seen:
    """One worker's book."""

    def __init__(self, member: Member, secret: str = KEY.secret) -> None:
        self.ring = (ProviderKey(1, secret),)
        self.book = Standing(clock=lambda: 0.0)
        self.book.keep({ONE: "http://p"})
        self.shared = GroupStanding(member, self.book)
        self.shared.know({ONE: "http://p"}, {"p": self.ring})
        self.book.others = self.shared

    def permit(self) -> Permit:
        permit = self.book.ask(ONE, self.ring)
        assert isinstance(permit, Permit)
        return permit

    def why(self) -> str:
        closed = self.book.closed(ONE, self.ring)
        return closed.why if closed else ""


@on_a_loop
async def test_a_breaker_opens_and_closes_for_all() -> None:
    async with desk() as (supervisor, members):
        first, second = map(Seen, members)
        for _ in range(IN_A_ROW):
            first.permit().done(fault=True)
        await quiet()
        late = Seen(await supervisor.joined("2"))
        await quiet()
        assert [each.why() for each in (first, second, late)] == ["breaker"] * 3
        second.book.closed_elsewhere(ONE)
        second.shared.closed(ONE)  # as after an answer
        await quiet()
        last = Seen(await supervisor.joined("3"))
        await quiet()
        assert [each.why() for each in (first, second, late, last)] == [""] * 4


@on_a_loop
async def test_a_key_rests_where_it_is_the_same() -> None:
    async with desk(3) as (_, members):
        first, second = map(Seen, members[:2])
        other = Seen(members[2], "sk-canary-2")
        first.book.refused(first.permit(), everywhere=True)
        await quiet()
        assert [each.why() for each in (first, second, other)] == ["key_refused", "key_refused", ""]


@dataclass
class Scene:
    """Two workers with limits, and requests that go through them."""

    config: Settings
    desk: Desk
    members: list[Member]

    def __post_init__(self) -> None:
        self.snapshot, self.numbers = shot(self.config), count()
        self.guards = [Limiting(Redis(), Background(), group=GroupLimits(member)) for member in self.members]
        for guard in self.guards:
            guard.use(self.config)

    def request(self, at: int) -> Passage:
        return Passage(self.guards[at], self.config, self.snapshot, next(self.numbers))


@asynccontextmanager
async def limited(**limits: Any) -> AsyncIterator[Scene]:
    async with desk(clock=lambda: 0) as (supervisor, members):
        yield Scene(configured(limits), supervisor, members)
        await quiet()


@on_a_loop
async def test_workers_count_together_and_who_died_is_not_there() -> None:
    async with limited(concurrent=3) as scene, scene.request(0), scene.request(0), scene.request(1):
        with pytest.raises(RateLimited):
            await scene.request(1).__aenter__()
        await scene.desk.died("0")
        async with scene.request(1), scene.request(1):
            with pytest.raises(RateLimited):
                await scene.request(1).__aenter__()


@on_a_loop
async def test_many_at_once_take_no_unit_twice() -> None:
    async with limited(requests_per_minute=100) as scene:

        async def one(number: int) -> int:
            with suppress(RateLimited):
                async with scene.request(number % 2):
                    return 1
            return 0

        assert sum(await asyncio.gather(*(one(number) for number in range(100)))) == 10


@pytest.mark.parametrize("without", ["local", "closed"])
@on_a_loop
async def test_without_an_answer_each_counts_for_itself_or_nobody_is_let_in(
    without: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_module, "PATIENCE_S", 0.05)
    monkeypatch.setattr(member_module, "LOOK_S", 0.01)
    async with limited(requests_per_minute=100, without_redis=without) as scene:
        scene.desk.deaf("0")
        for _ in range(3):  # the first one waits, the others do not
            told = nullcontext() if without == "local" else pytest.raises(Unavailable, match="the supervisor cannot be")
            with told:
                async with scene.request(0):
                    pass
        scene.desk.hears("0")
        await until(lambda: not scene.members[0].down, 0.01)
        async with scene.request(0):
            left = await scene.guards[1].left()
        assert [said.left for _, said in left] == [98]  # of those that heard nothing, only the first one asked


@on_a_loop
async def test_who_asks_a_supervisor_that_dies_is_told_at_once() -> None:
    async with desk() as (supervisor, [member, _]):
        supervisor.deaf("0")
        asked = [asyncio.ensure_future(GroupBudgets(member).report("ci", Account(), ("2026-11",))) for _ in range(2)]
        await quiet()
        await supervisor.died("0")
        for each in asked:
            with pytest.raises(StoreDown):
                await each
        with pytest.raises(StoreDown):
            await GroupLimits(member).look([])
