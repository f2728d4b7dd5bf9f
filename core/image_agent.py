"""The image agent's plan, without I/O: a model that reads no images asks about them, and the proxy answers.

Each image becomes `[Image #n]`, and the tool `analyzeImage` is on offer. A turn that calls it, and no tool of the
client's, is not the end of the answer: the proxy asks the image target, and the same answer goes on with the next turn.
Of a turn that calls both, only the client's calls go out: the answer ends there, and the model may ask about its images
again when their results are back. The client never sees a call of the agent's.
"""

import hashlib
import re
from dataclasses import dataclass, field

import msgspec
from msgspec import Raw, Struct

from core.images import image_tokens
from core.messages import (
    Block,
    BlockDelta,
    BlockStart,
    BlockStop,
    Message,
    MessageDelta,
    MessageStart,
    MessageStop,
    Request,
    Source,
    StreamEvent,
    Tool,
    Usage,
)

TOOL = "analyzeImage"
#: Turns of one answer that may end in questions about images, and questions of one turn.
MAX_TURNS, MAX_CALLS = 6, 8
#: Longest question, in characters; and most tokens of what the image target says to one.
MAX_TASK, MAX_SEEN = 4000, 2048

_SCHEMA = Raw(
    b'{"type":"object","properties":{"imageId":{"type":"string","description":"The number of the image, as in [Image'
    b' #1]"},"task":{"type":"string","description":"What you want to know about the image, in full"}},"required":'
    b'["imageId","task"]}'
)
_NUMBER = re.compile(r"(?:\[?image )?#?(\d{1,6})\]?", re.IGNORECASE)


@dataclass(frozen=True)
class Plan:
    """The request as the model gets it, the images that it stands for, and what the tool is called there."""

    request: Request
    images: list[Source]
    tool: str


def plan(request: Request) -> Plan:
    """The client's own tool of the same name keeps its name."""
    taken = {tool.name for tool in request.tools}
    tool = next(name for name in (TOOL, *(f"{TOOL}_{n}" for n in range(2, len(taken) + 3))) if name not in taken)
    seen: dict[str, int] = {}
    images: list[Source] = []
    messages = [Message(role=m.role, content=_named(m.content, seen, images)) for m in request.messages]
    note = f"You cannot see images. Each stands as [Image #n] in the text: to know more, call {tool} with its number."
    offered = Tool(name=tool, description="Answers a question about an image.", input_schema=_SCHEMA)
    asked = msgspec.structs.replace(
        request,
        messages=messages,
        system=[*request.system, Block(type="text", text=note)],
        tools=[*request.tools, offered],
        stream=True,
    )
    return Plan(asked, images, tool)


def _named(content: list[Block], seen: dict[str, int], images: list[Source]) -> list[Block]:
    """The blocks with a name in place of each image; the same image has one name."""
    blocks: list[Block] = []
    for block in content:
        if block.type == "image" and block.source:
            key = hashlib.blake2s(msgspec.json.encode(block.source)).hexdigest()
            if key not in seen:
                images.append(block.source)
                seen[key] = len(images)
            blocks.append(Block(type="text", text=f"[Image #{seen[key]}]"))
        elif block.type == "tool_result" and isinstance(block.content, list):
            blocks.append(msgspec.structs.replace(block, content=_named(block.content, seen, images)))
        else:
            blocks.append(block)
    return blocks


class Question(Struct, frozen=True):
    """A call of the tool: which image (from 0) and what about it; or why it cannot be answered."""

    call: str
    image: int = -1
    task: str = ""
    wrong: str = ""


class _Input(Struct):
    imageId: str | int = ""  # noqa: N815 (the tool's own name)
    task: str = ""


def question(block: Block, count: int) -> Question:
    """What a call asks, of `count` images. Whatever a model writes there, only a number of these gets through."""
    try:
        asked = msgspec.json.decode(block.input, type=_Input)
    except (msgspec.MsgspecError, RecursionError):
        return Question(block.id, wrong="Give imageId and task as texts.")
    found = _NUMBER.fullmatch(str(asked.imageId).strip()[:32])
    number = int(found[1]) if found else 0
    if not 1 <= number <= count:
        return Question(block.id, wrong=f"There is no such image: imageId is a number from 1 to {count}.")
    task = asked.task.strip()[:MAX_TASK] or "Describe the image in detail, with all text in it."
    return Question(block.id, number - 1, task)


def request_about(source: Source, task: str) -> Request:
    """What the image target is asked."""
    content = [Block(type="image", source=source), Block(type="text", text=task)]
    return Request(
        dialect="image-agent",
        raw=b"{}",
        model="",
        messages=[Message(role="user", content=content)],
        system=[Block(type="text", text="Answer about the image, briefly and only from what can be seen in it.")],
        max_tokens=MAX_SEEN,
        tokens=image_tokens(source) + len(task) // 2,
    )


def following(request: Request, turn: list[Block], answers: dict[str, tuple[str, bool]]) -> Request:
    """The request of the next turn; `answers` by call: what was seen, and whether it failed."""
    results = [
        Block(type="tool_result", tool_use_id=call, content=text, is_error=failed or None)
        for call, (text, failed) in answers.items()
    ]
    more = [Message(role="assistant", content=turn), Message(role="user", content=results)]
    return msgspec.structs.replace(request, messages=[*request.messages, *more])


@dataclass
class Surgery:
    """Several turns as one answer: one beginning, indices without a gap, one end. `tool` is not for the client.

    `turn` are the events of the turn, the agent's calls among them; `ending` its message_delta once it is over.
    """

    tool: str
    usage: Usage = field(default_factory=Usage)
    #: What the provider has said of the turn under way, which may never end.
    under_way: Usage = field(default_factory=Usage)
    turn: list[StreamEvent] = field(default_factory=list)
    ending: MessageDelta | None = None
    client_called: bool = False
    _started: bool = False
    _next: int = 0
    _hidden: bool = False

    def begin(self) -> None:
        """The next turn."""
        self.turn, self.ending, self._hidden = [], None, False

    def take(self, event: StreamEvent) -> list[StreamEvent]:
        """What the client gets of an event of the turn; its end is held back."""
        self.turn.append(event)
        match event:
            case MessageStart():
                started, self._started = self._started, True
                return [] if started else [event]
            case BlockStart(block=block):
                self._hidden = block.type == "tool_use" and block.name == self.tool
                self.client_called |= block.type == "tool_use" and not self._hidden
                return [] if self._hidden else [BlockStart(self._next, block)]
            case BlockDelta(kind=kind, data=data):
                return [] if self._hidden else [BlockDelta(self._next, kind, data)]
            case BlockStop():
                self._next += not self._hidden
                return [] if self._hidden else [BlockStop(self._next - 1)]
            case MessageDelta():
                self.ending = event
                self.usage, self.under_way = self.usage.plus(event.usage), Usage()
                return []
            case MessageStop():
                return []
        return [event]

    def end(self) -> list[StreamEvent]:
        """The end of the answer: why the last turn ended, and what all of them used."""
        reason, sequence = (self.ending.stop_reason, self.ending.stop_sequence) if self.ending else ("end_turn", None)
        if reason == "tool_use" and not self.client_called:
            reason = "end_turn"
        return [MessageDelta(reason, sequence, self.usage), MessageStop()]
