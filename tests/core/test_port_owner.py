import os
import socket
import subprocess
import sys

import pytest

from core.port_owner import Listener, Owner, best, is_foreign, listeners, owner_of

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0D80 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0
   1: 0100007F:0D80 0100007F:C001 01 00000000:00000000 00:00000000 00000000  1001        0 4712 1 0 20 4 30 10 -1
   2: 00000000:0D80 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1002        0 4713 1 0 100 0 0 10 0
   3: 0100007F:0D81 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1003        0 4714 1 0 100 0 0 10 0
broken line
"""


def test_listening_sockets_of_the_port() -> None:
    found = list(listeners(TABLE, 0x0D80))
    assert found == [Listener(bytes([127, 0, 0, 1]), 1000, 4711), Listener(bytes(4), 1002, 4713)]
    if sys.byteorder == "little":
        assert best(found, "127.0.0.1") == found[0]
    assert best(found[1:], "127.0.0.1") == found[1]
    assert best([Listener(bytes(16), 7, 8)], "127.0.0.1") == Listener(bytes(16), 7, 8)
    assert best(found, "::1") is None


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_socket_of_ours(address: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as listener:
        try:
            listener.bind((address, 0))
        except OSError:
            pytest.skip("no IPv6 here")
        listener.listen()
        assert owner_of(address, listener.getsockname()[1]) == Owner(os.geteuid())
        found = owner_of(address, listener.getsockname()[1], process=True)
        assert found is not None
        assert (found.user, found.pid) == (os.geteuid(), os.getpid())
        assert not is_foreign(found)
        assert f"process {os.getpid()}" in str(found)


def test_nobody_and_names() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert owner_of("127.0.0.1", unused.getsockname()[1]) is None
    assert owner_of("a.name", 1) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can listen as somebody else")
def test_a_socket_of_somebody_else_is_foreign_to_a_third() -> None:
    program = (
        "import os, socket, sys; os.setuid(65534); s = socket.create_server(('127.0.0.1', 0)); "
        "print(s.getsockname()[1], flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-I", "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
    ) as other:
        assert other.stdout is not None
        found = owner_of("127.0.0.1", int(other.stdout.readline()))
        assert found is not None
        assert found.user == 65534
        assert is_foreign(found)
        other.communicate("")


def test_foreign_is_who_is_neither_we_nor_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert [is_foreign(each) for each in (None, Owner(1000), Owner(0), Owner(1001))] == [False, False, False, True]
