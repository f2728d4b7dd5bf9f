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


@linux
def test_several_share_a_port_that_is_nobody_elses() -> None:
    with ExitStack() as stack:
        together = [stack.enter_context(each) for each in listening.listen_together("127.0.0.1", 0, 3)]
        port = port_of(together[0])
        assert {port_of(each) for each in together} == {port}
        with pytest.raises(OSError, match="in use"):
            listening.listen_together("127.0.0.1", port, 2)
        connect(stack, port, 60)
        counts = [accepted(each) for each in together]
        assert sum(counts) == 60
        assert all(counts)


@linux
@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (2, 3), (3, 2)])
def test_every_new_connection_goes_to_the_successors_and_then_to_all_that_are_left(before: int, after: int) -> None:
    with ExitStack() as stack:
        old = [stack.enter_context(each) for each in listening.listen_together("127.0.0.1", 0, before)]
        port = port_of(old[0])
        new = [stack.enter_context(each) for each in listening.join_together("127.0.0.1", port, after)]
        for each in new:
            each.listen(64)
        assert listening.steer_here(new[0], after)
        connect(stack, port, 60)
        counts = [accepted(each) for each in new]
        assert ([accepted(each) for each in old], sum(counts)) == ([0] * before, 60)
        assert all(counts)
        for each in old:
            each.close()
        listening.steer_nowhere(new[0])
        connect(stack, port, 60)
        counts = [accepted(each) for each in new]
        assert sum(counts) == 60
        assert all(counts)


@linux
def test_alone_nobody_is_steered(listener: socket.socket) -> None:
    assert not listening.steer_here(listener)
    listening.steer_nowhere(listener)


def test_why_there_is_no_listener_is_said_with_advice() -> None:
    exc = OSError(98, "Address already in use")
    assert listening.refusal(exc, "::1", 80, None) == (
        "error: cannot listen on ::1:80: Address already in use. Try --port."
    )
    assert listening.refusal(exc, "::1", 80, 7).endswith("Does process 7 listen there?")
