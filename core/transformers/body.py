"""A provider's body while transformers look at it: its top level, decoded only where somebody asks.

What nobody changes keeps its bytes, spaces and all.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import msgspec
from msgspec import Raw

from core.dialects.splice import Edits, splice

Path = tuple[str, ...]


class Body:
    """One body. Names are those of its top level; a path goes down through objects."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._edits: dict[str | int, bytes | None] = {}

    @cached_property
    def _top(self) -> dict[str, Raw]:
        found: dict[str, Raw] = msgspec.json.decode(self._data, type=dict[str, Raw])
        return found

    def raw(self, name: str) -> bytes:
        """The member's JSON as it stands now; empty if there is none."""
        if name in self._edits:
            return self._edits[name] or b""
        return bytes(self._top.get(name, b""))

    def get(self, *path: str) -> Any:
        """The value there; None if there is none, or null."""
        raw = self.raw(path[0])
        value = msgspec.json.decode(raw) if raw else None
        for name in path[1:]:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def __contains__(self, name: str) -> bool:
        return bool(self.raw(name))

    def set_raw(self, name: str, raw: bytes) -> None:
        """The member, from JSON bytes."""
        if raw != self.raw(name):
            self._edits[name] = raw

    def set(self, value: object, *path: str) -> None:
        """The value at a path; objects on the way are made where there are none."""
        name, *rest = path
        if rest:
            held = self.get(name)
            value = _with(held if isinstance(held, dict) else {}, rest, value)
        self.set_raw(name, msgspec.json.encode(value))

    def drop(self, *names: str) -> None:
        """Remove members, whether or not they are there."""
        for name in names:
            if name in self:
                self._edits[name] = None

    def rename(self, old: str, new: str) -> None:
        """Give a member another name, unless that one is taken: then the old one goes."""
        if old in self:
            if new not in self:
                self.set_raw(new, self.raw(old))
            self.drop(old)

    def edit(self, name: str, edits: Edits) -> None:
        """Edit inside a member."""
        if edits and name in self:
            self.set_raw(name, splice(self.raw(name), edits))

    def each(self, name: str) -> Iterator[tuple[int, dict[str, Raw]]]:
        """The objects of a list, undecoded below their own level; nothing if this is no list of objects."""
        try:
            yield from enumerate(msgspec.json.decode(self.raw(name) or b"[]", type=list[dict[str, Raw]]))
        except msgspec.ValidationError:
            return

    def map_raw(self, name: str, change: Callable[[bytes], bytes]) -> None:
        """The member's bytes, changed."""
        if raw := self.raw(name):
            self.set_raw(name, change(raw))

    def to_bytes(self) -> bytes:
        """The whole body."""
        return splice(self._data, self._edits)


def _with(held: dict[str, Any], path: list[str], value: object) -> dict[str, Any]:
    name, *rest = path
    inner = held.get(name)
    return held | {name: _with(inner if isinstance(inner, dict) else {}, rest, value) if rest else value}
