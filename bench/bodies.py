"""Requests of known sizes, as clients send them: Anthropic's dialect, compact JSON, made from a seed."""

from typing import Any

import msgspec

from core.dialects import CLIENTS, PROVIDERS
from core.exchange import Candidate, Target
from core.lab.traffic.writer import Writer

#: Bytes of the requests that the figures are named for.
SMALL, KILO, LARGE = 300, 1_000, 100_000
MODEL = "claude-sonnet-4-5"
#: Messages of the large one.
TURNS = 61


def small(*, stream: bool = False) -> bytes:
    """About 300 bytes: one question, nothing else."""
    return _encoded(_padded({"model": MODEL, "max_tokens": 1024, "stream": stream}, SMALL))


def kilo(**changes: Any) -> bytes:
    """About 1 KB: a system text, a tool and one question."""
    writer = Writer(1)
    body = {
        "model": MODEL,
        "max_tokens": 4096,
        "stream": True,
        "system": [{"type": "text", "text": writer.prose(120)}],
        "tools": [_tool(writer, 80)],
    }
    return _changed(_padded(body, KILO, writer), changes)


def large(**changes: Any) -> bytes:
    """About 100 KB: a coding agent's session of 61 messages, with a dozen tools, tool calls and their results."""
    writer = Writer(2)
    body: dict[str, Any] = {
        "model": MODEL,
        "max_tokens": 32_000,
        "stream": changes.get("stream", True),
        "system": [{"type": "text", "text": writer.prose(6_000), "cache_control": {"type": "ephemeral"}}],
        "tools": [_tool(writer, 500) for _ in range(12)],
        "metadata": {"user_id": msgspec.json.encode({"session_id": "5e55105e-0000-4000-8000-000000000001"}).decode()},
    }
    room = LARGE - len(_encoded(body)) - 6_000
    body["messages"] = _turns(writer, room)
    return _changed(body, changes)


def _turns(writer: Writer, room: int) -> list[dict[str, Any]]:
    """A question, then tool calls and results by turns, then an answer and the question that is asked now."""
    calls = (TURNS - 3) // 2
    messages = [_user(writer.prose(600))]
    for index in range(calls):
        use = {"type": "tool_use", "id": f"toolu_{index:04}", "name": "Read", "input": {"file_path": f"src/{index}.py"}}
        messages.append({"role": "assistant", "content": [{"type": "text", "text": writer.prose(150)}, use]})
        result = {
            "type": "tool_result",
            "tool_use_id": f"toolu_{index:04}",
            "content": writer.code(room // calls - 250),
        }
        messages.append({"role": "user", "content": [result]})
    messages.append({"role": "assistant", "content": [{"type": "text", "text": writer.text(1_500)}]})
    messages.append(_user(writer.prose(500)))
    return messages


def asking(body: bytes, wish: str) -> bytes:
    """The same request with a sentence more at the end of its last message."""
    data = msgspec.json.decode(body)
    block = data["messages"][-1]["content"][-1]
    block["text"] += f" {wish}"
    return _encoded(data)


def as_chat(body: bytes) -> bytes:
    """The same request in OpenAI's dialect, for those who speak no other."""
    request = CLIENTS["anthropic"].decode_request(body)
    return PROVIDERS["openai"].encode_request(request, Candidate(Target("openai", request.model)))


def _tool(writer: Writer, description: int) -> dict[str, Any]:
    properties = {writer.word(): {"type": "string", "description": writer.prose(60)} for _ in range(2)}
    name = f"{writer.word().title()}{writer.word().title()}"
    schema = {"type": "object", "properties": properties, "required": [next(iter(properties))]}
    return {"name": name, "description": writer.prose(description), "input_schema": schema}


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text}]}


def _padded(body: dict[str, Any], size: int, writer: Writer | None = None) -> dict[str, Any]:
    """The body with one question that brings it to `size` bytes."""
    room = size - len(_encoded({**body, "messages": [_user("")]}))
    return {**body, "messages": [_user((writer or Writer(0)).prose(max(room, 20)))]}


def _changed(body: dict[str, Any], changes: dict[str, Any]) -> bytes:
    return _encoded({**body, **changes})


def _encoded(body: dict[str, Any]) -> bytes:
    return msgspec.json.encode(body)
