"""What workers share, as each of them sees it: the same that a Redis gives to proxies, from the supervisor's memory.

Limits, budgets and kept answers are asked for; sessions, breakers and resting keys are told to all others, and are at
hand. Everything that is asked for is `StoreDown` while the supervisor does not answer.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from core.answer_cache import Kept
from core.budgets import Account, Limits
from core.exchange import ProviderKey, SessionState
from core.group.member import Member
from core.group.messages import Find, Keep, Look, Room, Settle, Share, Spent, Take
from core.limits import Ask, Said, Taken
from core.standing import Standing
from core.state.budgets_redis import Shared
from core.state.memory import MemorySessions
from core.state.redis_line import StoreDown
from core.state.standing_shared import Field, Hearing, marked

#: Answers that may wait to be taken by the supervisor, in bytes; further ones are not kept.
WAITING: Final = 16 * 1024 * 1024
SESSION, STANDING = "session", "standing"
_taken: Final = msgspec.msgpack.Decoder(Taken)
_said: Final = msgspec.msgpack.Decoder(list[Said])
_shared: Final = msgspec.msgpack.Decoder(Shared)
_kept: Final = msgspec.msgpack.Decoder(Kept | None)
_size: Final = msgspec.msgpack.Decoder(int)
_name: Final = msgspec.msgpack.Decoder(tuple[str, str])
_state: Final = msgspec.msgpack.Decoder(SessionState)
_field: Final = msgspec.msgpack.Decoder(Field)
_encode: Final = msgspec.msgpack.Encoder().encode


class GroupLimits:
    """As `RedisLimits`. Who dies is forgotten at once, so nobody has to say that he is still there."""

    def __init__(self, member: Member) -> None:
        self._member = member

    async def take(self, asks: Sequence[Ask], lease: str) -> Taken:
        """Take all of this, or nothing. `lease` names the request, uniquely in this process."""
        one = await self._member.ask(lambda number: Take(number, tuple(asks), lease), _taken)
        return Taken(one.asks, one.said, lease, shared=True)

    async def look(self, asks: Sequence[Ask]) -> list[Said]:
        """What is left of each. It takes nothing."""
        return await self._member.ask(lambda number: Look(number, tuple(asks)), _said)

    async def settle(self, one: Taken, used: Sequence[int]) -> None:
        """It is over, and used so many units of each."""
        self._member.say(Settle(one.lease, tuple(used)))

    async def abandon(self, asks: Sequence[Ask], lease: str) -> None:  # noqa: ARG002  # as others need them
        """Nobody heard the answer to this `take`: should it have been let in, it is not there."""
        self._member.say(Settle(lease, None))

    def gone(self, one: Taken) -> None:
        """What follows says so."""

    async def hold(self) -> None:
        """The line says so."""

    def forget(self) -> None:
        """There is nothing to forget."""


class GroupBudgets:
    """As `RedisBudgets`."""

    def __init__(self, member: Member) -> None:
        self._member = member

    async def hold(self, key: str, account: Account, limits: Limits, request: str, wanted: int) -> Shared:
        """Hold this for a request, in place of what it held before, if every limit has room. StoreDown."""
        return await self._share(key, account, {each.period: each.micros for each in limits.each}, request, wanted)

    async def report(self, key: str, account: Account, periods: tuple[str, ...], request: str = "") -> Shared:
        """What was spent, and that a request is over (or none). StoreDown."""
        return await self._share(key, account, dict.fromkeys(periods, -1), request, -1)

    async def replace(self, key: str, account: Account, periods: tuple[str, ...]) -> Shared:
        """The same, and all that is held. StoreDown."""
        return await self._share(key, account, dict.fromkeys(periods, -1), "", -1, held=account.held)

    def begin(self, before: dict[str, dict[str, int]]) -> None:
        """What keys had spent before this process began, by key and period; the first worker's word counts."""
        self._member.say(Spent(before))

    async def _share(
        self,
        key: str,
        account: Account,
        limits: dict[str, int],
        request: str,
        wanted: int,
        held: dict[str, int] | None = None,
    ) -> Shared:
        periods = {period: (limit, account.spent.get(period, 0)) for period, limit in limits.items()}
        return await self._member.ask(lambda number: Share(number, key, periods, request, wanted, held), _shared)


class GroupAnswers:
    """Kept answers. What does not answer is a miss."""

    def __init__(self, member: Member) -> None:
        self._member = member
        #: Bytes of all that is kept, as the supervisor said last.
        self.size = 0

    async def read(self, key: str) -> Kept | None:
        """The answer, if it is there."""
        try:
            return await self._member.ask(lambda number: Find(number, key), _kept)
        except StoreDown:
            return None

    def write(self, key: str, kept: Kept, ttl_s: float) -> None:
        """Keep the answer for so many seconds."""
        if self._member.unsent + len(kept.body) <= WAITING:
            self._member.tell(lambda number: Keep(number, key, kept, ttl_s), self._is)

    def bound(self, room: int) -> None:
        """At most so many bytes from now on."""
        self._member.say(Room(room))

    def _is(self, answer: bytes | None) -> None:
        if answer is not None:
            self.size = _size.decode(answer)


class GroupSessions:
    """Each worker remembers what all were told: to read costs nothing."""

    def __init__(self, member: Member, memory: MemorySessions) -> None:
        self._member, self._memory = member, memory
        member.listen(SESSION, self._heard)

    async def read(self, client_key: str, session_id: str) -> SessionState:
        """See `core.state.sessions.Sessions`."""
        return await self._memory.read(client_key, session_id)

    def write(self, client_key: str, session_id: str, state: SessionState) -> None:
        """The same."""
        self._memory.write(client_key, session_id, state)
        if session_id:
            self._member.all(SESSION, _encode((client_key, session_id)), _encode(state), self._memory.ttl_s)

    def _heard(self, key: bytes, data: bytes, _: float) -> None:
        self._memory.write(*_name.decode(key), _state.decode(data))


class GroupStanding(Hearing):
    """What each worker sees of targets, told to all others as soon as it happens."""

    def __init__(self, member: Member, standing: Standing) -> None:
        super().__init__(standing)
        self._member = member
        member.listen(STANDING, self._told)

    def _tell(self, field: Field, word: str, seconds: float) -> None:
        self._member.all(STANDING, _encode(field), word.encode(), seconds or 1.0)

    def _told(self, key: bytes, data: bytes, left_s: float) -> None:
        self.take_over(_field.decode(key), data.decode(), left_s)

    def _mark(self, key: ProviderKey) -> str:
        return marked(key, self._member.token)
