"""Names are judged by every address that they have, and looked up once for all who ask at the same time."""

import asyncio
import socket
from typing import Any

import pytest

from core.upstream.resolver import ForbiddenAddressError, GuardedResolver, judge

PUBLIC, PRIVATE, METADATA = "1.1.1.1", "10.0.0.1", "169.254.169.254"


class Names:
    """What the system's resolver says, and how often it was asked. The look-up itself is the system's."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked = 0
        self.go = asyncio.Event()
        self.go.set()

    async def getaddrinfo(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked += 1
        await self.go.wait()
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in self.addresses
        ]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    found = Names(PUBLIC)
    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", lambda _, *args, **more: found.getaddrinfo(*args, **more))
    return found


def test_a_name_becomes_exactly_its_addresses(names: Names) -> None:
    names.addresses = (PUBLIC, "2606:4700::1111")
    found = asyncio.run(GuardedResolver(allow_private=False).resolve("a.example", 443))
    assert [(one["host"], one["port"], one["hostname"]) for one in found] == [
        (PUBLIC, 443, "a.example"), ("2606:4700::1111", 443, "a.example"),
    ]  # fmt: skip
    assert all(one["flags"] & socket.AI_NUMERICHOST for one in found)


@pytest.mark.parametrize("addresses", [(PRIVATE,), (PUBLIC, PRIVATE), (PRIVATE, PUBLIC), (PUBLIC, "::1")])
def test_one_forbidden_address_spoils_the_name(names: Names, addresses: tuple[str, ...]) -> None:
    names.addresses = addresses
    with pytest.raises(ForbiddenAddressError, match=r"a\.example resolves to (10|::1).*allow_private"):
        asyncio.run(GuardedResolver(allow_private=False).resolve("a.example"))
    assert asyncio.run(GuardedResolver(allow_private=True).resolve("a.example"))


def test_metadata_is_refused_whatever_is_allowed(names: Names) -> None:
    names.addresses = (PUBLIC, METADATA)
    with pytest.raises(ForbiddenAddressError, match="metadata"):
        asyncio.run(GuardedResolver(allow_private=True).resolve("a.example"))


def test_every_look_up_is_judged_anew(names: Names) -> None:
    async def main() -> None:
        resolver = GuardedResolver(allow_private=False)
        assert await resolver.resolve("a.example")
        names.addresses = (METADATA,)
        with pytest.raises(ForbiddenAddressError):
            await resolver.resolve("a.example")

    asyncio.run(main())
    assert names.asked == 2


def test_those_who_ask_at_once_share_a_look_up_and_who_leaves_ends_it_for_nobody(names: Names) -> None:
    async def main() -> None:
        names.go.clear()
        resolver = GuardedResolver(allow_private=False)
        asking = [asyncio.ensure_future(resolver.resolve("a.example")) for _ in range(50)]
        await asyncio.sleep(0.01)
        for task in asking[:49]:
            task.cancel()
        await asyncio.sleep(0.01)
        names.go.set()
        assert (await asking[49])[0]["host"] == PUBLIC
        assert names.asked == 1
        assert (await resolver.resolve("a.example"))[0]["host"] == PUBLIC
        assert names.asked == 2

    asyncio.run(main())


def test_an_error_that_nobody_waits_for_is_silent(names: Names) -> None:
    """Warnings are errors here: a task's error that is never taken would be one."""

    async def main() -> None:
        names.addresses = ()
        names.go.clear()
        resolver = GuardedResolver(allow_private=False)
        asking = asyncio.ensure_future(resolver.resolve("a.example"))
        await asyncio.sleep(0.01)
        asking.cancel()
        names.go.set()
        await asyncio.sleep(0.01)
        with pytest.raises(socket.gaierror):
            await resolver.resolve("a.example")

    asyncio.run(main())


def test_closing_ends_look_ups(names: Names) -> None:
    async def main() -> None:
        names.go.clear()
        resolver = GuardedResolver(allow_private=False)
        asking = asyncio.ensure_future(resolver.resolve("a.example"))
        await asyncio.sleep(0.01)
        await resolver.close()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_a_literal_says_which_it_is() -> None:
    judge(PUBLIC, allow_private=False)
    with pytest.raises(ForbiddenAddressError, match=r"^10\.0\.0\.1 is a loopback or private address"):
        judge(PRIVATE, allow_private=False)
