"""`<think>…</think>` inside text, as thinking: what models write whose server does not take it out.

    text ──<think>──▶ thinking ──</think>──▶ text, to the end

The tag may come in any pieces, and after text of the model's own. Only the first one counts: later ones are something
that the model talks about. White space between a tag and what is next to it belongs to neither.
"""

from typing import Literal

from core.messages import Block, BlockDelta, BlockStart, BlockStop, StreamEvent
from core.transformers.building import Building


class ThinkTag:
    """`base.Change`. `inside`: the answer begins within the tag, as where a server's template has opened it."""

    def __init__(self, tag: str, *, inside: bool = False) -> None:
        self._tags = {"before": f"<{tag}>", "inside": f"</{tag}>"}
        self._state = "inside" if inside else "before"
        self._building = Building()
        self._held = ""
        self._text = False

    def take(self, event: StreamEvent) -> list[StreamEvent]:
        match event:
            case BlockStart(block=Block(type="text")) if self._state != "after":
                self._text = True
                return []
            case BlockStart(block=block):
                return self._building.start(block)
            case BlockDelta(data=data) if self._text:
                return self._feed(data)
            case BlockDelta(kind=kind, data=data):
                return self._building.delta(kind, data)
            case BlockStop() if self._text:
                return self._end()
            case BlockStop():
                return self._building.stop()
        return [event]

    def _feed(self, data: str) -> list[StreamEvent]:
        self._held += data
        events: list[StreamEvent] = []
        while self._state in self._tags:
            before, tag, after = self._held.partition(self._tags[self._state])
            if not tag:
                return events + self._say(self._without_beginning_of_tag())
            self._held = before
            events += self._say(before.rstrip()) + self._building.stop()
            self._held = after
            self._state = "inside" if self._state == "before" else "after"
        return events + self._say(self._held)

    def _without_beginning_of_tag(self) -> str:
        """What is held, up to what may be the beginning of a tag and the white space before it."""
        tag = self._tags[self._state]
        length = next((n for n in range(len(tag) - 1, 0, -1) if self._held.endswith(tag[:n])), 0)
        return self._held[: len(self._held) - length].rstrip()

    def _say(self, text: str) -> list[StreamEvent]:
        """Send what is at the beginning of what is held; next to a tag it does not begin with white space."""
        kind: Literal["text", "thinking"] = "thinking" if self._state == "inside" else "text"
        self._held = self._held[len(text) :]
        if self._state != "before" and self._building.open != kind:
            text = text.lstrip()
        return self._building.piece(kind, text)

    def _end(self) -> list[StreamEvent]:
        """The text block is over: what was held is no tag."""
        self._text = False
        events = self._say(self._held) + self._building.stop()
        if self._state == "inside":
            self._state = "after"
        return events
