"""What a provider of ours says: links that only one request can have, so that a client knows whose words it reads.

A link holds the request's nonce, the lane (thinking, text, tool call), its number and a hash over all links before it.
From nonce and seed alone everybody knows the whole answer, and tells it from a part of it and from another one's.
"""

import hashlib
import random
from typing import Final, NamedTuple

from upstream_script import Call, Step

#: Characters of a nonce and of a link.
NONCE, LINK = 12, 26
TOOL: Final = "look_up"


class Shape(NamedTuple):
    """Numbers of links in each lane, and characters in a delta."""

    thinking: int = 0
    text: int = 0
    tool: int = 0
    chunk: int = LINK


SHAPES: Final[dict[str, Shape]] = {
    "text": Shape(text=8),
    "thinking": Shape(thinking=4, text=6),
    "tools": Shape(text=2, tool=5),
    "long": Shape(text=1500),
    "tiny": Shape(thinking=1, text=2, tool=2, chunk=1),
}
#: Of which the seed chooses one where a fault does not.
USUAL: Final = ("text", "thinking", "tools")


class Content(NamedTuple):
    """The words of an answer. `tool` is the text of the call's arguments, a JSON object; empty without a call."""

    thinking: str = ""
    text: str = ""
    tool: str = ""


def links(nonce: str, lane: str, count: int) -> str:
    """So many links, one after the other."""
    said, state = [], hashlib.blake2b(f"{nonce}{lane}".encode(), digest_size=4)
    for number in range(count):
        state.update(number.to_bytes(4))
        said.append(f"{nonce}{lane}{number:04x}{state.hexdigest()}.")
    return "".join(said)


def shape_of(shape: str, seed: int) -> Shape:
    """The named shape; with an empty name the one of the seed."""
    return SHAPES[shape or random.Random(seed).choice(USUAL)]  # noqa: S311 - reproducible on purpose


def content(shape: Shape, nonce: str) -> Content:
    """The whole answer to the request with this nonce."""
    call = '{"chain":"' + links(nonce, "j", shape.tool) + '"}' if shape.tool else ""
    return Content(links(nonce, "k", shape.thinking), links(nonce, "t", shape.text), call)


def step(shape: Shape, nonce: str) -> Step:
    """The same as the scripted provider writes it."""
    said = content(shape, nonce)
    tools = (Call(TOOL, {"chain": links(nonce, "j", shape.tool)}),) if shape.tool else ()
    return Step(think=said.thinking, text=said.text, tools=tools, chunk=shape.chunk)
