"""Images that a client names by URL, for providers that take only the image itself. Pure: fetching is `core.pictures`.

A type is what the first bytes say, whatever a server calls it: PNG, JPEG, GIF and WebP as their formats begin.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from core.errors import BadRequest
from core.messages import Block, Message, Request, Source

#: Longest URL that is fetched, in characters.
MAX_URL = 8192


class Named(NamedTuple):
    """An image by URL, and where it stands: `messages.N.content.M`."""

    path: str
    url: str


def named(request: Request) -> list[Named]:
    """All images by URL, those in tool results too."""
    return [
        found
        for number, message in enumerate(request.messages)
        for found in _in_blocks(message.content, f"messages.{number}.content")
    ]


def _in_blocks(content: list[Block], path: str) -> Iterator[Named]:
    for number, block in enumerate(content):
        if block.type == "image" and block.source and block.source.type == "url":
            yield Named(f"{path}.{number}", block.source.url)
        elif block.type == "tool_result" and isinstance(block.content, list):
            yield from _in_blocks(block.content, f"{path}.{number}.content")


def check(found: list[Named], most: int) -> None:
    """BadRequest for more than `most` different ones, and for what is no URL of the web."""
    for path, url in found:
        if why := _wrong(url):
            raise refusal(path, why)
    if len({url for _, url in found}) > most:
        why = f"this provider takes no URLs, and at most {most} images are fetched for one request (images.max_count)"
        raise refusal(found[-1].path, why)


def _wrong(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "it is no URL"
    if len(url) > MAX_URL or not (url.isascii() and url.isprintable()) or " " in url:
        return f"its URL has spaces or characters that must be encoded, or more than {MAX_URL} of them"
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        return "its URL does not begin with http:// or https:// and a host"
    if parts.username is not None or parts.password is not None:
        return "its URL holds a user name or a password"
    return ""


def refusal(path: str, why: str) -> BadRequest:
    """What the client is told of an image that cannot be had."""
    return BadRequest(f"{path}: the image cannot be passed on: {why}; send it as base64", details={"param": path})


def as_source(data: bytes) -> Source | None:
    """The image as base64, or None if these bytes do not begin as an image of the four types."""
    kind = _kind(data)
    return Source(type="base64", media_type=kind, data=base64.b64encode(data).decode()) if kind else None


def _kind(data: bytes) -> str:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else ""


def with_sources(request: Request, sources: Mapping[str, Source]) -> Request:
    """The request with the images themselves in place of their URLs."""
    messages = [Message(role=message.role, content=_put(message.content, sources)) for message in request.messages]
    return msgspec.structs.replace(request, messages=messages)


def _put(content: list[Block], sources: Mapping[str, Source]) -> list[Block]:
    blocks: list[Block] = []
    for block in content:
        change: dict[str, object] = {}
        if block.type == "image" and block.source and block.source.type == "url":
            change["source"] = sources[block.source.url]
        elif block.type == "tool_result" and isinstance(block.content, list):
            change["content"] = _put(block.content, sources)
        blocks.append(msgspec.structs.replace(block, **change) if change else block)
    return blocks
