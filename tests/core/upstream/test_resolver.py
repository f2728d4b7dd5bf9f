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
    assert [(family, address) for family, _, _, _, address in found] == [
        (socket.AF_INET, (PUBLIC, 443)), (socket.AF_INET6, ("2606:4700::1111", 443)),
    ]  # fmt: skip


@pytest.mark.parametrize("addresses", [(PRIVATE,), (PUBLIC, PRIVATE), (PRIVATE, PUBLIC), (PUBLIC, "::1")])
def test_one_forbidden_address_spoils_the_name(names: Names, addresses: tuple[str, ...]) -> None:
    names.addresses = addresses
    with pytest.raises(ForbiddenAddressError, match=r"a\.example resolves to (10|::1).*allow_private"):
        asyncio.run(GuardedResolver(allow_private=False).resolve("a.example", 443))
    assert asyncio.run(GuardedResolver(allow_private=True).resolve("a.example", 443))


def test_metadata_is_refused_whatever_is_allowed(names: Names) -> None:
    names.addresses = (PUBLIC, METADATA)
    with pytest.raises(ForbiddenAddressError, match="metadata"):
        asyncio.run(GuardedResolver(allow_private=True).resolve("a.example", 443))


def test_every_look_up_is_judged_anew(names: Names) -> None:
    async def main() -> None:
        resolver = GuardedResolver(allow_private=False)
        assert await resolver.resolve("a.example", 443)
        names.addresses = (METADATA,)
        with pytest.raises(ForbiddenAddressError):
            await resolver.resolve("a.example", 443)

    asyncio.run(main())
    assert names.asked == 2


def test_those_who_ask_at_once_share_a_look_up_and_who_leaves_ends_it_for_nobody(names: Names) -> None:
    async def main() -> None:
        names.go.clear()
        resolver = GuardedResolver(allow_private=False)
        asking = [asyncio.ensure_future(resolver.resolve("a.example", 443)) for _ in range(50)]
        await asyncio.sleep(0.01)
        for task in asking[:49]:
            task.cancel()
        await asyncio.sleep(0.01)
        names.go.set()
        assert (await asking[49])[0][4] == (PUBLIC, 443)
        assert names.asked == 1
        assert (await resolver.resolve("a.example", 443))[0][4] == (PUBLIC, 443)
        assert names.asked == 2

    asyncio.run(main())


def test_an_error_that_nobody_waits_for_is_silent(names: Names) -> None:
    """Warnings are errors here: a task's error that is never taken would be one."""

    async def main() -> None:
        names.addresses = ()
        names.go.clear()
        resolver = GuardedResolver(allow_private=False)
        asking = asyncio.ensure_future(resolver.resolve("a.example", 443))
        await asyncio.sleep(0.01)
        asking.cancel()
        names.go.set()
        await asyncio.sleep(0.01)
        with pytest.raises(socket.gaierror):
            await resolver.resolve("a.example", 443)

    asyncio.run(main())


def test_closing_ends_look_ups(names: Names) -> None:
    async def main() -> None:
        names.go.clear()
        resolver = GuardedResolver(allow_private=False)
        asking = asyncio.ensure_future(resolver.resolve("a.example", 443))
        await asyncio.sleep(0.01)
        resolver.close()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


@pytest.mark.parametrize(("literal", "address"), [(PUBLIC, (PUBLIC, 443)), ("2606::1", ("2606::1", 443, 0, 0))])
def test_a_literal_is_not_looked_up_and_is_what_the_system_makes_of_it(
    names: Names, literal: str, address: tuple[Any, ...]
) -> None:
    [found] = asyncio.run(GuardedResolver(allow_private=False).resolve(literal, 443))
    assert names.asked == 0
    assert found[4] == address
    assert [found] == socket.getaddrinfo(literal, 443, type=socket.SOCK_STREAM)


def test_a_literal_has_the_zone_that_it_names(names: Names) -> None:
    loopback = socket.if_nametoindex("lo")
    for zone in ("lo", str(loopback)):
        [found] = asyncio.run(GuardedResolver(allow_private=True).resolve(f"fe80::1%{zone}", 443))
        assert found[4] == ("fe80::1", 443, 0, loopback)
    with pytest.raises(OSError, match="no interface"):
        asyncio.run(GuardedResolver(allow_private=True).resolve("fe80::1%no-such-zone", 443))
    assert names.asked == 0


@pytest.mark.parametrize("literal", [PRIVATE, "::1", METADATA, "fe80::1%lo"])
def test_a_forbidden_literal_is_refused(literal: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        asyncio.run(GuardedResolver(allow_private=False).resolve(literal, 443))


def test_a_literal_says_which_it_is() -> None:
    judge(PUBLIC, allow_private=False)
    with pytest.raises(ForbiddenAddressError, match=r"^10\.0\.0\.1 is a loopback or private address"):
        judge(PRIVATE, allow_private=False)
