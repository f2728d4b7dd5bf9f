"""`enhancetool`: tool arguments that are no JSON are mended. Sound ones stream as they come.

In a whole answer the decoder has put broken arguments, as a text, into an object of one member `arguments`; they are
taken out of it again, unless the tool has a parameter of that name.
"""

import msgspec

from core.dialects.base import Change
from core.messages import BlockDelta, BlockStart, BlockStop, StreamEvent
from core.transformers.base import Facts, Options, Transformer
from core.transformers.tolerant_json import Tolerant

_WRAPPED = '{"arguments":"'


class MendedArguments:
    """`base.Change`: the arguments of each call, as one sound object. `own`: tools with a parameter `arguments`."""

    def __init__(self, own: frozenset[str]) -> None:
        self._own = own
        self._arguments: Tolerant | None = None
        self._first = False
        self._may_be_wrapped = False

    def take(self, event: StreamEvent) -> list[StreamEvent]:
        match event:
            case BlockStart(block=block):
                self._arguments = Tolerant() if block.type == "tool_use" else None
                self._first, self._may_be_wrapped = True, block.name not in self._own
            case BlockDelta(index=index, kind="input_json", data=data) if self._arguments:
                if self._first and self._may_be_wrapped:
                    data = _unwrapped(data)
                self._first = False
                return _delta(index, self._arguments.feed(data))
            case BlockStop(index=index) if self._arguments:
                rest, self._arguments = self._arguments.end(), None
                return [*_delta(index, rest), event]
        return [event]


def _unwrapped(data: str) -> str:
    if not data.startswith(_WRAPPED):
        return data
    try:
        held = msgspec.json.decode(data, type=dict[str, str])
    except msgspec.MsgspecError:
        return data
    return held["arguments"] if len(held) == 1 else data


def _delta(index: int, data: str) -> list[StreamEvent]:
    return [BlockDelta(index, "input_json", data)] if data else []


def _answer(_: Options, facts: Facts) -> Change:
    tools = facts.request.tools
    return MendedArguments(frozenset(tool.name for tool in tools if b'"arguments"' in bytes(tool.input_schema)))


TRANSFORMER = Transformer("enhancetool", "Mends tool arguments that are no JSON, as they stream.", answer=_answer)
