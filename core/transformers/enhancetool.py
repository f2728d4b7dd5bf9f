"""`enhancetool`: tool arguments that are no JSON are mended. Sound ones stream as they come."""

from core.dialects.base import Change
from core.messages import BlockDelta, BlockStart, BlockStop, StreamEvent
from core.transformers.base import Facts, Options, Transformer
from core.transformers.tolerant_json import Tolerant


class MendedArguments:
    """`base.Change`: the arguments of each call, as one sound object."""

    def __init__(self) -> None:
        self._arguments: Tolerant | None = None

    def take(self, event: StreamEvent) -> list[StreamEvent]:
        match event:
            case BlockStart(block=block):
                self._arguments = Tolerant() if block.type == "tool_use" else None
            case BlockDelta(index=index, kind="input_json", data=data) if self._arguments:
                return _delta(index, self._arguments.feed(data))
            case BlockStop(index=index) if self._arguments:
                rest, self._arguments = self._arguments.end(), None
                return [*_delta(index, rest), event]
        return [event]


def _delta(index: int, data: str) -> list[StreamEvent]:
    return [BlockDelta(index, "input_json", data)] if data else []


def _answer(_: Options, __: Facts) -> Change:
    return MendedArguments()


TRANSFORMER = Transformer("enhancetool", "Mends tool arguments that are no JSON, as they stream.", answer=_answer)
