"""Tool names that a provider accepts: not too long, and made of letters, digits, `_` and `-`.

Claude Code's names of MCP tools grow beyond the 64 characters that OpenAI takes. A name that does not fit goes out
shortened, always in the same way, and comes back whole in the answer.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import msgspec

from core.messages import Block, BlockStart, Request, StreamEvent

#: Longest name by the provider's dialect, in characters.
LONGEST: Mapping[str, int] = MappingProxyType({"openai": 64, "openai-responses": 64, "anthropic": 128})

_BAD = re.compile(r"[^a-zA-Z0-9_-]")
#: Hex digits of the whole name's hash, by which two names with one beginning stay apart.
_DIGITS = 8


@lru_cache(maxsize=4096)
def fitting(name: str, longest: int) -> str:
    """The name if it fits, else its beginning and a hash of the whole."""
    if len(name) <= longest and not _BAD.search(name):
        return name
    digest = hashlib.blake2s(name.encode("utf-8", "replace"), digest_size=_DIGITS // 2).hexdigest()
    return f"{_BAD.sub('_', name)[: longest - _DIGITS - 1]}_{digest}"


class NamesRestored:
    """`base.Change`: calls by their tools' own names."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def take(self, event: StreamEvent) -> list[StreamEvent]:
        match event:
            case BlockStart(index=index, block=Block(type="tool_use", name=name) as block) if name in self._names:
                return [BlockStart(index, msgspec.structs.replace(block, name=self._names[name]))]
        return [event]


def restoring(request: Request, dialect: str) -> NamesRestored | None:
    """The change that an answer to this request needs from a provider of the dialect, if it needs one."""
    longest = LONGEST.get(dialect, 0)
    if not longest:
        return None
    fits = ((fitting(tool.name, longest), tool.name) for tool in request.tools if not tool.type)
    names = {short: name for short, name in fits if short != name}
    return NamesRestored(names) if names else None
