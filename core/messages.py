"""The neutral model: what a request, an answer and a stream are, whichever dialect they came in.

Anthropic's block model is the superset of the dialects, so its names are used. A `Block` is one wide record
instead of a union: unknown block types must survive decoding, and msgspec then decodes a whole body at C speed
with an error message that names the path of a wrong value.
"""

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Raw, Struct

EMPTY_OBJECT = Raw(b"{}")


class Source(Struct, kw_only=True):
    """Where an image or a document comes from: `base64` (media_type, data), `url`, `text` (data) or `file`."""

    type: str
    media_type: str = ""
    data: str = ""
    url: str = ""
    file_id: str = ""


class Block(Struct, kw_only=True):
    """One content block; `type` says which fields mean something.

    text: `text` · thinking: `thinking`, `signature` · redacted_thinking: `data` · image, document: `source` ·
    tool_use: `id`, `name`, `input` (JSON bytes) · tool_result: `tool_use_id`, `content`, `is_error` ·
    tool_reference: `tool_name`.
    """

    type: str
    text: str = ""
    thinking: str = ""
    signature: str | None = None
    data: str = ""
    id: str = ""
    name: str = ""
    input: Raw = EMPTY_OBJECT
    tool_use_id: str = ""
    tool_name: str = ""
    content: "str | list[Block] | dict[str, Any] | None" = None
    is_error: bool | None = None
    source: Source | None = None
    cache_control: Raw = Raw()


class Message(Struct, kw_only=True):
    """One turn. `role` is `user`, `assistant` or (in the middle of a conversation too) `system`."""

    role: str
    content: list[Block]


class Tool(Struct, kw_only=True):
    """A tool on offer. `type` is empty for an ordinary function; `input_schema` is JSON bytes.

    Of OpenAI's Responses: `namespace` is the group whose name the tool's begins with, and a `free_text` tool is called
    with a text, which is the only argument of the function that it is offered as.
    """

    name: str = ""
    type: str = ""
    description: str = ""
    input_schema: Raw = EMPTY_OBJECT
    cache_control: Raw = Raw()
    namespace: str = ""
    free_text: bool = False


class ToolChoice(Struct, kw_only=True):
    """`auto`, `any` (some tool must be used), `tool` (the one called `name`) or `none`."""

    type: Literal["auto", "any", "tool", "none"]
    name: str = ""
    disable_parallel: bool = False


class Thinking(Struct, kw_only=True, frozen=True):
    """What the client said about thinking: `type` as sent (empty: nothing), budget in tokens, effort as sent."""

    type: str = ""
    budget: int | None = None
    effort: str = ""


class Request(Struct, kw_only=True):
    """A decoded request. `raw` is what the client sent: a provider of the same dialect gets these bytes, spliced."""

    dialect: str
    raw: bytes
    model: str
    messages: list[Message]
    system: list[Block] = []
    tools: list[Tool] = []
    tool_choice: ToolChoice | None = None
    max_tokens: int | None = None
    stream: bool = False
    thinking: Thinking = Thinking()
    stop: list[str] = []
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    #: JSON schema of the answer (bytes), when the client asked for structured output; empty otherwise.
    answer_schema: Raw = Raw()
    answer_schema_name: str = ""
    #: Anthropic's `metadata.user_id` or OpenAI's `user`, as sent; Claude Code writes JSON with `session_id` in it.
    user: str = ""
    #: `prompt_cache_key` of OpenAI's dialects: constant in a conversation, so it can name the session.
    prompt_cache_key: str = ""
    #: `safeguards[].classifier_context.permission_mode` of Claude Code, e.g. `plan`; empty when not sent.
    permission_mode: str = ""
    include_usage: bool = True
    #: The proxy's own count of the request, once it has counted.
    tokens: int = 0
    #: Top-level field names of the body, for rules like "`safeguards` cannot be passed on".
    fields: frozenset[str] = frozenset()
    #: Where they stand in `raw` (`splice.Place`); empty if nobody looked.
    places: Sequence[tuple[str | int, int, int, int]] = ()


class Usage(Struct, kw_only=True, frozen=True):
    """Tokens of one answer. `input` excludes cache reads and writes (Anthropic's way; OpenAI's includes reads)."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0

    def plus(self, other: "Usage") -> "Usage":
        """Both together."""
        return Usage(
            input=self.input + other.input,
            output=self.output + other.output,
            cache_read=self.cache_read + other.cache_read,
            cache_write=self.cache_write + other.cache_write,
            reasoning=self.reasoning + other.reasoning,
        )

    def minus(self, part: "Usage") -> "Usage":
        """The rest of this without a part of it."""
        return Usage(
            input=max(0, self.input - part.input),
            output=max(0, self.output - part.output),
            cache_read=max(0, self.cache_read - part.cache_read),
            cache_write=max(0, self.cache_write - part.cache_write),
            reasoning=max(0, self.reasoning - part.reasoning),
        )


class Response(Struct, kw_only=True):
    """A whole answer. `stop_reason` is one of Anthropic's: end_turn, max_tokens, tool_use, stop_sequence, refusal, …"""

    id: str
    model: str
    content: list[Block]
    stop_reason: str
    stop_sequence: str | None = None
    usage: Usage = Usage()


class MessageStart(Struct):
    """The stream's first event."""

    id: str
    model: str
    usage: Usage


class BlockStart(Struct):
    """Block `index` opens; `block` has its type, and for tools id and name. Indices run from 0 without a gap."""

    index: int
    block: Block


class BlockDelta(Struct):
    """More of the open block: a piece of text, thinking, signature or of the tool's arguments (JSON text)."""

    index: int
    kind: Literal["text", "thinking", "signature", "input_json"]
    data: str


class BlockStop(Struct):
    """Block `index` is complete."""

    index: int


class MessageDelta(Struct):
    """The end is near: why the model stopped, and the final usage."""

    stop_reason: str
    stop_sequence: str | None
    usage: Usage


class MessageStop(Struct):
    """The terminal success marker. Only ever made from the upstream's own."""


class Ping(Struct):
    """A sign of life without content."""


class StreamError(Struct):
    """The stream failed after it began; `type` is one of Anthropic's error types."""

    type: str
    message: str


StreamEvent = MessageStart | BlockStart | BlockDelta | BlockStop | MessageDelta | MessageStop | Ping | StreamError
