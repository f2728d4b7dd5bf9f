"""Redis: one client for all features, which never waits long and says when nobody is there.

    await redis.command("GET", redis.key("session", name))
    await redis.run(SCRIPT, [redis.key("limit", name)], [600, 1])

Both raise StoreDown instead of anything else; what a feature does then is its own setting.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import redis.asyncio as client
from redis.exceptions import NoScriptError, RedisError

from core.schema_state import RedisSettings

Part = str | bytes | int | float


class StoreDown(Exception):
    """The server cannot be reached, did not answer in time, or answered with an error."""


@dataclass(frozen=True)
class Script:
    """A script that the server runs as one step."""

    lua: str

    @cached_property
    def sha(self) -> str:
        return hashlib.sha1(self.lua.encode(), usedforsecurity=False).hexdigest()


class Redis:
    """The connection to the server of `use`; without one, everything is StoreDown."""

    def __init__(self) -> None:
        self._settings = RedisSettings()
        self._client: client.Redis | None = None

    def use(self, settings: RedisSettings, password: str) -> None:
        """This server from now on."""
        self._settings = settings
        self._client = (
            client.Redis.from_url(settings.url, username=settings.username or None, password=password or None)
            if settings.url
            else None
        )

    @property
    def configured(self) -> bool:
        return self._client is not None

    def key(self, *parts: str) -> str:
        """A key's name with the deployment's prefix."""
        return ":".join((self._settings.prefix, *parts))

    async def command(self, *parts: Part) -> Any:
        """The server's answer: bytes, an integer, a list or None."""
        if self._client is None:
            raise StoreDown("redis.url is not set")
        try:
            async with asyncio.timeout(self._settings.timeout_ms / 1000):
                return await self._client.execute_command(*parts)  # type: ignore[no-untyped-call]
        except NoScriptError:
            raise
        except (RedisError, OSError, TimeoutError) as exc:
            raise StoreDown(type(exc).__name__) from None

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Part]) -> Any:
        """What the script returns."""
        try:
            return await self.command("EVALSHA", script.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await self.command("EVAL", script.lua, len(keys), *keys, *args)

    async def close(self) -> None:
        """Leave the server."""
        if self._client is not None:
            await self._client.aclose()
