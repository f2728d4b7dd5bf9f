"""`tooluse`: for models that talk about tools instead of calling them.

The request demands a call and offers `ExitTool`, through which the model says what is no call; the answer turns that
call back into text, as it comes.
"""

import msgspec
from msgspec import Raw

from core.dialects.splice import splice
from core.messages import Block, BlockDelta, BlockStart, BlockStop, MessageDelta, StreamEvent
from core.transformers.base import ANTHROPIC, OPENAI, Facts, Options, Transformer
from core.transformers.body import Body
from core.transformers.building import Building
from core.transformers.json_string import JSONString
from core.transformers.wire import instruct

EXIT_TOOL = "ExitTool"
_FIELD = "response"
_REMINDER = (
    "<system-reminder>Tool mode is on. Do the next step of the user's task by calling the most fitting tool. When no "
    f"tool is needed any more, or none fits, call {EXIT_TOOL} with your answer to the user, and nothing else."
    "</system-reminder>"
)
_ABOUT = f"Ends the tool calls of this turn. `{_FIELD}` is the whole answer to the user, exactly as it shall be shown."
_PARAMETERS = {"type": "object", "properties": {_FIELD: {"type": "string"}}, "required": [_FIELD]}


def _applies(facts: Facts) -> bool:
    """Whether the model is free to call a function or not to: a client that demands one certain thing gets that."""
    choice = facts.request.tool_choice
    functions = any(not tool.type for tool in facts.request.tools)
    return functions and (choice is None or choice.type == "auto")


def _request(body: Body, _: Options, facts: Facts) -> None:
    if not _applies(facts):
        return
    anthropic = facts.dialect == ANTHROPIC
    tool: dict[str, object] = {"name": EXIT_TOOL, "description": _ABOUT}
    tool |= {"input_schema" if anthropic else "parameters": _PARAMETERS}
    added = tool if anthropic else {"type": "function", "function": tool}
    tools = msgspec.json.decode(body.raw("tools"), type=list[Raw])
    body.set_raw("tools", msgspec.json.encode([*tools, added]))
    if not anthropic:
        body.set_raw("tool_choice", b'"required"')
    else:
        body.set_raw("tool_choice", _any(body.raw("tool_choice")))
    instruct(body, facts, _REMINDER)


def _any(choice: bytes) -> bytes:
    return splice(choice, {"type": b'"any"'}) if choice[:1] == b"{" else b'{"type":"any"}'


class ExitToText:
    """`base.Change`: a call of `ExitTool` becomes text while it is written."""

    def __init__(self) -> None:
        self._building = Building()
        self._said: JSONString | None = None
        self._called = False

    def take(self, event: StreamEvent) -> list[StreamEvent]:
        match event:
            case BlockStart(block=Block(type="tool_use", name=name)) if name == EXIT_TOOL:
                self._said = JSONString(_FIELD)
                return []
            case BlockStart(block=block):
                self._called |= block.type == "tool_use"
                return self._building.start(block)
            case BlockDelta(kind=kind, data=data):
                if self._said is None:
                    return self._building.delta(kind, data)
                return self._building.piece("text", self._said.feed(data))
            case BlockStop():
                events = self._building.piece("text", self._said.end()) if self._said else []
                self._said = None
                return events + self._building.stop()
            case MessageDelta(stop_reason="tool_use", usage=usage) if not self._called:
                return [MessageDelta("end_turn", None, usage)]
        return [event]


def _answer(_: Options, facts: Facts) -> ExitToText | None:
    return ExitToText() if _applies(facts) else None


TRANSFORMER = Transformer(
    "tooluse",
    "Demands a tool call, with ExitTool as the way to answer in text.",
    (OPENAI, ANTHROPIC),
    request=_request,
    answer=_answer,
)
