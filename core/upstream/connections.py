"""One connection to a provider: made to a judged address, asked one request at a time, and used again if it is fit.

What a provider may send is bounded in `reading`; what comes while nobody has asked ends the connection.
"""

import asyncio
import functools
import select
import socket
import ssl
from collections.abc import Callable
from typing import Final, NamedTuple, cast

import aiohappyeyeballs

from core.upstream import failures
from core.upstream.incoming import NEVER, Incoming
from core.upstream.reading import NotHttpError
from core.upstream.resolver import AddressInfo, judge

#: A request up to so many bytes is written in one piece.
TOGETHER: Final = 64 * 1024
#: The next of a name's addresses is tried after so long, in seconds (RFC 8305, section 5).
NEXT_ADDRESS_S: Final = 0.25


class Origin(NamedTuple):
    """Whom a connection leads to. `host` as a URL has it, without brackets."""

    host: str
    port: int
    tls: bool


class Connection(asyncio.Protocol):
    """One connection. `lost` is called once, when it has ended; `watch` when its answer is waited for until then."""

    def __init__(self, origin: Origin, lost: Callable[["Connection"], None], watch: Callable[[float], None]) -> None:
        self.origin = origin
        self.watch = watch
        self.incoming: Incoming | None = None
        #: While it is idle: when it is to be closed, in the event loop's time.
        self.idle_until = NEVER
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._poll = select.poll()
        self._aborted = False

    # What asks

    def send(self, head: bytes, body: bytes, incoming: Incoming) -> None:
        """Write a request; its answer is fed to `incoming`."""
        self.incoming = incoming
        transport = self._transport
        if transport is None or transport.is_closing():
            incoming.fail(failures.broken_off(incoming.reader, reset=True))
        elif len(body) <= TOGETHER:
            transport.write(head + body)
        else:
            transport.writelines((head, body))

    def free(self) -> str | None:
        """The request is over. What the provider says of keeping the connection (`Keep-Alive`); None if it must end."""
        incoming, transport = self.incoming, self._transport
        self.incoming = None
        if incoming is None:
            return None
        answer = incoming.reader
        incoming.fail(failures.broken_off(answer, reset=True))  # unless it is whole: who still reads learns of it
        answer.close()
        if transport is None or transport.is_closing() or not (answer.whole and answer.reusable):
            return None
        if transport.get_write_buffer_size():  # it answered before it had read the request
            return None
        incoming.let_go()
        return answer.headers.get("keep-alive", "")

    def stale(self, now: float) -> bool:
        """Something came while it was idle: the provider's end, or bytes that nobody asked for.

        The event loop may not have seen it yet, so the socket is asked.
        """
        transport = self._transport
        return transport is None or transport.is_closing() or self.idle_until <= now or bool(self._poll.poll(0))

    def abort(self) -> None:
        """End it at once: a graceful end waits for a peer that may never read what is still to be sent."""
        self._aborted = True
        if self._transport is not None:
            self._transport.abort()

    def late(self, now: float) -> None:
        """Its answer was waited for too long, if it is."""
        incoming = self.incoming
        if incoming is not None and incoming.due <= now:
            incoming.fail(incoming.late(now))
            self.abort()

    # What its answer asks for

    def pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        incoming = self.incoming
        if incoming is None or incoming.over:
            self.abort()  # or it would answer the next request
            return
        try:
            incoming.feed(data)
        except NotHttpError:
            incoming.fail(failures.no_http(incoming.reader))
            self.abort()

    def eof_received(self) -> None:
        """The provider will say no more. Not a graceful end: see `abort`."""
        if self.incoming is not None:
            self.incoming.end()
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        incoming = self.incoming
        if incoming is not None and exc is None and not self._aborted:
            incoming.end()  # TLS that ends without saying so comes here only
        elif incoming is not None:
            incoming.fail(failures.broken_off(incoming.reader, reset=True))
        self._lost(self)


async def connect(
    origin: Origin, infos: list[AddressInfo], factory: Callable[[], Connection], *, allow_private: bool
) -> Connection:
    """A connection to one of these addresses. `failures.CONNECTING` if there is none."""
    loop = asyncio.get_running_loop()
    judged = functools.partial(judged_socket, allow_private=allow_private)
    sock = await aiohappyeyeballs.start_connection(
        infos, happy_eyeballs_delay=NEXT_ADDRESS_S, interleave=1, loop=loop, socket_factory=judged
    )
    context = tls() if origin.tls else None
    name = origin.host.rstrip(".") if origin.tls else None  # certificates know no final dot
    _, connection = await loop.create_connection(factory, sock=sock, ssl=context, server_hostname=name)
    return connection


def judged_socket(info: AddressInfo, *, allow_private: bool) -> socket.socket:
    """A socket for exactly this address, ForbiddenAddressError for one that is not allowed.

    All connections come through here, whatever was judged before.
    """
    family, kind, proto, _, address = info
    judge(str(address[0]), allow_private=allow_private)
    made = socket.socket(family, kind, proto)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


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
