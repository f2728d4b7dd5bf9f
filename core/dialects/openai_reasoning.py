"""Reasoning that must come back as it was: `reasoning_details` of the chat dialect, both ways.

Source: OpenRouter's documentation, "Preserving reasoning": an entry is `reasoning.text` (text, signature),
`reasoning.summary` (summary) or `reasoning.encrypted` (data), with id, format and index; in a stream the pieces of one
entry have its index; the whole list goes back unchanged with the next request. `reasoning_content` (DeepSeek) is text.

A provider's entries travel as one payload: the list as JSON in base64url, without the text that the thinking block has
anyway. A client gets them as they were (its own dialect) or one entry for each sealed block (`sealing`).
"""

import base64
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw

from core.dialects.sealing import holds_nothing, opened
from core.messages import Block

Entry = dict[str, Any]
#: Where an entry of each type has its text.
_TEXTS = {"reasoning.text": "text", "reasoning.summary": "summary"}
_ENCRYPTED = "reasoning.encrypted"
#: Most entries of one answer that are kept; a call has one, a thought a few.
_MOST = 1024

_decode = msgspec.json.Decoder(list[Entry]).decode


def read_entries(raw: Raw) -> list[Entry]:
    """What can be read of a `reasoning_details` member; nothing of one of another shape."""
    try:
        return [entry for entry in _decode(raw) if isinstance(entry.get("type"), str)] if raw else []
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []


def text_of_entries(entries: Iterable[Entry]) -> str:
    """What of them is text to read."""
    texts = (entry.get(_TEXTS.get(entry["type"], "")) for entry in entries)
    return "".join(text for text in texts if isinstance(text, str))


class Details:
    """The entries of one answer, put together from their pieces."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._taken = 0

    def add(self, pieces: Iterable[Entry]) -> None:
        for piece in pieces:
            at = self._of(piece)
            if at >= self._taken:
                _join(self._entries[at], piece)
            elif len(self._entries) < _MOST:  # new; or more of one that is taken, which is told again as a whole
                self._entries.append(dict(self._entries[at]) if at >= 0 else {"type": piece["type"]})
                _join(self._entries[-1], piece)

    def _of(self, piece: Entry) -> int:
        """The place of the entry that this is a piece of: of its type and index, or without one the last; else -1."""
        if piece["type"] not in _TEXTS:
            return -1
        last = len(self._entries) - 1
        if "index" not in piece:
            return last if last >= 0 and self._entries[last]["type"] == piece["type"] else -1
        return next((at for at in range(last, -1, -1) if _same(self._entries[at], piece)), -1)

    def take(self, thinking: str = "") -> str:
        """The payload of what has come since the last time; empty if nothing has. `thinking`: its block's text."""
        fresh, self._taken = self._entries[self._taken :], len(self._entries)
        return _payload([_without_text(entry, thinking) for entry in fresh]) if any(map(_tells, fresh)) else ""

    @property
    def waiting(self) -> bool:
        """Whether anything has come since the last time that must go back."""
        return any(map(_tells, self._entries[self._taken :]))


def _same(entry: Entry, piece: Entry) -> bool:
    return entry["type"] == piece["type"] and entry.get("index") == piece.get("index")


def _join(entry: Entry, piece: Entry) -> None:
    text = _TEXTS.get(entry["type"])
    for name, value in piece.items():
        if name == text and isinstance(value, str):
            entry[name] = (entry.get(name) or "") + value
        elif value not in (None, "") or name not in entry:
            entry[name] = value


def _tells(entry: Entry) -> bool:
    """Whether there is more to an entry than its type: an empty one begins some streams."""
    return any(entry.get(name) for name in ("text", "summary", "signature", "data"))


def _without_text(entry: Entry, thinking: str) -> Entry:
    name = _TEXTS.get(entry["type"], "")
    return {key: value for key, value in entry.items() if key != name} if entry.get(name) == thinking else entry


def _payload(entries: list[Entry]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(entries)).decode().rstrip("=")


def _read_payload(payload: str | None, thinking: str) -> list[Entry]:
    """The entries as they were; nothing of a payload that is not of this making."""
    if not payload:
        return []
    try:
        data = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    except ValueError:
        return []
    return [_with_text(entry, thinking) for entry in read_entries(Raw(data))]


def _with_text(entry: Entry, thinking: str) -> Entry:
    name = _TEXTS.get(entry["type"])
    return entry if name is None or name in entry else {"type": entry["type"], name: thinking, **entry}


def signature_of(entry: Entry) -> str:
    """What of an entry only its provider can read."""
    value = entry.get("data" if entry["type"] == _ENCRYPTED else "signature")
    return value if isinstance(value, str) else ""


def _signature(block: Block) -> str:
    return (block.signature if block.type == "thinking" else block.data) or ""


def returned(blocks: Iterable[Block], provider: str) -> list[Entry]:
    """What of an earlier answer's blocks goes back to the provider: its own entries, as they were."""
    found: list[Entry] = []
    for block in blocks:
        if block.type in {"thinking", "redacted_thinking"}:
            for entry in _read_payload(opened(_signature(block), provider), block.thinking):
                # One that was told again, because more of it had come, takes its own place.
                before = [at for at, other in enumerate(found) if "index" in entry and _same(other, entry)]
                if before and entry["type"] in _TEXTS:
                    found[before[0]] = entry
                else:
                    found.append(entry)
    return found


def told(block: Block, index: int) -> list[Entry]:
    """A block's entries for a client. Nothing for thinking that is text and no more."""
    value = _signature(block)
    if not value or holds_nothing(value):
        return []
    if own := _read_payload(value, block.thinking):
        return own
    if block.type == "redacted_thinking":
        return [{"type": _ENCRYPTED, "data": value, "id": None, "format": "unknown", "index": index}]
    text = {"type": "reasoning.text", "text": block.thinking, "signature": value}
    return [{**text, "id": None, "format": "unknown", "index": index}]


def blocks_of(entries: Iterable[Entry], text: str) -> list[Block]:
    """An assistant message's reasoning as blocks. `text`: its `reasoning_content`, which entries mostly say again."""
    found = [block for entry in entries if (block := _block(entry))]
    if text and not any(block.thinking for block in found):
        found.insert(0, Block(type="thinking", thinking=text, signature=""))
    return found


def _block(entry: Entry) -> Block | None:
    if entry["type"] == _ENCRYPTED:
        data = signature_of(entry)
        return Block(type="redacted_thinking", data=data) if data else None
    text = entry.get(_TEXTS.get(entry["type"], ""))
    if not isinstance(text, str) or not text:
        return None
    return Block(type="thinking", thinking=text, signature=signature_of(entry))
