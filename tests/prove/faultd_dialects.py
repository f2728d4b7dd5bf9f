"""What the faults need to know of a dialect: one class each, over the scripted provider's wire formats."""

import random
from typing import Any, Protocol

import msgspec
from upstream_gemini import Gemini
from upstream_responses import OpenAIResponses
from upstream_wire import Anthropic, Frame, Json, OpenAIChat, Part, Wire


class Dialect(Protocol):
    """A dialect, and what may go wrong in its streams. `rng` chooses among the ways."""

    name: str
    #: What its requests' paths contain.
    path: bytes
    wire: Wire

    def good(self, frames: list[Frame]) -> list[Frame]:
        """The frames as this dialect's usual providers send them."""
        ...

    def odd(self, frames: list[Frame]) -> list[Frame]:
        """The same message with what may be there besides: unknown events, empty ones."""
        ...

    def after(self, frames: list[Frame]) -> list[Frame]:
        """What must not be read after the terminal event."""
        ...

    def usage(self, value: Json, number: float | None) -> Json:
        """A whole answer or an event with this as every count, or without usage."""
        ...

    def misordered(self, frames: list[Frame], rng: random.Random) -> list[Frame]: ...

    def misnumbered(self, frames: list[Frame], rng: random.Random) -> list[Frame]: ...


def data_of(frame: Frame) -> Any:
    """The JSON of an event; None if it has none."""
    line = next((line for line in frame.data.split(b"\n") if line.startswith(b"data: ")), b"")
    return None if line in (b"", b"data: [DONE]") else msgspec.json.decode(line[6:])


def with_data(frame: Frame, value: Json) -> Frame:
    """The same event with other JSON."""
    lines = [
        b"data: " + msgspec.json.encode(value) if line[:6] == b"data: " else line for line in frame.data.split(b"\n")
    ]
    return Frame(b"\n".join(lines), frame.part)


def deltas(frames: list[Frame]) -> list[int]:
    """Where content is."""
    return [at for at, frame in enumerate(frames) if frame.part is Part.DELTA]


def _counts(usage: Json, number: float | None) -> Json:
    return {name: number for name, value in usage.items() if type(value) is int}


class AnthropicFaults:
    """`/v1/messages`."""

    name, path = "anthropic", b"/messages"
    wire: Wire = Anthropic()

    def good(self, frames: list[Frame]) -> list[Frame]:
        return frames

    def odd(self, frames: list[Frame]) -> list[Frame]:
        unknown = Frame(b'event: weather\ndata: {"type":"weather","index":9,"delta":{"text":"rain"}}\n\n')
        ping = Frame(b'event: ping\ndata: {"type":"ping"}\n\n')
        return [frames[0], *(part for frame in frames[1:-1] for part in (unknown, ping, frame)), unknown, frames[-1]]

    def after(self, frames: list[Frame]) -> list[Frame]:
        return [frames[at] for at in deltas(frames)[:1]]

    def usage(self, value: Json, number: float | None) -> Json:
        if isinstance(value.get("message"), dict):
            return value | {"message": self.usage(value["message"], number)}
        if "usage" not in value:
            return value
        without = {key: each for key, each in value.items() if key != "usage"}
        return without if number is None else without | {"usage": _counts(value["usage"], number)}

    def misordered(self, frames: list[Frame], rng: random.Random) -> list[Frame]:
        names = [(data_of(frame) or {}).get("type") for frame in frames]
        start, stop = names.index("content_block_start"), names.index("content_block_stop")
        ways = (
            frames[1:],
            [*frames[:start], *frames[start + 1 :]],
            [*frames[: start + 1], *frames[start:]],
            [frames[0], *frames],
            [*frames[:stop], frames[-1]],
            [*frames[:stop], *frames[stop + 1 :]],
            [frame for frame, name in zip(frames, names, strict=True) if name != "message_delta"],
        )
        return rng.choice(ways)

    def misnumbered(self, frames: list[Frame], rng: random.Random) -> list[Frame]:
        which = rng.choice(("content_block_start", "content_block_delta", "content_block_stop"))
        said = [data_of(frame) for frame in frames]
        at = next(at for at, value in enumerate(said) if value["type"] == which)
        wrong = with_data(frames[at], said[at] | {"index": rng.choice((7, -1, 10**6))})
        return [*frames[:at], wrong, *frames[at + 1 :]]


