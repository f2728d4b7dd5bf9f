"""What the fake provider should answer: steps, from the test itself or from a directive in the prompt.

A directive travels through any client and any proxy: `[[mock STEPS]]` in a user message, where STEPS is a JSON list
with one step for each assistant turn after that message. The last directive of a conversation counts; a turn beyond
its steps is answered "DONE", a conversation without any directive "OK".
"""

import threading
from collections import Counter, deque
from typing import Any, Literal

import msgspec
from msgspec import Struct

MARK = "[[mock "


class Call(Struct, forbid_unknown_fields=True):
    """A tool that the model calls."""

    name: str
    input: dict[str, Any] = {}


class Spent(Struct, forbid_unknown_fields=True, frozen=True):
    """Usage in tokens, as Anthropic counts: `input` is without the cached ones."""

    input: int | None = None
    output: int | None = None
    cache_read: int = 0
    cache_write: int = 0


class Step(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """One answer. Thinking, text and tool calls come in this order, whichever are given.

    In the queue a step serves `times` requests. In a directive a failure (`status` or `fault`) happens `times` times,
    then the step is answered as if it had none.
    """

    text: str = ""
    think: str = ""
    tool: str = ""
    input: dict[str, Any] = {}
    tools: tuple[Call, ...] = ()
    #: The text is this value as JSON.
    json: Any = msgspec.UNSET
    #: Stop reason, in either dialect's words.
    stop: str = ""
    usage: Spent = Spent()
    #: Seconds before the status line, and before each delta.
    delay: float = 0
    chunk_delay: float = 0
    #: Characters in a delta.
    chunk: int = 12
    status: int = 0
    times: int = 1
    error_type: str = ""
    message: str = "scripted failure"
    retry_after: float | None = None
    headers: dict[str, str] = {}
    #: Streams only, but `stall` and `disconnect`: those also happen to a whole answer.
    fault: Literal["", "midstream_error", "disconnect", "stall", "overloaded_sse", "truncate"] = ""
    #: Deltas that are sent before the fault (at the latest it comes before the stream's ending); seconds of a stall.
    after: int = 2
    stall_s: float = 600

    @property
    def content(self) -> str:
        """The text of the answer."""
        return self.text if self.json is msgspec.UNSET else msgspec.json.encode(self.json).decode()

    @property
    def calls(self) -> tuple[Call, ...]:
        """The tool calls of the answer."""
        return ((Call(self.tool, self.input),) if self.tool else ()) + self.tools


class Script:
    """Picks the step for a request: the queue first, then the conversation's directive. Safe in several threads."""

    def __init__(self) -> None:
        self._queue: deque[Step] = deque()
        self._failed: Counter[bytes] = Counter()
        self._lock = threading.Lock()

    def add(self, *steps: Step) -> None:
        with self._lock:
            self._queue.extend(steps)

    def clear(self) -> None:
        """Forget the steps that were added."""
        with self._lock:
            self._queue.clear()

    def pick(self, messages: list[dict[str, Any]]) -> Step:
        """ValueError (with the path of what is wrong) for a directive that is no list of steps."""
        with self._lock:
            return self._queued() if self._queue else self._directed(messages)

    def _queued(self) -> Step:
        step = self._queue.popleft()
        if step.times > 1:
            self._queue.appendleft(msgspec.structs.replace(step, times=step.times - 1))
        return step

    def _directed(self, messages: list[dict[str, Any]]) -> Step:
        at, steps = directive(messages)
        turn = sum(message.get("role") == "assistant" for message in messages[at + 1 :])
        if not steps:
            return Step(text="OK")
        if turn >= len(steps):
            return Step(text="DONE")
        step: Step = steps[turn]
        if not (step.status or step.fault):
            return step
        key = msgspec.json.encode((steps, turn))
        self._failed[key] += 1
        return step if self._failed[key] <= step.times else _healed(step)


def _healed(step: Step) -> Step:
    healed: Step = msgspec.structs.replace(step, status=0, fault="")
    return healed


def directive(messages: list[dict[str, Any]]) -> tuple[int, list[Step]]:
    """Index of the last user message with a directive, and its steps; (-1, []) if there is none."""
    for at in range(len(messages) - 1, -1, -1):
        if messages[at].get("role") != "user":
            continue
        _, mark, after = text_of(messages[at].get("content")).rpartition(MARK)
        if mark:
            return at, msgspec.json.decode(_list_at(after), type=list[Step])
    return -1, []


def text_of(content: Any) -> str:
    """The text of a message in either dialect: a string, or a list of blocks."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(block["text"] for block in blocks if isinstance(block, dict) and block.get("type") == "text")


def _list_at(text: str) -> str:
    """The JSON list that `text` begins with: everything up to the `]]` after which it decodes."""
    end = text.find("]]")
    while end >= 0:
        try:
            msgspec.json.decode(text[: end + 1])
        except msgspec.DecodeError:
            end = text.find("]]", end + 1)
        else:
            return text[: end + 1]
    raise ValueError(f"a directive is [[mock [STEP, …]]], and this is none: {text[:80]!r}")


def prompt(*steps: dict[str, Any]) -> str:
    """A user prompt with a directive for these steps."""
    return f"go {MARK}{msgspec.json.encode(steps).decode()}]]"
