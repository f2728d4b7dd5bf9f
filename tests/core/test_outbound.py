import asyncio
import socket
import struct
from typing import Any

import pytest

from core.outbound import Outbound


class Slow(asyncio.Transport):
    """A transport on a socket of which as much waits as the test says."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(extra={"socket": connection})
        self.waiting = 0
        self.sent = b""

    def write(self, data: Any) -> None:
        self.sent += data

    def get_write_buffer_size(self) -> int:
        return self.waiting


@pytest.fixture
def pair() -> Any:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        raw = Slow(ours)
        yield Outbound(raw, lambda: None, lambda: False), raw, theirs


def test_a_client_stalls_only_while_it_takes_nothing(pair: tuple[Outbound, Slow, socket.socket]) -> None:
    out, raw, _ = pair
    found = []
    for now, written, waiting in (
        (0.0, 100, 0),
        (1.0, 100, 100),
        (5.0, 0, 100),
        (6.0, 50, 150),  # more is offered, and nothing taken
        (9.0, 0, 149),
        (12.0, 0, 149),
        (13.0, 10, 149),  # as much as was taken: a steady reader, not a stalled one
        (14.0, 10, 149),
        (15.0, 0, 0),
        (16.0, 5, 5),
    ):
        out.write(b"x" * written)
        raw.waiting = waiting
        found.append(out.stalled(now))
    assert found == [None, 0.0, 4.0, 5.0, 0.0, 3.0, 0.0, 0.0, None, 0.0]
    assert len(raw.sent) == 275


def test_what_nobody_has_read_is_seen(pair: tuple[Outbound, Slow, socket.socket]) -> None:
    out, _, theirs = pair
    assert not out.has_input()
    theirs.send(b"x")
    assert out.has_input()


def test_what_is_unsent_is_forgotten_at_the_end() -> None:
    with socket.socket() as connection:
        Outbound(Slow(connection), lambda: None, lambda: False).forget_unsent()
        assert struct.unpack("ii", connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)) == (1, 0)
