"""The JSON body of a request to the admin plane, as a typed value."""

from typing import TypeVar

import msgspec
from starlette.requests import Request

from core.errors import BadRequest

T = TypeVar("T")


async def read(request: Request, kind: type[T]) -> T:
    """The body; BadRequest says what is wrong with it and where."""
    try:
        return msgspec.json.decode(await request.body() or b"{}", type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise BadRequest(f"the body is not what {request.url.path} takes: {str(exc)[:300]}") from None
