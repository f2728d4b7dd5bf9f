"""uvicorn's server with a way to stop that is ours (`draining`): its own cuts what takes longer, without a word."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType

import uvicorn
from uvicorn.lifespan.on import LifespanOn

from core import listening
from core.draining import QUIET_S, Drain, Patience, Stage
from core.group.member import Member
from core.open_connections import Connections
from core.under_way import UnderWay

_CLOSE = (b"connection", b"close")
#: What is cancelled at the very end may take so long, in seconds, and so long what the application closes.
_LAST_S, _CLOSE_S = 1.0, 5.0


class Server(uvicorn.Server):
    """One listener. `patience` is asked again and again: the configuration may change while it drains."""

    lifespan: LifespanOn

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        connections: Connections,
        drain: Drain,
        under_way: UnderWay,
        patience: Callable[[], Patience],
        report: Callable[[dict[str, object], str], None],
        on_started: Callable[[], None],
        on_stopped: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._connections = connections
        self._drain, self._under_way, self._patience, self._report = drain, under_way, patience, report
        self._on_started, self._on_stopped = on_started, on_stopped
        self._seen = Stage.SERVING
        self._told = 0
        self._listeners: list[socket.socket] = []
        self._member: Member | None = None
        #: Those of other workers that it accepts from now.
        self._covered: dict[socket.socket, asyncio.Server] = {}
        self._wanted: Sequence[socket.socket] = ()
        self._turn = asyncio.Lock()
        self._covering: asyncio.Task[None] | None = None

    def stand_in(self, member: Member) -> None:
        """It is one worker of several from now on: their supervisor says when to stop, and whom to stand in for."""
        self._member = member
        member.on_stop = self._told_to_stop
        member.on_cover = self._told_to_cover

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's; then the connections that come are served."""
        await super().startup(sockets)
        self._listeners = sockets or []
        if not self._drain.stopping:
            self._on_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """A signal; what follows happens in the next tick. Of several processes each may get it, by a service manager
        and by the supervisor: so it is the supervisor alone who says `now`.
        """
        if self._member is None:
            self._drain.signal()
        else:
            self._drain.begin()

    def _told_to_stop(self, now: bool) -> None:  # noqa: FBT001  # a callback
        self._drain.begin()
        if now:
            self._drain.signal()

    def _told_to_cover(self, listeners: Sequence[socket.socket]) -> None:
        self._wanted = listeners
        self._covering = asyncio.create_task(self._cover())

    async def _cover(self) -> None:
        """Accept from the listeners that are wanted now, and from no other worker's."""
        async with self._turn:
            for listener in self._covered.keys() - set(self._wanted):
                self._covered.pop(listener).close()
            for listener in set(self._wanted) - self._covered.keys():
                if self._drain.stopping:
                    return
                self._covered[listener] = await asyncio.get_running_loop().create_server(
                    self._made_connection, sock=listener.dup(), backlog=listening.BACKLOG
                )

    def _made_connection(self) -> asyncio.Protocol:
        """As uvicorn's `startup` makes them."""
        make: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second; True when all is done."""
        await super().on_tick(counter)
        busy = len(self._connections.every) + len(self.server_state.tasks)
        stage = self._drain.advance(self._patience(), connections=busy)
        if stage is not self._seen:
            self._seen = stage
            self._enter(stage, busy)
        if stage is Stage.CLOSING and self._drain.in_stage_s >= QUIET_S:
            self._close_idle()
        if stage is Stage.ENDING:
            self._told += self._under_way.end()
            self._close_idle()
        return stage is Stage.DONE

    def _enter(self, stage: Stage, busy: int) -> None:
        if _CLOSE not in self.config.encoded_headers:
            self._say_close()
        if stage is Stage.LEAVING:
            for listener in (*self._listeners, *self._covered):
                listening.begin_no_connection(listener)
        elif stage is not Stage.DRAINING:
            self._stop_listening()
        self._report(
            {"event": "stopping", "stage": stage.name.lower(), "connections": busy, "requests": len(self._under_way)},
            "info",
        )

    def _say_close(self) -> None:
        """Every answer from now on says that its connection ends with it (RFC 9112, section 9.6), and it does."""
        self.config.encoded_headers.append(_CLOSE)
        self.server_state.default_headers = [*self.server_state.default_headers, _CLOSE]
        for connection in self._connections.open:
            connection.answer_no_more()

    def _stop_listening(self) -> None:
        for server in (*self.servers, *self._covered.values()):
            server.close()
        for listener in (*self._listeners, *(self._member.listeners if self._member else ())):
            listener.close()
        self.servers, self._listeners = [], []
        self._covered.clear()

    def _close_idle(self) -> None:
        for connection in self._connections.every:
            if connection.idle:
                connection.transport.close()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        """What has not ended by now is cut, and the application closes what it holds."""
        left = self._connections.every
        for connection in left:
            connection.transport.abort()
        for task in self.server_state.tasks:
            task.cancel()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_LAST_S)
        with suppress(TimeoutError):  # a thread of its may wait for a file or a name server that never answers
            await asyncio.wait_for(self.lifespan.shutdown(), _CLOSE_S)
        self._report({"event": "stopped", "told": self._told, "cut": len(left)}, "info")
        self._on_stopped()
