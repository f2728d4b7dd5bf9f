import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from core import listening

linux = pytest.mark.skipif(sys.platform != "linux", reason="SKIPPED: options of Linux")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with listening.listen("127.0.0.1", 0) as found:
        yield found


def port_of(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


def accepted(listener: socket.socket) -> int:
    """How many connections are in the queue."""
    listener.setblocking(False)
    with ExitStack() as stack:
        for number in range(1000):
            try:
                stack.enter_context(listener.accept()[0])
            except BlockingIOError:
                return number
    raise AssertionError("no end")


def connect(stack: ExitStack, port: int, times: int) -> None:
    for _ in range(times):
        stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))


def test_a_second_one_is_refused(listener: socket.socket) -> None:
    with pytest.raises(OSError, match="in use"):
        listening.listen("127.0.0.1", port_of(listener))


def test_nobody_joins_a_port_that_nobody_listens_on(listener: socket.socket) -> None:
    port = port_of(listener)
    listener.close()
    with pytest.raises(OSError, match="nobody"):
        listening.join("127.0.0.1", port)


def test_nobody_joins_a_stranger() -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger, pytest.raises(OSError, match="in use"):
        listening.join("127.0.0.1", port_of(stranger))


@linux
def test_every_new_connection_goes_to_the_successor_and_again_to_its_own(listener: socket.socket) -> None:
    port = port_of(listener)
    predecessor = listener
    with ExitStack() as stack:
        for _ in range(3):
            successor = stack.enter_context(listening.join("127.0.0.1", port))
            successor.listen(64)
            assert listening.steer_here(successor)
            connect(stack, port, 20)
            assert (accepted(predecessor), accepted(successor)) == (0, 20)
            predecessor.close()
            connect(stack, port, 20)
            assert accepted(successor) == 20
            predecessor = successor


@linux
def test_what_was_let_in_before_it_leaves_is_served_and_nobody_after_that_gets_in(listener: socket.socket) -> None:
    with ExitStack() as stack:
        connect(stack, port_of(listener), 5)
        assert listening.begin_no_connection(listener)
        late = stack.enter_context(socket.socket())
        late.settimeout(0.2)
        with pytest.raises(TimeoutError):
            late.connect(("127.0.0.1", port_of(listener)))
        assert accepted(listener) == 5
