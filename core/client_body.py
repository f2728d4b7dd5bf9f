"""A request's body, read whole: bounded in size, in time, and by the memory that is in use."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from core.admission import Admission
from core.deadlines import body_deadline
from core.errors import TooLarge, TooSlow
from core.schema import ServerSettings

#: A body's deadline is put off when it has earned so many seconds more.
EARNED_S = 1.0

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class ClientGoneError(Exception):
    """The client left before its answer was complete."""


async def whole_body(
    receive: Receive,
    headers: dict[str, str],
    server: ServerSettings,
    admission: Admission,
) -> bytes:
    """The whole body. Refused by its declared length before it is read, and by its real one, its slowness and the
    memory that is in use while it is.
    """
    limit = server.max_body_bytes
    too_large = TooLarge(f"the body is over {limit} bytes; server.max_body_bytes is the limit")
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise too_large
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
                if size > limit:
                    raise too_large
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
