"""Providers that speak OpenAI's dialect in their own way: OpenRouter and Groq."""

from collections.abc import Iterator

import msgspec
from upstream_script import Step
from upstream_wire import Frame, Json, OpenAIChat, Part, encode, ident, signature

PROCESSING = b": OPENROUTER PROCESSING\n\n"
WAIT, WAITS = "~", 60


def _delta(frame: Frame) -> Json | None:
    """The delta of a chunk."""
    if not frame.data.startswith(b"data: {"):
        return None
    choices = msgspec.json.decode(frame.data[6:])["choices"]
    return choices[0]["delta"] if choices else None


def _changed(frame: Frame, **delta: object) -> Frame:
    whole = msgspec.json.decode(frame.data[6:])
    whole["choices"][0]["delta"] = delta
    return Frame(b"data: %s\n\n" % encode(whole), frame.part)


class OpenRouter(OpenAIChat):
    """Comments while it waits; thinking is `reasoning` and signed `reasoning_details`; usage always at the end.

    A piece of text `~` stands for a long wait with comments alone.
    """

    def whole(self, step: Step, body: Json, size: int) -> Json:
        answer = super().whole(step, body, size)
        message = answer["choices"][0]["message"]
        if thinking := message.pop("reasoning_content", ""):
            entry = _entry(text=thinking, signature=signature(thinking))
            message |= {"reasoning": thinking, "reasoning_details": [entry]}
        return answer

    def frames(self, step: Step, body: Json, size: int) -> Iterator[Frame]:
        signed = not step.think
        for frame in super().frames(step, body | {"stream_options": {"include_usage": True}}, size):
            delta = _delta(frame)
            yield Frame(PROCESSING)
            if delta and delta.get("content") == WAIT:
                yield from (Frame(PROCESSING, Part.DELTA) for _ in range(WAITS))
                continue
            if delta and (text := delta.get("reasoning_content")):
                yield _changed(frame, content="", reasoning=text, reasoning_details=[_entry(text=text)])
                continue
            if not signed and delta is not None and "role" not in delta:
                signed = True
                entry = _entry(signature=signature(step.think))
                yield _changed(frame, content="", reasoning=None, reasoning_details=[entry])._replace(part=Part.FRAME)
            yield frame


def _entry(**members: str) -> Json:
    return {"type": "reasoning.text", **members, "format": "anthropic-claude-v1", "index": 0}


class Groq(OpenAIChat):
    """A new id for a call in each chunk; usage in `x_groq` if nobody asks for it."""

    def frames(self, step: Step, body: Json, size: int) -> Iterator[Frame]:
        for frame in super().frames(step, body, size):
            delta = _delta(frame)
            if delta and "tool_calls" in delta:
                calls = [call | {"id": ident("call_")} for call in delta["tool_calls"]]
                yield _changed(frame, tool_calls=calls)
            else:
                yield frame
