import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from loops import until

from core.group import line as line_module
from core.group.line import Line, Splitter, from_supervisor, from_worker, packed, welcomed
from core.group.messages import Cover, Ready, Reload, Serves, Stop, Welcome, Worker, Workers

SAID: list[Any] = [
    Welcome(1, 2, "token", (3, 4), 5),
    Workers((Worker(0, 17, "ready", 2, "ab"),)),
    Stop(now=True),
    Reload(),
    Cover((1,)),
]


def test_every_message_comes_as_it_was_said() -> None:
    [piece] = Splitter().feed(packed(SAID))
    assert from_supervisor.decode(piece) == SAID
    [piece] = Splitter().feed(packed([Ready(), Serves("ab" * 32)]))
    assert from_worker.decode(piece) == [Ready(), Serves("ab" * 32)]


def test_pieces_are_the_same_wherever_they_are_cut() -> None:
    data = packed(SAID[:2]) + packed(SAID[2:]) + packed([])
    whole = Splitter().feed(data)
    assert len(whole) == 3
    for cut in range(len(data) + 1):
        splitter = Splitter()
        assert splitter.feed(data[:cut]) + splitter.feed(data[cut:]) == whole
    splitter = Splitter()
    assert [piece for at in range(len(data)) for piece in splitter.feed(data[at : at + 1])] == whole


def test_a_piece_that_is_too_large_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_module, "MOST", 10)
    assert Splitter().feed((10).to_bytes(4, "big")) == []
    with pytest.raises(ValueError, match="11 bytes"):
        Splitter().feed((11).to_bytes(4, "big"))


class Ends:
    """Both ends of a line, and what each heard."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.ended = asyncio.Event()
        self.supervisor = Line[Any](from_worker, self.heard.append, lambda: None)
        self.worker = Line[Any](from_supervisor, self.heard.append, self.ended.set)
        self.ours, self.theirs = socket.socketpair()

    async def wait_for(self, count: int) -> None:
        await until(lambda: len(self.heard) >= count)


def played(play: Callable[[Ends], Awaitable[None]]) -> None:
    async def begin() -> None:
        ends = Ends()
        try:
            await play(ends)
        finally:
            ends.supervisor.close()
            ends.worker.close()
            for each in (ends.ours, ends.theirs):
                each.close()
            await asyncio.sleep(0)

    asyncio.run(begin())


def test_what_is_said_before_and_after_they_meet_comes_in_order() -> None:
    async def play(ends: Ends) -> None:
        ends.supervisor.say(Stop(now=False))
        await ends.supervisor.connect(ends.ours)
        ends.supervisor.say(Cover((1,)))
        ends.supervisor.say(Reload())
        await ends.worker.connect(ends.theirs)
        await ends.wait_for(3)
        assert ends.heard == [Stop(now=False), Cover((1,)), Reload()]

    played(play)


def test_a_line_ends_when_the_other_end_is_gone_or_says_nonsense() -> None:
    async def gone(ends: Ends) -> None:
        await ends.worker.connect(ends.theirs)
        ends.ours.close()
        await asyncio.wait_for(ends.ended.wait(), 10)
        ends.worker.say(Ready())  # nobody hears it, and nobody minds

    async def nonsense(ends: Ends) -> None:
        await ends.worker.connect(ends.theirs)
        ends.ours.sendall(packed([["no", "message"]]))
        await asyncio.wait_for(ends.ended.wait(), 10)
        assert ends.heard == []

    played(gone)
    played(nonsense)


def test_what_was_said_last_goes_out_before_the_end() -> None:
    async def play(ends: Ends) -> None:
        await ends.supervisor.connect(ends.ours)
        await ends.worker.connect(ends.theirs)
        ends.supervisor.say(Stop(now=True))
        ends.supervisor.close()
        await asyncio.wait_for(ends.ended.wait(), 10)
        assert ends.heard == [Stop(now=True)]

    played(play)


def test_the_first_word_is_a_welcome_and_what_follows_is_left_for_the_line() -> None:
    async def play(ends: Ends) -> None:
        ends.ours.sendall(packed(SAID[:1]) + packed(SAID[1:2]))
        assert welcomed(ends.theirs) == SAID[0]
        await ends.worker.connect(ends.theirs)
        await ends.wait_for(1)
        assert ends.heard == SAID[1:2]

    played(play)


@pytest.mark.parametrize("first", [b"", packed([Reload()])])
def test_without_a_welcome_there_is_no_line(first: bytes) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            ours.sendall(first)
        with pytest.raises((OSError, ValueError)):
            welcomed(theirs)
