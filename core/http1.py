"""The server's HTTP/1.1 protocol, with the bounds that it lacks: how large a request's head may be, and how late.

uvicorn's own has neither, and loses the body of a request that offers an upgrade (Java's client offers HTTP/2 so).
"""

import asyncio
import re

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: The largest request line and headers that arrive in more than one read, in bytes.
MAX_HEAD = 64 * 1024
#: A new connection's first head, and every begun one, must be whole after so many seconds.
HEAD_S = 30.0

_UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)


def without_upgrade(data: bytes) -> bytes:
    """The bytes of a POST's head without the offer to upgrade: RFC 9110, section 7.8 lets a server ignore it.

    Only what begins a request is looked at; no JSON body begins so.
    """
    if not (data.startswith(b"POST ") and _UPGRADE.search(data)):
        return data
    head, blank, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"", head) + blank + rest


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    _in_head = False
    _head = 0
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(without_upgrade(data))
        self._head = self._head + len(data) if self._in_head else 0
        if self._head > MAX_HEAD and not self.transport.is_closing():
            self.send_400_response(f"The request's headers are over {MAX_HEAD} bytes.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._wait_for_head()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self._late = self.loop.call_later(HEAD_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
