"""The listening socket: alone on its port, until a successor of the same user is asked to take over.

Linux chooses between sockets that share a port by a hash, and resets what is in the queue of one that closes. So a
successor has new connections steered to itself before its predecessor leaves, and one that leaves stops answering
handshakes a little before it closes: a client repeats an unanswered one, and finds the successor, or nobody. Either of
them may be several sockets, one for each of its workers: between those, the kernel's own hash is left to choose.
"""

import ctypes
import errno
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from core import port_owner

#: Connections that wait to be accepted; the kernel's net.core.somaxconn may allow fewer.
BACKLOG = 2048
#: Bytes that may wait unsent in the kernel: a client's slowness is felt at once, and costs little.
UNSENT = 16 * 1024
#: Socket options of Linux, from asm-generic/socket.h; the standard library does not name them.
SO_ATTACH_FILTER, SO_ATTACH_REUSEPORT_CBPF, SO_DETACH_REUSEPORT_BPF = 26, 51, 68


class Instruction(NamedTuple):
    """Of classic BPF: `struct sock_filter` in linux/filter.h."""

    code: int
    if_true: int
    if_false: int
    operand: int


_LOAD_BYTE, _AND, _IF_EQUAL, _RETURN = 0x30, 0x54, 0x15, 0x06
_LOAD_WORD, _MODULO, _ADD, _RETURN_IT = 0x20, 0x94, 0x04, 0x16
#: Where a load finds a random number instead of a packet's bytes: SKF_AD_OFF + SKF_AD_RANDOM in linux/filter.h.
_RANDOM = 0xFFFFF000 + 56
#: Of TCP segments (the program sees their header), drop those with SYN and without ACK (RFC 9293, section 3.1).
_NO_NEW_HANDSHAKES = (
    Instruction(_LOAD_BYTE, 0, 0, 13),
    Instruction(_AND, 0, 0, 0x12),
    Instruction(_IF_EQUAL, 0, 1, 0x02),
    Instruction(_RETURN, 0, 0, 0),
    Instruction(_RETURN, 0, 0, 0xFFFFFFFF),
)


def refusal(exc: OSError, host: str, port: int, predecessor: int | None) -> str:
    """What the operator is told when there is no listener; `predecessor` is the process to be replaced, if any."""
    advice = "Try --port." if predecessor is None else f"Does process {predecessor} listen there?"
    return f"error: cannot listen on {host}:{port}: {exc.strerror}. {advice}"


def listen(host: str, port: int) -> socket.socket:
    """Alone on the port; OSError if anybody else is there. From then on a successor may `join`."""
    listener = _socket(host)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
        # Only now: two that set it before they bind would share the port without knowing of each other.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError:
        listener.close()
        raise
    return listener


def join(host: str, port: int) -> socket.socket:
    """A socket on a port that another process of this user listens on, not listening yet; OSError if nobody does."""
    listener = _socket(host)
    try:
        if _is_free(host, port):
            raise OSError(errno.ECONNREFUSED, "nobody listens there")
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def listen_together(host: str, port: int, count: int) -> list[socket.socket]:
    """So many sockets that share the port, which is nobody else's; OSError if anybody else is there."""
    first = listen(host, port)
    return [first, *_with_it(first, host, count - 1, listening=True)]


def join_together(host: str, port: int, count: int) -> list[socket.socket]:
    """So many as `join` makes one."""
    first = join(host, port)
    return [first, *_with_it(first, host, count - 1, listening=False)]


def _with_it(first: socket.socket, host: str, count: int, *, listening: bool) -> list[socket.socket]:
    made = list[socket.socket]()
    try:
        for _ in range(count):
            made.append(_socket(host))
            made[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            made[-1].bind((host, first.getsockname()[1]))
            if listening:
                made[-1].listen(BACKLOG)
    except OSError:
        for one in (first, *made):
            one.close()
        raise
    return made


def steer_here(listener: socket.socket, count: int = 1) -> bool:
    """New connections to the port come to `listener` and those that joined it together, `count` in all, which listened
    later than all others; False where the kernel cannot do that. It keeps the sockets of a port in that order.
    """
    first = _sharing(listener) - count
    if first < 1:
        return False
    choose = [Instruction(_LOAD_WORD, 0, 0, _RANDOM), Instruction(_MODULO, 0, 0, count)]
    choose += [Instruction(_ADD, 0, 0, first), Instruction(_RETURN_IT, 0, 0, 0)]
    return _attach(listener, SO_ATTACH_REUSEPORT_CBPF, choose)


def steer_nowhere(listener: socket.socket) -> None:
    """The kernel chooses again among all that listen: the others are gone, and the order is another one."""
    with suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 0)


def _sharing(listener: socket.socket) -> int:
    """How many sockets listen on this one's address; 0 where the system does not tell."""
    host, port, *_ = listener.getsockname()
    table = "tcp6" if listener.family == socket.AF_INET6 else "tcp"
    address = socket.inet_pton(listener.family, host)
    try:
        found = port_owner.listeners((Path("/proc/net") / table).read_text(), port)
    except OSError:
        return 0
    return sum(each.address == address for each in found)


def begin_no_connection(listener: socket.socket) -> bool:
    """Handshakes that have begun are finished, others not answered; False where the kernel cannot do that."""
    return _attach(listener, SO_ATTACH_FILTER, _NO_NEW_HANDSHAKES)


def _socket(host: str) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):  # accepted sockets inherit it
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
    return listener


def _is_free(host: str, port: int) -> bool:
    with _socket(host) as probe, suppress(OSError):
        probe.bind((host, port))
        return True
    return False


def _attach(listener: socket.socket, option: int, program: Sequence[Instruction]) -> bool:
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in program))
    try:  # struct sock_fprog: how many, and where
        listener.setsockopt(socket.SOL_SOCKET, option, struct.pack("HP", len(program), ctypes.addressof(code)))
    except OSError:
        return False
    return True
