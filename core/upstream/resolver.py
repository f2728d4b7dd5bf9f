"""Names to judged addresses. What is returned here is what is connected to: there is no second look-up to rebind."""

import asyncio
import socket
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from core.addresses import forbidden

#: What getaddrinfo gives for each address: family, type, protocol, canonical name, socket address.
AddressInfo = tuple[Any, Any, int, str, tuple[Any, ...]]


class ForbiddenAddressError(OSError):
    """An address that must not be connected to, and why."""


class GuardedResolver(AbstractResolver):
    """Resolves and judges. If one of a name's addresses is forbidden, so is the name: whoever rebinds mixes them.

    Nothing is cached. Look-ups of one name that come at the same time share one, so that a name server that hangs
    takes one of the few threads for look-ups, and not all of them from every other provider.
    """

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._running: dict[tuple[str, int, int], asyncio.Task[list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """OSError if there is no such name or one of its addresses is forbidden."""
        key = (host, port, family)
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.ensure_future(self._look_up(host, port, family))
            task.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(task)

    def _forget(self, key: tuple[str, int, int], done: asyncio.Task[list[ResolveResult]]) -> None:
        del self._running[key]
        if not done.cancelled():
            done.exception()  # whoever asked may be gone: an error that nobody hears is none

    async def _look_up(self, host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        results: list[ResolveResult] = []
        for found_family, _, proto, _, address in found:
            judge(str(address[0]), allow_private=self._allow_private, name=host)
            results.append(
                ResolveResult(
                    hostname=host, host=str(address[0]), port=port, family=found_family, proto=proto,
                    flags=socket.AI_NUMERICHOST,
                )
            )  # fmt: skip
        return results

    async def close(self) -> None:
        """End the look-ups; their threads end by themselves."""
        for task in list(self._running.values()):
            task.cancel()


def judge(address: str, *, allow_private: bool, name: str = "") -> None:
    """ForbiddenAddressError if this numeric address must not be connected to."""
    why = forbidden(address, allow_private=allow_private)
    if why:
        raise ForbiddenAddressError(f"{name} resolves to {address}, which {why}" if name else f"{address} {why}")
