"""What validators share: unknown fields, schemas of tools."""

import base64
import binascii
from collections.abc import Collection, Iterator
from typing import Any

from strict import Json


def unknown(value: Json, known: Collection[str], path: str) -> Iterator[str]:
    """Fields that the API does not have: `messages.0.foo: Extra inputs are not permitted`."""
    for name in value:
        if name not in known:
            yield f"{path}{name}: Extra inputs are not permitted"


def is_base64(data: Any) -> bool:
    """Whether it is text in base64 (RFC 4648, section 4), not empty."""
    try:
        return isinstance(data, str) and bool(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        return False


def blocks(content: Any) -> list[Json]:
    """The blocks of a message, whichever form it has."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content or () if isinstance(block, dict)] if isinstance(content, list) else []
