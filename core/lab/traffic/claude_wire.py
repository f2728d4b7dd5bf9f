"""The form of Claude Code's requests (2.1, as observed on the wire): headers, system text, tools, body."""

from collections.abc import Mapping
from random import Random
from typing import Any, Final

import msgspec

from core.lab.traffic.mix import Mix
from core.lab.traffic.sent import BYTES_A_TOKEN, Sent, Thread
from core.lab.traffic.texts import Texts

ENDPOINT: Final = "/v1/messages"
MODEL: Final = "claude-sonnet-4-6"
SMALL: Final = "claude-haiku-4-5"
TOOLS: Final = ("Read", "Edit", "Bash", "Grep", "Glob", "Write", "TodoWrite", "WebFetch", "WebSearch", "Task")
MAX_TOKENS: Final = 32_000
#: Milliseconds from a request to the end of its answer: at least, and for each token.
ANSWER_MS, TOKEN_MS = 700, 12


class Desk:
    """What stays the same from session to session of one user: the key, system texts, tools, habits."""

    def __init__(self, name: str, key: str, random: Random, mix: Mix, texts: Texts) -> None:
        self.name, self.key, self.mix, self.texts = name, key, mix, texts
        self.hinted = random.random() >= mix.unhinted
        self.system = texts.prose(random, mix.system_chars)
        self.searcher = texts.prose(random, mix.system_chars // 3)
        self.tools = msgspec.json.encode([_tool(tool, random, mix, texts) for tool in TOOLS])
        self.device = f"{random.getrandbits(256):064x}"
        tokens = (len(self.system) + len(self.tools)) // BYTES_A_TOKEN
        self.begin = (f"{name} tools, system", tokens)
        self.begin_searcher = (f"{name} tools, searcher", tokens)


class Wire:
    """One session's requests. `effort` is what its user chose; empty: the client says none."""

    def __init__(self, desk: Desk, session: str, effort: str, random: Random) -> None:
        self._desk, self._session, self._random = desk, session, random
        self._effort = {"output_config": {"effort": effort}} if effort else {}
        identity = {"device_id": desk.device, "account_uuid": "", "session_id": session}
        self._metadata = {"user_id": msgspec.json.encode(identity).decode()}

    def turn(self, thread: Thread, sent: Sent, agent: str = "") -> Sent:
        """A request of a conversation with all tools: the main one's, or a subagent's."""
        text = self._desk.searcher if agent else self._desk.system
        parts: dict[str, Any] = {"tools": msgspec.Raw(self._desk.tools), "thinking": {"type": "adaptive"}}
        headers = {"x-claude-code-agent-id": agent, "x-claude-code-agent-type": "Explore"} if agent else {}
        kind = "compaction" if sent.kind == "compaction" else "subagent" if agent else "main"
        if kind == "compaction":
            del parts["thinking"]
        body = self._body(MODEL, self._system(text, agent), thread.messages(marked=True), parts | self._effort)
        return self._sent(sent, kind, body, thread, headers)

    def aside(self, thread: Thread, sent: Sent, model: str, system: str, parts: Mapping[str, Any]) -> Sent:
        """A request beside all conversations."""
        body = self._body(model, [{"type": "text", "text": system}], thread.messages(), parts)
        return self._sent(sent, "auxiliary", body, thread, {})

    def _system(self, text: str, agent: str) -> list[dict[str, Any]]:
        """The billing line changes with each request; the rest is what the provider's cache shall hold."""
        bill = f"x-anthropic-billing-header: cc_version=2.1.330; cch={self._random.getrandbits(20):05x};"
        if agent:
            bill += " cc_is_subagent=true;"
        cached = {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}
        return [{"type": "text", "text": bill}, cached]

    def _body(self, model: str, system: list[dict[str, Any]], messages: bytes, parts: Mapping[str, Any]) -> bytes:
        body = {"model": model, "max_tokens": MAX_TOKENS, "stream": True, "system": system, **parts}
        return msgspec.json.encode(body | {"metadata": self._metadata, "messages": msgspec.Raw(messages)})

    def _sent(self, sent: Sent, hint: str, body: bytes, thread: Thread, more: Mapping[str, str]) -> Sent:
        headers = {
            "content-type": "application/json",
            "user-agent": "claude-cli/2.1.330 (external, cli)",
            "x-app": "cli",
            "anthropic-version": "2023-06-01",
            "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14",
            "x-claude-code-session-id": self._session,
            **more,
        }
        if self._desk.hinted:
            headers["x-claude-code-request-class"] = hint
        return msgspec.structs.replace(
            sent,
            endpoint=ENDPOINT,
            headers=headers,
            body=body,
            client_key=self._desk.key,
            session=self._session,
            prompt=tuple(thread.pieces),
        )


def _tool(name: str, random: Random, mix: Mix, texts: Texts) -> dict[str, Any]:
    properties = {"path": {"type": "string"}, "command": {"type": "string"}, "limit": {"type": "integer"}}
    schema: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}
    schema |= {"properties": properties, "additionalProperties": False}
    return {"name": name, "description": texts.prose(random, mix.tool_chars), "input_schema": schema}
