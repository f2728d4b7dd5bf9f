"""Names to judged addresses. What is returned here is what is connected to: there is no second look-up to rebind."""

import asyncio
import socket
from ipaddress import ip_address
from typing import Any

from core.addresses import forbidden

#: What getaddrinfo gives for each address: family, type, protocol, canonical name, socket address.
AddressInfo = tuple[Any, Any, int, str, tuple[Any, ...]]


class ForbiddenAddressError(OSError):
    """An address that must not be connected to, and why."""


class GuardedResolver:
    """Resolves and judges. If one of a name's addresses is forbidden, so is the name: whoever rebinds mixes them.

    Nothing is cached. Look-ups of one name that come at the same time share one, so that a name server that hangs
    takes one of the few threads for look-ups, and not all of them from every other provider.
    """

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._running: dict[tuple[str, int], asyncio.Task[list[AddressInfo]]] = {}

    async def resolve(self, host: str, port: int) -> list[AddressInfo]:
        """The addresses of a name, or what a literal is. OSError if there is no such name or one of its addresses is
        forbidden, UnicodeError if it is none that could be asked for.
        """
        if (literal := _literal(host, port)) is not None:
            judge(host, allow_private=self._allow_private)
            return [literal]
        key = (host, port)
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.ensure_future(self._look_up(host, port))
            task.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(task)

    def _forget(self, key: tuple[str, int], done: asyncio.Task[list[AddressInfo]]) -> None:
        del self._running[key]
        if not done.cancelled():
            done.exception()  # whoever asked may be gone: an error that nobody hears is none

    async def _look_up(self, host: str, port: int) -> list[AddressInfo]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for _, _, _, _, address in found:
            judge(str(address[0]), allow_private=self._allow_private, name=host)
        return list(found)

    @property
    def busy(self) -> bool:
        """Whether a look-up is under way."""
        return bool(self._running)

    def close(self) -> None:
        """End the look-ups; their threads end by themselves."""
        for task in list(self._running.values()):
            task.cancel()


def _literal(host: str, port: int) -> AddressInfo | None:
    """What `getaddrinfo` would say of a numeric address; None for anything else, however numeric it looks."""
    try:
        version = ip_address(host).version
    except ValueError:
        return None
    if version == 4:
        return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))
    address, _, zone = host.partition("%")
    scope = 0 if not zone else int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
    return (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port, 0, scope))


def judge(address: str, *, allow_private: bool, name: str = "") -> None:
    """ForbiddenAddressError if this numeric address must not be connected to."""
    why = forbidden(address, allow_private=allow_private)
    if why:
        raise ForbiddenAddressError(f"{name} resolves to {address}, which {why}" if name else f"{address} {why}")
