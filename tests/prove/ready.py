"""A provider that answers at once: `python ready.py`, prints its port. Anthropic and OpenAI chat, whole or streamed.

For proofs, which need no compiler; figures are made with `bench/native/mock.c`.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import cast

import uvloop

WORDS = 20
_TEXTS = [f"word{number:02} " for number in range(WORDS)]


def _head(kind: str, length: int | None) -> bytes:
    framing = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    return f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nrequest-id: req_mock\r\n{framing}\r\n\r\n".encode()


def _whole(answer: object) -> list[bytes]:
    body = json.dumps(answer).encode()
    return [_head("application/json", len(body)) + body]


def _streamed(events: Iterator[tuple[str, str]]) -> list[bytes]:
    """The head and the first event, then each event in a chunk of its own, then the end."""
    data = [f"event: {name}\ndata: {body}\n\n" if name else f"data: {body}\n\n" for name, body in events]
    chunks = [f"{len(event):x}\r\n{event}\r\n".encode() for event in data]
    chunks[0] = _head("text/event-stream", None) + chunks[0]
    return [*chunks[:-1], chunks[-1] + b"0\r\n\r\n"]


def _anthropic_message() -> dict[str, object]:
    return {
        "id": "msg_mock", "type": "message", "role": "assistant", "model": "mock", "stop_reason": "end_turn",
        "stop_sequence": None, "content": [{"type": "text", "text": "".join(_TEXTS)}],
        "usage": {"input_tokens": 50, "output_tokens": 40},
    }  # fmt: skip


def _anthropic_events() -> Iterator[tuple[str, str]]:
    message = _anthropic_message() | {"content": [], "stop_reason": None}
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    block = {"type": "text", "text": ""}
    yield "message_start", json.dumps({"type": "message_start", "message": message})
    yield (
        "content_block_start",
        json.dumps({"type": "content_block_start", "index": 0, "content_block": block}),
    )
    for text in _TEXTS:
        piece = {"type": "text_delta", "text": text}
        yield "content_block_delta", json.dumps({"type": "content_block_delta", "index": 0, "delta": piece})
    yield "content_block_stop", json.dumps({"type": "content_block_stop", "index": 0})
    yield "message_delta", json.dumps({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 40}})
    yield "message_stop", json.dumps({"type": "message_stop"})


_USAGE = {"prompt_tokens": 50, "completion_tokens": 40, "total_tokens": 90}


def _completion() -> dict[str, object]:
    message = {"role": "assistant", "content": "".join(_TEXTS)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "chatcmpl-mock", "object": "chat.completion", "created": 1, "model": "mock", "choices": [choice],
            "usage": _USAGE}  # fmt: skip


def _completion_events() -> Iterator[tuple[str, str]]:
    def chunk(delta: dict[str, str], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return json.dumps({**common, "choices": [choice]})

    common = {"id": "chatcmpl-mock", "object": "chat.completion.chunk", "created": 1, "model": "mock"}
    yield "", chunk({"role": "assistant", "content": ""})
    for text in _TEXTS:
        yield "", chunk({"content": text})
    yield "", chunk({}, "stop")
    yield "", json.dumps({**common, "choices": [], "usage": _USAGE})
    yield "", "[DONE]"


ANSWERS = {
    (False, False): _whole(_anthropic_message()),
    (False, True): _streamed(_anthropic_events()),
    (True, False): _whole(_completion()),
    (True, True): _streamed(_completion_events()),
}


class Provider(asyncio.Protocol):
    """One connection; requests one after another."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._data[:end]).lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._data) < end + 4 + length:
            return
        streamed = self._data.find(b'"stream":true') >= 0
        self._data.clear()
        self._send(ANSWERS[b"/chat/completions" in head.split(b"\r\n", 1)[0], streamed], 0)

    def _send(self, chunks: list[bytes], at: int) -> None:
        """One chunk a turn of the loop, as a real provider writes them."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(chunks[at])
        if at + 1 < len(chunks):
            asyncio.get_running_loop().call_soon(self._send, chunks, at + 1)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
