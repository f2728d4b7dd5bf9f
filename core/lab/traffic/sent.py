"""A request of generated traffic, and the conversation that it is taken from."""

from random import Random
from typing import Any, Final

import msgspec
from msgspec import Struct

from core.messages import Usage

#: Bytes of JSON that are taken for a token where none are counted.
BYTES_A_TOKEN: Final = 4
#: The dialect that is spoken at each endpoint.
DIALECTS: Final = {
    "/v1/messages": "anthropic", "/v1/chat/completions": "openai", "/v1/responses": "openai-responses",
}  # fmt: skip


class Sent(Struct, frozen=True, kw_only=True):
    """One request. `at_ms` is Unix time, `client_key` the name of its client's key, `session` the conversation's id.

    `kind` says what it is for: prompt, tools, subagent, title, permission, search, aside, compaction, chat. `marks` are
    what else its features must show: image, plan, long, effort, explicit. `concept` is the one of the bundled taxonomy
    that its human's words name. `prompt` is its pieces in their order, what they are and about how many tokens: a
    longer prompt of a conversation begins like a shorter one. `usage` is what an answer uses if the session stays with
    one provider, whose prompt cache lasts five minutes; its tokens are estimates, by characters.
    """

    endpoint: str = ""
    headers: dict[str, str] = {}
    body: bytes = b""
    at_ms: int = 0
    client_key: str = ""
    session: str = ""
    kind: str
    marks: tuple[str, ...] = ()
    concept: str = ""
    prompt: tuple[tuple[str, int], ...] = ()
    output: int = 0
    usage: Usage = Usage()

    def at(self, now_ms: int) -> "Sent":
        """The same, sent then."""
        return msgspec.structs.replace(self, at_ms=now_ms)


class Thread:
    """A conversation: its messages as JSON, written once, and the pieces of its prompt."""

    def __init__(self, name: str, *begin: tuple[str, int]) -> None:
        self.name = name
        self.pieces = [*begin]
        self._said = 0
        self._json = bytearray()
        self._last: dict[str, Any] = {}

    def __len__(self) -> int:
        """Bytes of all but the last message."""
        return len(self._json)

    def say(self, message: dict[str, Any]) -> None:
        """It ends with this message now."""
        if self._last:
            self._json += msgspec.json.encode(self._last) + b","
        self._last = message
        self._said += 1
        self.pieces.append((f"{self.name}/{self._said}", len(msgspec.json.encode(message)) // BYTES_A_TOKEN))

    def messages(self, *, marked: bool = False) -> bytes:
        """The JSON of the list. `marked`: the last block is the end of what a provider shall keep in its cache."""
        last = _marked(self._last) if marked else self._last
        return b"[%b%b]" % (bytes(self._json), msgspec.json.encode(last))


def _marked(message: dict[str, Any]) -> dict[str, Any]:
    content = message["content"]
    if not isinstance(content, list):
        return message
    return message | {"content": [*content[:-1], content[-1] | {"cache_control": {"type": "ephemeral"}}]}


def name_of(random: Random) -> str:
    """A session's name, in the form of a UUID."""
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
