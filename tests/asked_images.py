"""Requests with images by URL."""

from core.messages import Block, Message, Request, Source


def image(url: str) -> Block:
    return Block(type="image", source=Source(type="url", url=url))


def request(*messages: list[Block]) -> Request:
    turns = [Message(role="user", content=content) for content in messages]
    return Request(dialect="anthropic", raw=b"{}", model="m", messages=turns)


NESTED = Block(type="tool_result", tool_use_id="t", content=[Block(type="text", text="x"), image("http://b/2")])
TEXT = Block(type="text", text="look")
