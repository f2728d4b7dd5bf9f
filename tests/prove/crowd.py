"""Clients that misbehave, many in one process: `python crowd.py PORT COUNT KIND…`, until its stdin is closed.

KIND is `mute` (asks for an endless stream and never reads), `head` (drips a head), `body` (drips a body), `idle` (says
nothing) or `junk` (no HTTP); COUNT of each. Prints a line of JSON when all are connected, and at the end one with, for
each: its kind, when its connection ended (s after it was made; null if it did not), and the first bytes of its answer.
"""

import json
import resource
import select
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

#: Between two drops of a drip (s).
DROP_S = 1.0
#: They take turns in so many groups, so that drops come evenly.
TURNS = 40
_ENDLESS = json.dumps(
    {"model": "auto", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "ENDLESS"}]}
).encode()
_POST = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
FIRST = {
    "mute": _POST + b"%d\r\n\r\n%b" % (len(_ENDLESS), _ENDLESS),
    "head": b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nX-Drip: ",
    "body": _POST + b'100000\r\n\r\n{"model": "',
    "idle": b"",
    "junk": b"nonsense\r\n\r\n",
}
DRIPS = ("head", "body")


@dataclass
class Client:
    """One of the crowd."""

    kind: str
    connection: socket.socket
    begun: float = field(default_factory=time.monotonic)
    ended: float | None = None
    answer: bytes = b""

    def seen(self) -> list[Any]:
        took = None if self.ended is None else self.ended - self.begun
        return [self.kind, took, self.answer[:2000].decode("latin-1")]


class Crowd:
    """All of them, watched by one descriptor."""

    def __init__(self, port: int) -> None:
        self.clients: dict[int, Client] = {}
        self._port = port
        self._poll = select.epoll()

    def join(self, kind: str) -> None:
        """One more. A small receive buffer, so that a mute one takes little."""
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", self._port))
        connection.setblocking(False)
        self.clients[connection.fileno()] = Client(kind, connection)
        # Errors and hang-ups are reported unasked: all that a mute one hears of.
        self._poll.register(connection, 0 if kind == "mute" else select.EPOLLIN)
        connection.send(FIRST[kind])

    def look(self, patience_s: float) -> None:
        """Read what they were told; notice whose connection ended. A reset one is kept, so that its number is."""
        for number, _ in self._poll.poll(patience_s):
            client = self.clients[number]
            data = b""
            if client.kind != "mute":
                with suppress(OSError):
                    data = client.connection.recv(65536)
            client.answer += data[: 2000 - len(client.answer)]
            if not data:
                client.ended = time.monotonic()
                self._poll.unregister(number)

    def drip(self, turn: int) -> None:
        """A byte from each that drips and whose turn it is; a refused one's end is seen where answers are read."""
        for client in [*self.clients.values()][turn::TURNS]:
            if client.kind in DRIPS and client.ended is None:
                with suppress(OSError):
                    client.connection.send(b"x")


def play(crowd: Crowd, ending: threading.Event) -> None:
    """Drip and look until the end."""
    due, turn = time.monotonic(), 0
    while not ending.is_set():
        if time.monotonic() >= due:
            due += DROP_S / TURNS
            crowd.drip(turn % TURNS)
            turn += 1
        crowd.look(0.01)
    crowd.look(0.1)


def main() -> None:
    """The command line."""
    port, count, *kinds = sys.argv[1:]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    crowd = Crowd(int(port))
    for _ in range(int(count)):
        for kind in kinds:
            crowd.join(kind)
            crowd.look(0)
    print(json.dumps(len(crowd.clients)), flush=True)
    ending = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ending.set()

    threading.Thread(target=wait, daemon=True).start()
    play(crowd, ending)
    print(json.dumps([client.seen() for client in crowd.clients.values()]))


if __name__ == "__main__":
    main()
