"""Redis: one client for all features, which never waits long and says when nobody is there.

    await redis.command("GET", redis.key("session", name))
    await redis.run(SCRIPT, [redis.key("limit", name)], [600, 1])

Both raise StoreDown instead of anything else; what a feature does then is its own setting. While the server is away
they raise it at once. What an answer holds is the feature's to judge: another program may have written there.
"""

import asyncio
import hashlib
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from core.schema_state import RedisSettings
from core.state.redis_line import Clock, Part, StoreDown, packed
from core.state.redis_link import Link, Observer, Server

__all__ = ["Observer", "Part", "Redis", "Script", "StoreDown"]


@dataclass(frozen=True)
class Script:
    """A script that the server runs as one step."""

    lua: str

    @cached_property
    def sha(self) -> str:
        return hashlib.sha1(self.lua.encode(), usedforsecurity=False).hexdigest()


class Redis:
    """The server of `use`; without one, everything is StoreDown. `clock` is monotonic seconds."""

    def __init__(self, observer: Observer | None = None, *, clock: Clock = time.monotonic) -> None:
        self._observer, self._clock = observer or Observer(), clock
        self._server = Server(RedisSettings(), "")
        self._link: Link | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    def use(self, settings: RedisSettings, password: str) -> None:
        """This server from now on. What is under way at another one ends there."""
        server = Server(settings, password)
        if server == self._server:
            return
        before, self._server = self._link, server
        if before is not None:
            before.end()
        self._link = Link(server, self._observer, self._clock) if settings.url else None
        with suppress(RuntimeError):  # before the start there is no loop, and nothing is connected
            asyncio.get_running_loop()
            self.start()
            self._leave(before)

    def start(self) -> None:
        """Connect, so that the first request need not. Needs the running event loop."""
        if self._link is not None:
            self._link.connect()

    def _leave(self, link: Link | None) -> None:
        if link is not None:
            task = asyncio.create_task(link.close())
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    @property
    def configured(self) -> bool:
        return self._link is not None

    @property
    def down(self) -> bool:
        """Whether the server is away, so that nobody asks it."""
        return self._link is not None and self._link.down

    @property
    def health(self) -> str:
        """`none` without a server, `ok`, or `down` while it is left alone: then each feature does as it is told."""
        return "none" if self._link is None else "down" if self._link.down else "ok"

    def key(self, *parts: str) -> str:
        """A key's name with the deployment's prefix."""
        return ":".join((self._server.settings.prefix, *parts))

    async def command(self, *parts: Part) -> Any:
        """The server's answer: bytes, an integer, a list or None."""
        return await self._ask(parts, self._clock())

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Part]) -> Any:
        """What the script returns. A server that has not seen it yet is told it, within the same time."""
        started = self._clock()
        try:
            return await self._ask(("EVALSHA", script.sha, len(keys), *keys, *args), started)
        except StoreDown as exc:
            if exc.kind != "no_script":
                raise
        return await self._ask(("EVAL", script.lua, len(keys), *keys, *args), started)

    async def _ask(self, parts: Sequence[Part], started: float) -> Any:
        if self._link is None:
            raise StoreDown("not_configured")
        if self._link.down:
            raise self._link.left_alone()
        return await self._link.ask(packed(parts), started)

    async def close(self) -> None:
        """Leave the server."""
        self._leave(self._link)
        self._link = None
        self._server = Server(RedisSettings(), "")
        await asyncio.gather(*self._leaving)


async def version_of(settings: RedisSettings, password: str) -> str:
    """The version of the server that answers there; StoreDown says why nobody does."""
    redis = Redis()
    redis.use(settings, password)
    try:
        told = await redis.command("INFO", "server")
    finally:
        await redis.close()
    found = re.search(rb"^redis_version:([\w.-]{1,32})", told, re.MULTILINE) if isinstance(told, bytes) else None
    if found is None:
        raise StoreDown("garbled")
    return found[1].decode()
