"""What Claude Code asks beside its conversations: a title, a new topic, whether a command may run, a search."""

from random import Random
from typing import Any, Final

from core.lab.traffic.claude_wire import MODEL, SMALL, Desk, Wire
from core.lab.traffic.sent import Sent, Thread
from core.lab.traffic.writer import Writer

#: Tokens of an answer of a word or two, and of what a search finds: from, up to.
WORD, FOUND = (3, 20), (200, 900)
_TITLE: Final = {
    "type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"], "additionalProperties": False,
}  # fmt: skip
_SEARCH: Final = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}


class Asides:
    """One session's."""

    def __init__(self, wire: Wire, write: Writer, desk: Desk, random: Random, session: str) -> None:
        self._wire, self._write, self._desk, self._random = wire, write, desk, random
        self._session, self._number = session, 0

    def title(self, text: str) -> Sent:
        """A name for the session: no tools, an answer in JSON, the main model."""
        parts = {"tools": [], "output_config": {"format": {"type": "json_schema", "schema": _TITLE}}}
        return self._asked("title", MODEL, "You name sessions in a few words.", f"<session>\n{text}\n</session>", parts)

    def topic(self, text: str) -> Sent:
        """Is this something new? Asked of a small model."""
        system = "You watch for new topics. Answer yes or no."
        return self._asked("aside", SMALL, system, f"<prompt>\n{text}\n</prompt>", {"max_tokens": 512})

    def permission(self) -> Sent:
        """May this command run? The history that led to it, an answer of a word, not streamed."""
        told = self._desk.texts.code(self._random, self._desk.mix.result_chars)
        parts: dict[str, Any] = {"max_tokens": 64, "stop_sequences": ["</block>"], "stream": False}
        return self._asked("permission", MODEL, "You judge commands.", f"<transcript>\n{told}\n</transcript>", parts)

    def search(self) -> Sent:
        """The provider searches the web: its tool is the only one."""
        words = self._write.fill("Perform a web search for the query: {q} {n} {v} {n}")
        return self._asked("search", MODEL, "You search for others.", words, {"tools": [_SEARCH]})

    def _asked(self, kind: str, model: str, system: str, text: str, parts: dict[str, Any]) -> Sent:
        self._number += 1
        thread = Thread(f"{self._session}/{kind} {self._number}")
        thread.say({"role": "user", "content": text})
        output = self._random.randrange(*(FOUND if kind == "search" else WORD))
        return self._wire.aside(thread, Sent(kind=kind, output=output), model, system, parts)
