"""A network of its own, in which every address is this machine and every connection is counted.

`inside` starts a module of the proofs in a network and a mount namespace; there, `Network` sets it up: all of IPv4 and
IPv6 is routed to the loopback device, a name server says what the proof wants, and a collector answers on any address.
"""

import json
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from bench import children

#: The collector's port.
PORT: Final = 8080
_SETUP: Final = (
    ("ip", "link", "set", "lo", "up"),
    ("ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo"),
    ("ip", "-6", "route", "add", "local", "::/0", "dev", "lo"),
)
_ETH_P_ALL: Final = 3
#: The port that marks are sent to, and how long one may take (s).
_MARK: Final = 9
_HANG_S: Final = 10.0
_A, _AAAA = 1, 28


def unshare() -> list[str]:
    """The command that opens namespaces, as root or with a user namespace; empty if neither is allowed here."""
    # With processes of its own: whatever ends the first of them ends them all.
    own = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    for options in (own, ["--map-root-user", *own]):
        command = ["unshare", *options, "--"]
        try:
            tried = subprocess.run([*command, *_SETUP[0]], capture_output=True, check=False, timeout=10)
        except OSError:
            return []
        if tried.returncode == 0:
            return command
    return []


def inside(module: str, *args: str, home: Path, patience_s: float) -> Any:
    """What `module` prints as JSON, started in a cage of its own. RuntimeError if it fails."""
    command = [*unshare(), *children.python("-m", module, *args)]
    env = children.environment(home) | {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    done = subprocess.run(command, env=env, cwd=home, capture_output=True, check=False, timeout=patience_s)
    if done.returncode:
        raise RuntimeError(f"{module} failed: {done.stderr.decode()[-2000:]}")
    return json.loads(done.stdout)


class Network:
    """The cage, from inside. `answer` gives the bytes for a request's path; names maps a name to its answers."""

    def __init__(self, folder: Path, answer: Callable[[str], bytes]) -> None:
        self.names: dict[str, list[list[str]]] = {}
        self._asked: dict[tuple[str, int], int] = {}
        self._answer = answer
        self._syns: list[tuple[str, int]] = []
        self._folder = folder
        self._marked = threading.Event()
        self._mark = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def __enter__(self) -> "Network":
        for command in _SETUP:
            subprocess.run(command, check=True, capture_output=True)
        for name, text in (("resolv.conf", "nameserver 127.0.0.1\n"), ("nsswitch.conf", "hosts: files dns\n")):
            (self._folder / name).write_text(text)
            target = str(Path("/etc", name).resolve())
            subprocess.run(("mount", "--bind", str(self._folder / name), target), check=True, capture_output=True)
        self._sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        self._sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self._sniffer.bind(("lo", 0))
        self._dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._dns.bind(("127.0.0.1", 53))
        v6 = socket.create_server(("::", PORT), family=socket.AF_INET6, backlog=512)
        self._listeners = [socket.create_server(("", PORT), backlog=512), v6]
        work_of: list[Callable[[], None]] = [self._sniff, self._resolve]
        work_of += [partial(self._serve, one) for one in self._listeners]
        for work in work_of:
            threading.Thread(target=work, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for one in (self._mark, self._sniffer, self._dns, *self._listeners):
            one.close()

    def seen(self, but: Sequence[int] = ()) -> list[str]:
        """Addresses to which connections were begun since the last call, but for those ports; any port counts."""
        self._marked.clear()
        self._mark.sendto(b"", ("127.0.0.1", _MARK))  # the device keeps the order: what was before it has been counted
        if not self._marked.wait(_HANG_S):
            raise RuntimeError("the network is not watched any more")
        self._syns, syns = [], self._syns
        return [address for address, port in syns if port not in but]

    def _sniff(self) -> None:
        with suppress(OSError):
            while True:
                packet, where = self._sniffer.recvfrom(128)
                # Everything passes the loopback device twice; what leaves is enough.
                if where[2] != socket.PACKET_OUTGOING:
                    continue
                if begun := opened(packet):
                    self._syns.append(begun)
                elif packet[9] == socket.IPPROTO_UDP and packet[22:24] == _MARK.to_bytes(2, "big"):
                    self._marked.set()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(5)
            head = b""
            while b"\r\n\r\n" not in head and (data := connection.recv(65536)):
                head += data
            if head:
                connection.sendall(self._answer(head.split(b" ")[1].decode("latin-1")))
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass

    def _resolve(self) -> None:
        with suppress(OSError):
            while True:
                query, sender = self._dns.recvfrom(512)
                self._dns.sendto(self._reply(query), sender)

    def _reply(self, query: bytes) -> bytes:
        name, kind, end = question(query)
        answers = self.names.get(name)
        if answers is None:
            return reply(query, end, [])
        number = self._asked[name, kind] = self._asked.get((name, kind), -1) + 1
        wanted = 6 if kind == _AAAA else 4
        addresses = [ip_address(text) for text in answers[min(number, len(answers) - 1)]]
        return reply(query, end, [one.packed for one in addresses if one.version == wanted])


def opened(packet: bytes) -> tuple[str, int] | None:
    """(address, port) if an IP packet begins a TCP connection: SYN without ACK."""
    if packet[0] >> 4 == 4 and packet[9] == socket.IPPROTO_TCP:
        tcp, to = (packet[0] & 15) * 4, socket.inet_ntoa(packet[16:20])
    elif packet[0] >> 4 == 6 and packet[6] == socket.IPPROTO_TCP:
        tcp, to = 40, str(IPv6Address(packet[24:40]))
    else:
        return None
    return (to, struct.unpack_from("!H", packet, tcp + 2)[0]) if packet[tcp + 13] & 0x12 == 0x02 else None


def question(query: bytes) -> tuple[str, int, int]:
    """(name in lower case, type, where the question ends) of a DNS query (RFC 1035, section 4.1.2)."""
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length])
        at += 1 + length
    return b".".join(labels).decode("latin-1").lower(), struct.unpack_from("!H", query, at + 1)[0], at + 5


def reply(query: bytes, end: int, addresses: Sequence[bytes]) -> bytes:
    """A DNS answer that nobody may keep (TTL 0). No address is an empty answer, not an error."""
    head = query[:2] + struct.pack("!HHHHH", 0x8180, 1, len(addresses), 0, 0)
    records = [
        b"\xc0\x0c" + struct.pack("!HHIH", _AAAA if len(packed) == 16 else _A, 1, 0, len(packed)) + packed
        for packed in addresses
    ]
    return head + query[12:end] + b"".join(records)
