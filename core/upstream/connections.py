"""The pool of connections to one provider: what may come over one, and when one is used again.

aiohttp's parser bounds one line (8190 bytes) and the number of headers and trailers (128). What it leaves open is
bounded here: interim answers (1xx) and chunk extensions, which are bytes without end that are no answer, and bytes that
nobody asked for.
"""

import functools
import select
import socket
import ssl
import time
from typing import Any, NamedTuple

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.helpers import set_exception
from aiohttp.http_exceptions import HttpProcessingError

from core.upstream.resolver import AddressInfo, GuardedResolver, judge

#: Connections to one provider at once.
MAX_CONNECTIONS = 1000
#: An idle connection is used again so long, in seconds, or shorter if the provider says so.
KEEP_ALIVE_S = 15.0
#: Bytes before the head of the final answer is whole: interim answers and the head.
MAX_HEAD = 64 * 1024
#: Bytes that may come with an answer beside its payload: this, and for each byte of payload so many more. The smallest
#: honest chunk is one byte in six.
SLACK, FRAMING = 1024 * 1024, 16


class Counts(NamedTuple):
    """A pool's slots: taken by a request (connecting included), idle connections, requests that wait for a slot."""

    acquired: int
    idle: int
    waiting: int


class BoundedConnection(ResponseHandler):
    """One connection."""

    _received = 0
    _payload_of_answer: Any = None
    _idle_until = 0.0

    def set_response_params(self, **params: Any) -> None:
        """A request begins."""
        self._received = 0
        self._payload_of_answer = None
        super().set_response_params(**params)

    def feed_data(self, data: Any, size: int = 0) -> None:
        """An answer's head is whole."""
        message, payload = data
        if message.code >= 200 or message.code == 101:
            self._payload_of_answer = payload
            self._idle_until = _idle_until(message.headers.get("Keep-Alive", ""))
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        """Bytes from the provider."""
        if data and (why := self._unasked()):
            self._refuse(why)
            return
        self._received += len(data)
        super().data_received(data)

    def _unasked(self) -> str:
        """Why no more bytes are taken; judged between reads, so one read (256 KiB) may come on top."""
        payload = self._payload_of_answer
        if payload is None:
            return "too much before the answer" if self._received > MAX_HEAD else ""
        if payload.is_eof():
            # Whatever follows a whole answer answers nothing: it must not become the next request's answer (RFC 9112,
            # section 6.3).
            return "bytes after the answer"
        return "too much around the payload" if self._received > SLACK + FRAMING * payload.total_bytes else ""

    def connection_lost(self, exc: BaseException | None) -> None:
        """The end of a body without length is the provider's to give: a reset is none."""
        if exc is not None:
            self._break_off("reset", exc)
        super().connection_lost(exc)

    def _break_off(self, why: str, cause: BaseException) -> None:
        if self._payload is not None and not self._payload.is_eof():
            set_exception(self._payload, aiohttp.ClientPayloadError(why), cause)

    def _refuse(self, why: str) -> None:
        error = HttpProcessingError(message=why)
        self._break_off(why, error)
        self.set_exception(error)
        if self.transport is not None:
            self.transport.abort()

    def close(self) -> None:
        """At once: a graceful end waits for a peer that may never read what is still to be sent."""
        self.abort()

    def stale(self) -> bool:
        """Something came while it was idle: the provider's end, or bytes that nobody asked for.

        The event loop may not have seen it yet, so the socket is asked.
        """
        sock = None if self.transport is None else self.transport.get_extra_info("socket")
        if sock is None or self._idle_until < time.monotonic():
            return True
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLIN)
        return bool(poll.poll(0))


def _idle_until(hint: str) -> float:
    """The moment from which an idle connection may be closed by its provider: `Keep-Alive: timeout=5, max=100`.

    A second less than it says, for the provider has begun to count earlier.
    """
    for part in hint.split(","):
        name, _, value = part.strip().partition("=")
        if name.lower() == "timeout" and value.isdecimal():
            return time.monotonic() + int(value[:6]) - 1.0
    return float("inf")


class GuardedConnector(aiohttp.TCPConnector):
    """aiohttp's pool with judged addresses and bounded connections."""

    def __init__(self, *, allow_private: bool, limit: int) -> None:
        super().__init__(
            limit=limit,
            keepalive_timeout=KEEP_ALIVE_S,
            resolver=GuardedResolver(allow_private=allow_private),
            use_dns_cache=False,
            ssl=tls(),
            socket_factory=functools.partial(_judged_socket, allow_private=allow_private),
        )
        factory: Any = functools.partial(BoundedConnection, loop=self._loop)
        self._factory = factory

    async def _get(self, key: Any, traces: Any) -> Connection | None:
        """An idle connection that is fit to be used again."""
        while (connection := await super()._get(key, traces)) is not None:
            protocol = connection.protocol
            if isinstance(protocol, BoundedConnection) and not protocol.stale():
                return connection
            connection.close()
        return None

    def counts(self) -> Counts:
        """What the pool holds now. From any thread: everything is copied before it is walked through."""
        idle = [protocol.is_connected() for queue in list(self._conns.values()) for protocol, _ in list(queue)]
        return Counts(len(self._acquired), sum(idle), sum(map(len, list(self._waiters.values()))))


def _judged_socket(info: AddressInfo, *, allow_private: bool) -> socket.socket:
    """A socket for exactly this address. All connections come through here, those to address literals too."""
    family, kind, proto, _, address = info
    judge(str(address[0]), allow_private=allow_private)
    return socket.socket(family, kind, proto)


@functools.cache
def tls() -> ssl.SSLContext:
    """Certificates are checked against the system's authorities (or OpenSSL's SSL_CERT_FILE and SSL_CERT_DIR).

    Not `ssl.create_default_context`: that writes session keys to a file if SSLKEYLOGFILE is set.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs()
    context.set_alpn_protocols(["http/1.1"])
    return context
