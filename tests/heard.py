"""What an answer says, read from its bytes by small readers of their own: the proxy's must not judge itself.

    read("anthropic", stream)              whole streams, as a client of the dialect (or the proxy) receives them
    read_whole("openai", body)             answers that are not streamed

A reader is as strict as a careful client: `Wrong` for what breaks its dialect's order, never a guess. Text, thinking
and each call's arguments are joined over their pieces, so a lost or doubled byte shows.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

Json = dict[str, Any]


class Wrong(ValueError):
    """Not the dialect's shape or order."""


@dataclass
class Call:
    """A tool call; `arguments` is JSON text, joined over its pieces."""

    name: str
    arguments: str = ""

    @property
    def value(self) -> Any:
        """The arguments: an empty text is an empty object, one that was cut (by a length limit) is itself."""
        try:
            return json.loads(self.arguments or "{}")
        except ValueError:
            return self.arguments


@dataclass
class Heard:
    """One answer. `stop` is end, tools, length or refusal; `tokens` are (input with cached ones, output).

    `terminal`: the dialect's last success marker came. `error` is the message of an error that ended it.
    """

    text: str = ""
    thinking: str = ""
    calls: list[Call] = field(default_factory=list)
    stop: Literal["", "end", "tools", "length", "refusal"] = ""
    tokens: tuple[int, int] = (0, 0)
    terminal: bool = False
    error: str = ""

    def said(self) -> tuple[str, str, list[tuple[str, Any]]]:
        """Every byte that a user or a tool gets."""
        return self.thinking, self.text, [(call.name, call.value) for call in self.calls]

    def pieces(self) -> tuple[str, str, list[tuple[str, str]]]:
        """The same for an answer that may have been cut: arguments as text."""
        return self.thinking, self.text, [(call.name, call.arguments) for call in self.calls]


class Event(NamedTuple):
    """An event of a stream: its name ("" if it has none) and its data."""

    name: str
    data: str

    def json(self) -> Json:
        return loads(self.data)


def events(stream: bytes) -> list[Event]:
    """The events of a stream (WHATWG HTML 9.2.6), without what was not ended by a blank line."""
    text = stream.decode().removeprefix("\ufeff")
    found = []
    for block in re.sub(r"\r\n|\r", "\n", text).split("\n\n")[:-1]:
        fields = [line.partition(":")[::2] for line in block.split("\n")]
        data = [value.removeprefix(" ") for name, value in fields if name == "data"]
        names = [value.removeprefix(" ") for name, value in fields if name == "event"]
        if data:
            found.append(Event(names[-1] if names else "", "\n".join(data)))
    return found


def loads(data: str | bytes) -> Json:
    """A JSON object and nothing else."""
    try:
        value = json.loads(data)
    except ValueError as exc:
        raise Wrong(f"not JSON: {exc}: {data[:80]!r}") from None
    need(isinstance(value, dict), f"not an object: {data[:80]!r}")
    return dict(value)


def need(condition: object, what: str) -> None:
    """Wrong without it."""
    if not condition:
        raise Wrong(what)


def read(dialect: str, stream: bytes) -> Heard:
    """A whole stream, however it ended."""
    return _readers()[dialect].stream(stream)


def read_whole(dialect: str, body: bytes) -> Heard:
    """An answer that is not streamed."""
    return _readers()[dialect].whole(loads(body))


def read_error(dialect: str, body: bytes) -> str:
    """`type: message` of an error answer (or an error's data); Wrong if it is none."""
    return _readers()[dialect].error(loads(body))


class Reader(NamedTuple):
    """One dialect's."""

    stream: Callable[[bytes], Heard]
    whole: Callable[[Json], Heard]
    error: Callable[[Json], str]


def _readers() -> Mapping[str, Reader]:
    """Here, so that the readers can import this module."""
    import heard_anthropic  # noqa: PLC0415
    import heard_gemini  # noqa: PLC0415
    import heard_ollama  # noqa: PLC0415
    import heard_openai  # noqa: PLC0415
    import heard_responses  # noqa: PLC0415

    modules = (heard_anthropic, heard_openai, heard_responses, heard_gemini, heard_ollama)
    return MappingProxyType({module.NAME: Reader(module.stream, module.whole, module.error) for module in modules})
