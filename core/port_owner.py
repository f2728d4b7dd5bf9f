"""Who listens on a port of this machine, as Linux tells everybody: the user for sure, the process if it is ours."""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

_PROC: Final = Path("/proc")
#: TCP_LISTEN in linux/net/tcp_states.h, as /proc/net/tcp writes it.
_LISTENS: Final = "0A"


class Owner(NamedTuple):
    """`pid` is 0 and `command` empty where the process may not be looked at (another user's)."""

    user: int
    pid: int = 0
    command: str = ""

    def __str__(self) -> str:
        who = f"process {self.pid} ({self.command})" if self.pid else "a process"
        return f"{who} of user {self.user}"


class Listener(NamedTuple):
    """A line of /proc/net/tcp: a listening socket's address (as a number's bytes), user and inode."""

    address: bytes
    user: int
    inode: int


def listeners(table: str, port: int) -> Iterator[Listener]:
    """Those on `port` in the text of /proc/net/tcp or tcp6; what is no such line is passed over. Pure."""
    for line in table.splitlines():
        fields = line.split()
        with suppress(ValueError, IndexError):
            address, _, hexadecimal = fields[1].partition(":")
            if fields[3] == _LISTENS and int(hexadecimal, 16) == port:
                yield Listener(_bytes(address), int(fields[7]), int(fields[9]))


def _bytes(address: str) -> bytes:
    """The address as the network writes it: the kernel prints words of four bytes in the machine's own order."""
    words = bytes.fromhex(address)
    return b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))


def best(found: list[Listener], host: str) -> Listener | None:
    """Whom the kernel gives a connection to `host` (an address): its own socket, else one for all addresses. Pure."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    own = socket.inet_pton(family, host)
    mapped = b"\0" * 10 + b"\xff\xff" + own
    for wanted in ({own, mapped}, {bytes(4)} if len(own) == 4 else set(), {bytes(16)}):
        if chosen := next((each for each in found if each.address in wanted), None):
            return chosen
    return None


def owner_of(host: str, port: int, *, process: bool = False) -> Owner | None:
    """Who listens there (`host` is an address); None if nobody does, or nobody can tell (no Linux, another network
    namespace). To find the `process`, all of this user's are looked through.
    """
    found: list[Listener] = []
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            found += listeners((_PROC / "net" / name).read_text(), port)
    try:
        listener = best(found, host)
    except OSError:  # a name, not an address
        return None
    return listener and Owner(listener.user, *(_process(listener.inode) if process else ()))


def _process(inode: int) -> tuple[int, str]:
    """The process that holds this socket, if we may look at it; (0, '') otherwise."""
    wanted = f"socket:[{inode}]"
    for folder in _PROC.glob("[0-9]*"):
        with suppress(OSError):
            if any(_link(each) == wanted for each in (folder / "fd").iterdir()):
                return int(folder.name), (folder / "comm").read_text().strip()
    return 0, ""


def _link(path: Path) -> str:
    with suppress(OSError):
        return str(path.readlink())
    return ""


def is_foreign(owner: Owner | None) -> bool:
    """Whether somebody else listens there: neither this user nor root, who may read everything of ours anyway."""
    return owner is not None and owner.user not in {os.geteuid(), 0}
