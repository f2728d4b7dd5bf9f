import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from proxy import RunningProxy

from core import cli_proxy, port_owner
from core.cli_proxy import Address, NoProxyError, NothingThereError, RefusedError, ask, health, listening_at, parse
from core.port_owner import Owner


@contextmanager
def answering(data: bytes, *, drip: bool = False) -> Iterator[Address]:
    """Somebody who says this to one who connects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                if not drip:
                    connection.sendall(data)
                    return
                while not over.wait(0.02):
                    try:
                        connection.send(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Address("127.0.0.1", listener.getsockname()[1])
        finally:
            over.set()
            thread.join(10)


def http(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


@pytest.mark.parametrize(
    ("url", "address"),
    [("http://127.0.0.1:3456", Address("127.0.0.1", 3456)), ("http://[::1]:1/", Address("::1", 1)),
     ("http://h", Address("h", 80)), ("http://LocalHost:1", Address("127.0.0.1", 1))],
)  # fmt: skip
def test_addresses(url: str, address: Address) -> None:
    assert parse(url) == address


@pytest.mark.parametrize(
    "url", ["https://h", "h:1", "http://", "http://u:p@h", "http://h/v1", "http://h?x", "http://h:x"]
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the port's comes from the library
        parse(url)


def test_an_address_is_one_that_can_be_asked() -> None:
    assert listening_at("0.0.0.0", 1).url == "http://127.0.0.1:1"  # noqa: S104
    assert listening_at("::", 1).url == "http://[::1]:1"
    assert listening_at("10.0.0.1", 1).url == "http://10.0.0.1:1"
    assert listening_at("localhost", 1).url == "http://127.0.0.1:1"


def test_our_proxy(embedded: RunningProxy) -> None:
    assert health(parse(embedded.url))["simulated"] is True
    with pytest.raises(RefusedError, match="404") as refused:
        ask(parse(embedded.url), "/nothing-here")
    assert refused.value.status == 404


def test_nobody() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(NothingThereError):
            health(Address("127.0.0.1", unused.getsockname()[1]))


@pytest.mark.parametrize(
    "said",
    [b"", http(b"[" * 100_000), b"SSH-2.0-x\r\n", http(b"<html>"), http(b"[]"), http(b"{}"), http(b'{"version": "1"}'),
     http(b'{"version": 1, "snapshot": 2}'), b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}"],
)  # fmt: skip
def test_what_is_not_ours(said: bytes) -> None:
    with answering(said) as address, pytest.raises(NoProxyError) as failed:
        health(address)
    assert not isinstance(failed.value, NothingThereError)


def test_one_that_never_ends_is_cut() -> None:
    with answering(b"", drip=True) as address, pytest.raises(NoProxyError):
        health(address, patience_s=0.2)


def test_one_that_stops_is_ours_still() -> None:
    with answering(http(b'{"version": "1", "snapshot": "a", "status": "stopping"}', "503 x")) as address:
        assert health(address)["status"] == "stopping"


def test_a_port_of_another_user_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_owner, "owner_of", lambda *_: Owner(4711))
    monkeypatch.setattr(cli_proxy, "ask", lambda *_, **__: pytest.fail("it was asked"))
    with pytest.raises(NoProxyError, match="user 4711"):
        health(Address("127.0.0.1", 1))


def test_a_strangers_words_move_no_cursor() -> None:
    said = http(b'{"error": {"message": "\\u001b[2J\\n"}}', "403 x")
    with answering(said) as address, pytest.raises(RefusedError, match=r"403: \\x1b\[2J\\x0a$"):
        ask(address, "/health")


def test_a_broken_error_is_said_as_well_as_can_be() -> None:
    with answering(http(b'{"error": 1}', "401 x")) as address, pytest.raises(RefusedError, match="no reason"):
        ask(address, "/admin/overview", "token")
