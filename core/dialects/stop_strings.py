"""Stop strings that a provider cannot be told of: the answer is cut at the first of them here.

The provider is still heard to its end, as the answer is whole only if it says so; what it says after the string goes to
nobody. OpenAI's Responses take none at all; the other limits are in each API's reference.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from core.messages import BlockDelta, BlockStart, BlockStop, MessageDelta, Request, StreamEvent

#: How many strings a provider's dialect takes; the encoders send the first so many.
TAKEN: Mapping[str, int] = MappingProxyType({"openai": 4, "openai-responses": 0, "gemini": 5})


class CutAtStop:
    """`base.Change`: text up to the first stop string. What may be the beginning of one waits."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._longest = max(map(len, stops))
        self._waiting = ""
        self._matched = ""
        self._open = False

    def take(self, event: StreamEvent) -> list[StreamEvent]:
        match event:
            case BlockStart() | BlockDelta() | BlockStop() if self._matched and not self._open:
                return []
            case BlockStart():
                self._open = True
            case BlockDelta(index=index, kind="text", data=data):
                return [] if self._matched else self._text(index, data)
            case BlockStop(index=index):
                self._open = False
                waiting, self._waiting = self._waiting, ""
                return [BlockDelta(index, "text", waiting), event] if waiting else [event]
            case MessageDelta() if self._matched:
                return [msgspec.structs.replace(event, stop_reason="stop_sequence", stop_sequence=self._matched)]
        return [event]

    def _text(self, index: int, data: str) -> list[StreamEvent]:
        text = self._waiting + data
        found = [(at + len(stop), at, stop) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:  # the one that is whole first, as a model that stops would see it
            _, end, self._matched = min(found)
            self._waiting = ""
        else:
            end = self._safe(text)
            self._waiting = text[end:]
        return [BlockDelta(index, "text", text[:end])] if end else []

    def _safe(self, text: str) -> int:
        """How much of the text can be no beginning of a stop string."""
        for at in range(max(0, len(text) - self._longest + 1), len(text)):
            if any(stop.startswith(text[at:]) for stop in self._stops):
                return at
        return len(text)


def cutting(request: Request, dialect: str) -> CutAtStop | None:
    """The change that an answer to this request needs from a provider of the dialect, if it needs one."""
    taken = TAKEN.get(dialect)
    stops = [stop for stop in dict.fromkeys(request.stop) if stop] if taken is not None else []
    # What is sent too is told apart by nobody here: an earlier string that the provider knows ends the answer anyway.
    return CutAtStop(stops[taken:]) if stops[taken or 0 :] else None
