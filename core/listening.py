"""The listening socket: alone on its port, until a successor of the same user is asked to take over.

Linux chooses between sockets that share a port by a hash, and resets what is in the queue of one that closes. So a
successor has new connections steered to itself before its predecessor leaves, and one that leaves stops answering
handshakes a little before it closes: a client repeats an unanswered one, and finds the successor, or nobody.
"""

import ctypes
import errno
import socket
import struct
from contextlib import suppress
from typing import NamedTuple

#: Connections that wait to be accepted; the kernel's net.core.somaxconn may allow fewer.
BACKLOG = 2048
#: Bytes that may wait unsent in the kernel: a client's slowness is felt at once, and costs little.
UNSENT = 16 * 1024
#: Socket options of Linux, from asm-generic/socket.h; the standard library does not name them.
SO_ATTACH_FILTER, SO_ATTACH_REUSEPORT_CBPF = 26, 51


class Instruction(NamedTuple):
    """Of classic BPF: `struct sock_filter` in linux/filter.h."""

    code: int
    if_true: int
    if_false: int
    operand: int


_LOAD_BYTE, _AND, _IF_EQUAL, _RETURN = 0x30, 0x54, 0x15, 0x06
#: Choose the second socket of the port; where there is only one, the kernel ignores what is said here.
_TO_SUCCESSOR = (Instruction(_RETURN, 0, 0, 1),)
#: Of TCP segments (the program sees their header), drop those with SYN and without ACK (RFC 9293, section 3.1).
_NO_NEW_HANDSHAKES = (
    Instruction(_LOAD_BYTE, 0, 0, 13),
    Instruction(_AND, 0, 0, 0x12),
    Instruction(_IF_EQUAL, 0, 1, 0x02),
    Instruction(_RETURN, 0, 0, 0),
    Instruction(_RETURN, 0, 0, 0xFFFFFFFF),
)


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


def steer_here(listener: socket.socket) -> bool:
    """New connections to the port come to `listener`, which joined it; False where the kernel cannot do that."""
    return _attach(listener, SO_ATTACH_REUSEPORT_CBPF, _TO_SUCCESSOR)


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


def _attach(listener: socket.socket, option: int, program: tuple[Instruction, ...]) -> bool:
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in program))
    try:  # struct sock_fprog: how many, and where
        listener.setsockopt(socket.SOL_SOCKET, option, struct.pack("HP", len(program), ctypes.addressof(code)))
    except OSError:
        return False
    return True
