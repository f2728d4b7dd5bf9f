"""The server's HTTP/1.1 protocol, with the bounds that it lacks: how large, how many, how late.

uvicorn's own has no limit on a head, no clock but for idle connections, and queues any number of pipelined requests. It
also loses the body of a request that offers an upgrade (Java's client offers HTTP/2 so), tells only the last of several
pipelined requests that their client has left, and writes a refusal into the middle of an answer.

`Connection` is the protocol: `uvicorn.Config(http=partial(Connection, connections))`.
"""

import asyncio
import logging
from collections import deque
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from core import request_head
from core.deadlines import Phase, overdue
from core.http1_cycle import CLIENT, Client, Cycle
from core.open_connections import Connections
from core.outbound import Outbound
from core.refusals import Refused, answer

#: Pipelined requests that may wait for their turn; RFC 9112, section 9.3.2 lets a server close instead.
PIPELINED = 8
#: So many bytes of a body are handed to the application at once, if there are more.
TOGETHER = 16 * 1024
#: Bytes of framing (chunk sizes, extensions, trailers) that a byte of a chunked body may cost.
FRAMING = 8

_LOG = logging.getLogger(__name__)


class Connection(HttpToolsProtocol):
    """One connection; one request is answered at a time, further ones wait in `pipeline`."""

    transport: Outbound
    cycle: Cycle | None  # type: ignore[assignment]
    pipeline: deque[Cycle]  # type: ignore[assignment]

    def __init__(
        self,
        connections: Connections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.phase = Phase.HEAD
        self._since = self.loop.time()
        self._all = connections
        self._extensions = {CLIENT: Client(self)}
        self._reading: Cycle | None = None
        self._answering: Cycle | None = None
        self._keeps = False  # whether the request being read lets the connection live on
        self._deaf = False  # what still arrives is dropped
        self._dropped = False  # and something did
        self._lingers = False
        self._in_head = False
        self._read = 0  # bytes of the read that is being parsed,
        self._first = 0  # of the one in which the head began,
        self._head = 0  # and of those after it, while the head goes on
        self._fields = 0
        self._framing = 0  # bytes of the body being read that are not its own
        self._offered = b""  # a head for the parser that goes on behind an offer to upgrade
        self._repeating = False  # it is reading that head

    # Beginning and end

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(Outbound(transport, self.close, self._is_closing))
        if len(self._all.open) < self._all.cap:
            self._all.open.add(self)
            return
        why = "the proxy has no room for another connection; come back later"
        self._refuse(Refused("connections", 503, why, type="overloaded_error"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.phase = Phase.CLOSING
        self._all.forget(self)
        self._abandon()
        self.cycle = None
        super().connection_lost(exc)

    def eof_received(self) -> None:
        """Who closes their side in the middle of an answer has left: a closed connection looks like a half-closed one.
        The transport would first wait until all is read that was written, which may never be.
        """
        if self.phase is not Phase.CLOSING and self.owed() is not None:
            self.transport.abort()

    def cut(self) -> None:
        """End the answer under way here. For a stream that failed after its status was sent.

        What was written still reaches the client (the error event, so write it first), then the connection is closed
        without the end that chunked coding demands: no client takes the answer for whole (RFC 9112, section 8). What
        is sent afterwards is dropped, `receive` says `http.disconnect`, and nothing is logged. Pipelined requests
        are dropped too. Harmless when there is nothing to cut.
        """
        if owed := self.owed():
            owed.on_leaving = None  # whoever cuts knows
        self._abandon()
        self.close()

    def close(self) -> None:
        """Read no further request, and close when what was written is sent.

        If a client may still be sending, it is let finish for a while: closed at once, it would be reset, and might
        never see its answer. Whoever closes again does not wait for that.
        """
        if self.phase is Phase.CLOSING and not self._lingers:
            return
        may = not self._lingers and self._unread and not self.transport.raw.is_closing()
        self._lingers = may and self._all.linger(self)
        self._enter(Phase.CLOSING)
        self._deaf = True
        if self._lingers:
            self.flow.resume_reading()
            self.transport.raw.write_eof()
        else:
            self.transport.raw.close()

    @property
    def idle(self) -> bool:
        """Between two requests, or before the first, and no byte of the next one is here; or merely lingering."""
        if self._lingers:
            return not self.transport.get_write_buffer_size()
        return self.owed() is None and not self._in_head and not self.transport.has_input()

    def answer_no_more(self) -> None:
        """Serve the request under way, and nothing after it."""
        if self.owed():
            self._make_last()

    @property
    def _unread(self) -> bool:
        """Whether the client may be sending what nobody reads."""
        return self._dropped or self._in_head or self._reading is not None

    def check(self, now: float) -> None:
        """End the connection if it is late."""
        reason = overdue(self.phase, now - self._since, self.transport.stalled(now), self._all.limits)
        if reason == "header":
            self._late_head()
        elif reason == "idle":
            self.close()
        elif reason:
            if reason == "write":
                self._all.tally.add("write_s")
                self.transport.forget_unsent()
            self.transport.abort()

    def _late_head(self) -> None:
        if self._in_head:
            limit = self._all.limits.header_s
            self._refuse(Refused("header_s", 408, f"the head did not arrive within {limit:g} s (server.header_s)"))
        else:  # it never said a word
            self._all.tally.add("header_s")
            self.close()

    def _is_closing(self) -> bool:
        return self.phase is Phase.CLOSING

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self._since = self.loop.time()

    # Requests

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            self._dropped = True
            return
        self._read = len(data)
        self._framing += self._read
        if self._in_head:
            self._head += self._read
        try:
            self._feed(data)
            self._check_sizes()
        except httptools.HttpParserUpgrade:  # what follows speaks another protocol
            self._make_last()
            self._deaf = True
        except httptools.HttpParserError as exc:
            if self._deaf:
                self._dropped = True
            else:
                self._refuse(_cause(exc))
        except Refused as refused:
            self._refuse(refused)

    def _feed(self, data: bytes) -> None:
        """An offer to upgrade is ignored (RFC 9110, section 7.8). The parser takes the body for the other protocol:
        another one reads it, whose head says where the body ends.
        """
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            if not self._offered:
                raise
            self.parser = httptools.HttpRequestParser(self)
            self._repeating = True
            self.parser.feed_data(self._offered)
            self._repeating, self._offered = False, b""
            self._feed(data[offer.args[0] :])

    def _check_sizes(self) -> None:
        """Of what has been fed so far."""
        limit = self._all.limits.max_head_bytes
        if self._in_head:
            self._check_head(limit)
        elif self._framing > limit and self._reading is not None:
            raise Refused("framing", 400, "the body's chunks have more framing than content")

    def on_message_begin(self) -> None:
        if self._repeating:
            return
        if self._deaf:
            raise Refused("", 400, "the connection's last request was read")
        self.url, self.headers = b"", []
        self._in_head = True
        self._first, self._head, self._fields = self._read, 0, 0
        if self.phase is Phase.IDLE:
            self._enter(Phase.HEAD)

    def on_url(self, url: bytes) -> None:
        if not self._repeating:
            self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._repeating:
            return
        self._fields += 1
        if self._fields > self._all.limits.max_headers:
            raise Refused("max_headers", 431, f"more than {self._all.limits.max_headers} headers (server.max_headers)")
        if self._in_head:  # not a trailer, which would be merged into a head that was judged already
            self.headers.append((name.lower(), value))
        elif request_head.forbidden_trailer(name):
            raise Refused("malformed", 400, "a field behind the body frames, routes or authorises (RFC 9110, 6.5.1)")

    def on_headers_complete(self) -> None:
        if self._repeating:
            return
        self._check_head(self._all.limits.max_head_bytes)
        parser = self.parser
        status, said = request_head.fault(parser.get_http_version(), parser.get_method(), self.url, self.headers)
        if status:
            raise Refused("malformed", status, said)
        self._in_head = False
        self._framing = 0
        self._offered = request_head.framing(self.headers) if parser.should_upgrade() else b""
        if self.owed() and len(self.pipeline) >= PIPELINED:
            raise Refused("pipelined", 400, "too many requests at once on one connection")
        # An answer that begins before the whole request is here ends the connection: what follows cannot be trusted
        # to be a request. `on_message_complete` takes that back.
        self._keeps = parser.get_http_version() != "1.0" and parser.should_keep_alive()
        expects = any(name == b"expect" for name, _ in self.headers)
        self._reading = self.cycle = Cycle(self, self._scope(), keep_alive=False, expects=expects)
        if self.owed():  # reading goes on, or nobody would see that the client leaves; what waits is bounded
            self.pipeline.appendleft(self.cycle)
        else:
            self._start(self.cycle)

    def _scope(self) -> dict[str, Any]:
        """ASGI's word for the request whose head is here."""
        path, raw_path, query = request_head.parts(self.url)
        return {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": self.parser.get_http_version(),
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "headers": self.headers,
            "state": self.app_state.copy(),
            "method": self.parser.get_method().decode("ascii"),
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "extensions": self._extensions,
        }

    def _check_head(self, limit: int) -> None:
        """Counted exactly only if the reads that it came in were large."""
        if self._head > limit or (self._first + self._head > limit and self._size() > limit):
            raise Refused("max_head_bytes", 431, f"the headers are over {limit} bytes (server.max_head_bytes)")

    def _size(self) -> int:
        """Bytes of the head: names, values and their four separators, and the target."""
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        self._framing -= (FRAMING + 1) * len(body)
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) >= TOGETHER:  # or else the end of the request wakes its task: a drop at a time costs little
            cycle.news.set()
        if len(cycle.body) <= HIGH_WATER_LIMIT:
            return
        if cycle is not self._answering:
            raise Refused("pipelined", 400, "too much at once on one connection")
        self.flow.pause_reading()

    def on_message_complete(self) -> None:
        if self._offered:  # so it seems to this parser
            return
        self._reading, cycle = None, self.cycle
        if cycle is None or cycle.response_complete:
            return
        if not cycle.response_started:
            cycle.keep_alive = self._keeps
        cycle.more_body = False
        cycle.news.set()
        if self.phase is Phase.BODY:
            self._enter(Phase.ANSWERING)

    def _start(self, cycle: Cycle) -> None:
        self._answering = cycle
        self._enter(Phase.BODY if cycle.more_body else Phase.ANSWERING)
        task = self.loop.create_task(cycle.run(self.app))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.phase is Phase.CLOSING:
            return
        self._enter(Phase.HEAD if self._in_head else Phase.IDLE)  # how long it may be idle, `check` says
        self.flow.resume_reading()
        if self.pipeline:
            self._start(self.pipeline.pop())

    # Refusing

    def owed(self) -> Cycle | None:
        """The request under way, if its answer is not complete."""
        one = self._answering
        return one if one is not None and not one.response_complete else None

    def _refuse(self, refused: Refused) -> None:
        """Answer in the application's place, at most once, and read nothing more.

        Behind a whole request that is still being answered nothing is said: its answer is the last one.
        """
        self._all.tally.add(refused.reason)
        self._deaf = self._dropped = True
        owed = self.owed()
        if owed is not None and (owed.response_started or not owed.more_body):
            self._make_last()
            return
        self._abandon()
        if self.phase is not Phase.CLOSING:
            self.transport.write(answer(refused))
            self.close()

    def _make_last(self) -> None:
        """The connection ends with the request under way; RFC 9112, section 9.6 lets those behind it go unanswered."""
        self._keeps = False
        self.pipeline.clear()
        owed = self.owed()
        if owed is not None:
            owed.keep_alive = False
            self.cycle = owed
            self._deaf = self._deaf or not owed.more_body

    def _abandon(self) -> None:
        """No request of this connection has a client any more."""
        waiting = (self._answering, self.cycle, *self.pipeline)
        self.pipeline.clear()
        for cycle in waiting:
            if cycle is not None:
                cycle.leave()


def _cause(exc: httptools.HttpParserError) -> Refused:
    """Ours, if it was raised while a callback ran."""
    cause = exc.__context__
    if isinstance(exc, httptools.HttpParserCallbackError) and cause is not None and not isinstance(cause, Refused):
        _LOG.error("a bug while a request's head was read", exc_info=cause)
        return Refused("bug", 500, "internal error of the proxy; its log has the details")
    return cause if isinstance(cause, Refused) else Refused("malformed", 400, "this is no HTTP/1.1 request")