class OpenAIFaults:
    """`/v1/chat/completions`. Its stream has one order that matters: finish_reason, then [DONE]."""

    name, path = "openai", b"/chat/completions"
    wire: Wire = OpenAIChat()

    def good(self, frames: list[Frame]) -> list[Frame]:
        return frames

    def odd(self, frames: list[Frame]) -> list[Frame]:
        empty = Frame(b'data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}\n\n')
        comment = Frame(b": OPENROUTER PROCESSING\n\n")
        return [comment, *(part for frame in frames[:-1] for part in (empty, comment, frame)), comment, frames[-1]]

    def after(self, frames: list[Frame]) -> list[Frame]:
        return [frames[at] for at in deltas(frames)[:1]]

    def usage(self, value: Json, number: float | None) -> Json:
        without = {key: each for key, each in value.items() if key != "usage"}
        if "usage" not in value or number is None:
            return without
        return without | {"usage": _counts(value["usage"], number)}

    def misordered(self, frames: list[Frame], rng: random.Random) -> list[Frame]:
        """Content after the finish_reason."""
        last = deltas(frames)[-1]
        end = next(at for at, frame in enumerate(frames) if frame.part is Part.END)
        kept = [frame for at, frame in enumerate(frames) if at != last]
        return [*kept[:end], frames[last], *kept[end:]]

    def misnumbered(self, frames: list[Frame], rng: random.Random) -> list[Frame]:
        return frames


class ResponsesFaults:
    """`/v1/responses`. Items begin, are filled and end; each event names its item."""

    name, path = "openai-responses", b"/responses"
    wire: Wire = OpenAIResponses()

    def good(self, frames: list[Frame]) -> list[Frame]:
        return frames

    def odd(self, frames: list[Frame]) -> list[Frame]:
        unknown = Frame(b'event: response.weather\ndata: {"type":"response.weather","delta":"rain"}\n\n')
        kept = Frame(b'event: keepalive\ndata: {"type":"keepalive"}\n\n')
        return [frames[0], *(part for frame in frames[1:-1] for part in (unknown, kept, frame)), unknown, frames[-1]]

    def after(self, frames: list[Frame]) -> list[Frame]:
        return [frames[at] for at in deltas(frames)[:1]]

    def usage(self, value: Json, number: float | None) -> Json:
        if isinstance(value.get("response"), dict):
            return value | {"response": self.usage(value["response"], number)}
        if not isinstance(value.get("usage"), dict):
            return value
        without = {key: each for key, each in value.items() if key != "usage"}
        return without if number is None else without | {"usage": _counts(value["usage"], number)}

    def misordered(self, frames: list[Frame], rng: random.Random) -> list[Frame]:
        names = [data_of(frame)["type"] for frame in frames]
        added, done = names.index("response.output_item.added"), names.index("response.output_item.done")
        ways = (
            frames[added:],
            [*frames[:added], *frames[added + 1 :]],
            [*frames[: added + 1], *frames[added:]],
            [*frames[:done], *frames[done + 1 :]],
            [*frames[: done + 1], *frames[done:]],
            [*frames[:done], frames[-1]],
        )
        return rng.choice(ways)

    def misnumbered(self, frames: list[Frame], rng: random.Random) -> list[Frame]:
        which = rng.choice(("response.output_item.added", "response.output_item.done", ".delta"))
        said = [data_of(frame) for frame in frames]
        at = next(at for at, value in enumerate(said) if value["type"].endswith(which))
        wrong = with_data(frames[at], said[at] | {"output_index": rng.choice((7, -1, 10**6))})
        return [*frames[:at], wrong, *frames[at + 1 :]]


class GeminiFaults:
    """`/models/M:streamGenerateContent`. Events are pieces of the answer; its end is a finishReason, then nothing."""

    name, path = "gemini", b"enerateContent"
    wire: Wire = Gemini()

    def good(self, frames: list[Frame]) -> list[Frame]:
        """Some begin with an event without words."""
        first = data_of(frames[0])
        first["candidates"][0]["content"]["parts"] = [{"text": ""}]
        return [Frame(b"data: %s\n\n" % msgspec.json.encode(first)), *frames]

    def odd(self, frames: list[Frame]) -> list[Frame]:
        empty = Frame(b'data: {"usageMetadata":{"trafficType":"ON_DEMAND"},"weather":"rain"}\n\n')
        no_parts = Frame(b'data: {"candidates":[{"content":{"role":"model"},"index":0,"safetyRatings":[]}]}\n\n')
        return [part for frame in frames for part in (empty, no_parts, frame)]

    def after(self, frames: list[Frame]) -> list[Frame]:
        """The end of the transport is the stream's; routers that speak this dialect write OpenAI's instead."""
        return [Frame(b"data: [DONE]\n\n"), *(frames[at] for at in deltas(frames)[:1])]

    def usage(self, value: Json, number: float | None) -> Json:
        without = {key: each for key, each in value.items() if key != "usageMetadata"}
        if "usageMetadata" not in value or number is None:
            return without
        return without | {"usageMetadata": _counts(value["usageMetadata"], number)}

    def misordered(self, frames: list[Frame], rng: random.Random) -> list[Frame]:
        """Content after the finishReason."""
        last = deltas(frames)[-1]
        return [*frames[:last], *frames[last + 1 :], frames[last]]

    def misnumbered(self, frames: list[Frame], rng: random.Random) -> list[Frame]:
        return frames


DIALECTS: tuple[Dialect, ...] = (AnthropicFaults(), OpenAIFaults(), ResponsesFaults(), GeminiFaults())
