"""The subagent tag, which says who should answer and is for nobody else: taken out of what is sent.

`<CCR-SUBAGENT-MODEL>provider,model</CCR-SUBAGENT-MODEL>` in the system text or in the first two user messages.
"""

import re
from collections.abc import Sequence

from core.messages import Message

#: How many user messages, from the first, may carry it.
USER_MESSAGES = 2

_NAME = "CCR-SUBAGENT-MODEL"
_TEXT = re.compile(rf"<{_NAME}>[^<]{{0,512}}</{_NAME}>")
# In JSON text a client may have escaped what HTML does not like.
_LESS, _MORE, _SLASH = rb"(?:<|\\u003[cC])", rb"(?:>|\\u003[eE])", rb"(?:\\?/|\\u002[fF])"
_NAME_BYTES = _NAME.encode()
_BYTES = re.compile(
    b"".join((_LESS, _NAME_BYTES, _MORE, rb'[^<"]{0,512}?', _LESS, _SLASH, _NAME_BYTES, _MORE)),
)


def carriers(messages: Sequence[Message]) -> list[int]:
    """Indices of the messages that may carry the tag."""
    return [number for number, message in enumerate(messages) if message.role == "user"][:USER_MESSAGES]


def tag_in(json: bytes) -> bool:
    """Whether the tag may be anywhere in the JSON text."""
    return _NAME_BYTES in json


def without_tag(text: str) -> str:
    """The text, the tag removed."""
    return _TEXT.sub("", text) if _NAME in text else text


def without_tag_bytes(json: bytes) -> bytes:
    """The JSON text, the tag removed from its strings; still JSON, as the tag lies within one string."""
    return _BYTES.sub(_replacement, json)


def _replacement(match: re.Match[bytes]) -> bytes:
    """Nothing; but "." where the tag is the whole string."""
    before, after = match.string[match.start() - 1 : match.start()], match.string[match.end() : match.end() + 1]
    return b"." if before == b'"' and after == b'"' else b""
