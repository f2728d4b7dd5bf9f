import asyncio
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from loops import until

from core.group.line import Line, from_worker, packed
from core.group.member import Member
from core.group.messages import READY, STARTING, Cover, Ready, Reload, Serves, Stop, Welcome, Worker


@contextmanager
def joined() -> Iterator[tuple[Member, socket.socket]]:
    """Worker 1 of two, and the supervisor's end of its line."""
    ours, theirs = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two, ours:
        ours.sendall(packed([Welcome(1, 2, "token", (one.fileno(), two.fileno()), ours.fileno())]))
        member = Member(theirs.detach())
        try:
            yield member, ours
        finally:
            member._own.close()
            for listener in member.listeners:
                listener.detach()


def test_it_knows_its_place() -> None:
    with joined() as (member, ours):
        assert member.turns == ours.fileno()
        assert (member.number, member.count, member.token) == (1, 2, "token")
        assert not any(os.get_inheritable(each.fileno()) for each in member.listeners)
        assert member.listener is member.listeners[1]


def test_without_a_supervisor_there_is_no_member() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    with pytest.raises(ConnectionError):
        Member(theirs.detach())


async def _until(what: list[Any], count: int) -> None:
    await until(lambda: len(what) >= count)


def test_it_is_told_and_tells() -> None:
    async def play(member: Member, ours: socket.socket) -> None:
        told, heard = list[Any](), list[Any]()
        member.on_stop = lambda now: told.append(("stop", now))
        member.on_reload = lambda: told.append("reload")

        def cover(listeners: Sequence[socket.socket]) -> None:
            told.append(listeners)

        member.on_cover = cover
        member.serves("ab")
        supervisor = Line[Any](from_worker, heard.append, lambda: None)
        await supervisor.connect(ours)
        await member.start()
        member.ready()
        for message in (Reload(), Cover((0,)), Stop(now=False), Stop(now=True)):
            supervisor.say(message)
        await _until(told, 4)
        await _until(heard, 2)
        assert told == ["reload", [member.listeners[0]], ("stop", False), ("stop", True)]
        assert heard == [Serves("ab"), Ready()]
        supervisor.close()
        await _until(told, 5)
        assert told[4] == ("stop", False)  # nobody would know of it any more

    with joined() as (member, ours):
        asyncio.run(play(member, ours))


def test_its_health_says_who_lags_behind_it() -> None:
    with joined() as (member, _):
        member.workers = (Worker(0, 10, STARTING, 3, "old"), Worker(1, 11, READY, 0, "new"))
        assert member.health() == {
            "this": 1, "count": 2, "ready": 1, "restarts": 3, "lagging": [0],
            "each": [
                {"worker": 0, "process": 10, "state": "starting", "restarts": 3},
                {"worker": 1, "process": 11, "state": "ready", "restarts": 0},
            ],
        }  # fmt: skip
