"""Session state in Redis, for all proxies of one server: `PREFIX:session:KEY:CONVERSATION`, a hash that expires.

`turns` is counted by the server, so that it never goes back; `state` is the last writer's, as MessagePack behind a byte
that names the version. What is there and cannot be read, is of another version or of another type counts as nothing,
and the next answer writes over it. While the server cannot be reached, every conversation is a new one.
"""

from typing import Final

import msgspec

from core.exchange import Natural, SessionState
from core.state.background import Background
from core.state.memory import EMPTY
from core.state.redis import Redis, Script, StoreDown

VERSION: Final = b"\x01"
#: Whatever else was under this name gives way.
WRITE: Final = Script("""
local turns = redis.pcall('HINCRBY', KEYS[1], 'turns', 1)
if type(turns) ~= 'number' then
  redis.call('DEL', KEYS[1])
  turns = 0
end
if turns < tonumber(ARGV[3]) then redis.call('HSET', KEYS[1], 'turns', ARGV[3]) end
redis.call('HSET', KEYS[1], 'state', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
""")

_decode = msgspec.msgpack.Decoder(SessionState).decode
_natural = msgspec.json.Decoder(Natural).decode
_encode = msgspec.msgpack.Encoder().encode


class RedisSessions:
    """See `Sessions`. What waits to be written is read from here, so that a quick next request finds it."""

    def __init__(self, redis: Redis, background: Background, ttl_s: float = 3600.0) -> None:
        self._redis, self._background, self._ttl_s = redis, background, ttl_s
        self._waiting: dict[str, SessionState] = {}

    def use(self, ttl_s: float) -> None:
        """What is written from now on is kept for so many seconds."""
        self._ttl_s = ttl_s

    async def read(self, client_key: str, session_id: str) -> SessionState:
        """One round trip; empty if the server does not answer."""
        key = self._redis.key("session", client_key, session_id)
        waiting = self._waiting.get(key)
        if waiting is not None:
            return waiting
        try:
            return decoded(await self._redis.command("HMGET", key, "turns", "state"))
        except StoreDown:
            return EMPTY

    def write(self, client_key: str, session_id: str, state: SessionState) -> None:
        """Soon, and without anybody waiting for it."""
        if not session_id:
            return
        key = self._redis.key("session", client_key, session_id)

        async def write() -> None:
            try:
                await self._redis.run(WRITE, [key], [encoded(state), max(1, round(self._ttl_s * 1000)), state.turns])
            finally:
                if self._waiting.get(key) is state:
                    del self._waiting[key]

        if self._background.soon(write):
            self._waiting[key] = state


def encoded(state: SessionState) -> bytes:
    """The bytes that are kept."""
    return VERSION + _encode(state)


def decoded(found: object) -> SessionState:
    """What the server's answer says: `turns` and the state's bytes; empty if it says anything else."""
    match found:
        case [bytes(turns), bytes(data)] if data.startswith(VERSION):
            try:
                return msgspec.structs.replace(_decode(data[len(VERSION) :]), turns=_natural(turns))
            except (msgspec.MsgspecError, ValueError):
                return EMPTY
    return EMPTY
