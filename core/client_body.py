"""A request's body, read whole: bounded in size, in time, and by the memory that is in use; and who sent it, as long as
they stay.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from types import TracebackType
from typing import Any

from core.admission import Admission
from core.deadlines import body_deadline
from core.errors import TooLarge, TooSlow
from core.http1_cycle import Client
from core.schema import ServerSettings

#: A body's deadline is put off when it has earned so many seconds more.
EARNED_S = 1.0

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class ClientGoneError(Exception):
    """The client left before its answer was complete."""


class Staying:
    """The block is cancelled as soon as the client leaves, and that is a ClientGoneError."""

    def __init__(self, client: Client) -> None:
        self._client, self._gone = client, False
        self._task: asyncio.Task[Any] | None = None

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        if not self._client.tell_leaving(self._leaves):
            raise ClientGoneError

    def _leaves(self) -> None:
        self._gone = True
        if self._task is not None:
            self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.tell_leaving(None)
        task, self._task = self._task, None
        if self._gone and task is not None and isinstance(exc, asyncio.CancelledError) and task.uncancel() == 0:
            raise ClientGoneError from None


async def whole_body(
    client: Client, receive: Receive, headers: dict[str, str], server: ServerSettings, admission: Admission
) -> bytes:
    """The whole body. Refused by its declared length before it is read, and by its real one, its slowness and the
    memory that is in use while it is.
    """
    limit, declared = server.max_body_bytes, headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    body = client.whole_body()
    if body is None:
        return await _received(receive, server, admission)
    if len(body) > limit:
        raise _too_large(limit)
    return body


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is over {limit} bytes; server.max_body_bytes is the limit")


async def _received(receive: Receive, server: ServerSettings, admission: Admission) -> bytes:
    """The body that is still coming."""
    parts: list[bytes] = []
    size, more, begun = 0, True, asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(server.body_s) as clock:
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                part = message.get("body", b"")
                size += len(part)
                if size > server.max_body_bytes:
                    raise _too_large(server.max_body_bytes)
                parts.append(part)
                more = message.get("more_body", False)
                if more:
                    admission.check_growth()
                    due = body_deadline(begun, size, grace_s=server.body_s, rate=server.body_rate)
                    if due > (clock.when() or due) + EARNED_S:
                        clock.reschedule(due)
    except TimeoutError:
        admission.tally.add("body_s")
        raise TooSlow(f"the body did not arrive in time ({size} bytes did): server.body_s, server.body_rate") from None
    return parts[0] if len(parts) == 1 else b"".join(parts)
