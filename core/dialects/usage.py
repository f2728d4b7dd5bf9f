"""Usage in the words of the dialects, normalised once.

Anthropic's `input_tokens` leave cache reads and writes out, OpenAI's `prompt_tokens` and `input_tokens` include them.
"""

from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from core.messages import Usage

#: Most tokens of one kind that are believed: ten times the largest context window that is sold.
MOST_TOKENS = 100_000_000

_Said = TypeVar("_Said")


def read_usage(raw: Raw, type: type[_Said]) -> _Said | None:
    """A `usage` member. None if it is missing, null or no such object: an answer is not lost for its bill."""
    if not raw or bytes(raw) == b"null":
        return None
    try:
        return msgspec.json.decode(raw, type=type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def believed(said: object) -> int | None:
    """A count of tokens if it can be one: an integer from 0 to `MOST_TOKENS`. Anything else counts as not said."""
    if isinstance(said, float) and said.is_integer():
        said = int(said)
    return said if type(said) is int and 0 <= said <= MOST_TOKENS else None


class AnthropicUsage(Struct, frozen=True):
    """`usage` of a message, of message_start and of message_delta. None: not said here."""

    input_tokens: Any = None
    output_tokens: Any = None
    cache_read_input_tokens: Any = None
    cache_creation_input_tokens: Any = None

    def over(self, before: Usage) -> Usage:
        """`before` with what is said here and can be believed."""
        return Usage(
            input=_first(self.input_tokens, before.input),
            output=_first(self.output_tokens, before.output),
            cache_read=_first(self.cache_read_input_tokens, before.cache_read),
            cache_write=_first(self.cache_creation_input_tokens, before.cache_write),
            reasoning=before.reasoning,
        )


class OpenAIUsage(Struct):
    """`usage` of a completion or of a usage chunk; DeepSeek counts its cache in a field of its own."""

    prompt_tokens: Any = None
    completion_tokens: Any = None
    prompt_tokens_details: Any = None
    completion_tokens_details: Any = None
    prompt_cache_hit_tokens: Any = None

    def neutral(self) -> Usage:
        """What is said and can be believed; the rest is 0."""
        read = _detail(self.prompt_tokens_details, "cached_tokens") or _first(self.prompt_cache_hit_tokens, 0)
        write = _detail(self.prompt_tokens_details, "cache_write_tokens")
        return Usage(
            input=max(0, _first(self.prompt_tokens, 0) - read - write),
            output=_first(self.completion_tokens, 0),
            cache_read=read,
            cache_write=write,
            reasoning=_detail(self.completion_tokens_details, "reasoning_tokens"),
        )


class ResponsesUsage(Struct):
    """`usage` of a response."""

    input_tokens: Any = None
    output_tokens: Any = None
    input_tokens_details: Any = None
    output_tokens_details: Any = None

    def neutral(self) -> Usage:
        """What is said and can be believed; the rest is 0."""
        read = _detail(self.input_tokens_details, "cached_tokens")
        write = _detail(self.input_tokens_details, "cache_write_tokens")
        return Usage(
            input=max(0, _first(self.input_tokens, 0) - read - write),
            output=_first(self.output_tokens, 0),
            cache_read=read,
            cache_write=write,
            reasoning=_detail(self.output_tokens_details, "reasoning_tokens"),
        )


def _detail(details: object, name: str) -> int:
    return _first(details.get(name), 0) if isinstance(details, dict) else 0


def _first(said: object, before: int) -> int:
    count = believed(said)
    return before if count is None else count


def to_anthropic(usage: Usage) -> dict[str, int]:
    """Anthropic's `usage` object."""
    return {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output,
    }


def to_openai(usage: Usage) -> dict[str, Any]:
    """OpenAI's `usage` object; `cache_write_tokens` is OpenRouter's name for what OpenAI does not have."""
    prompt = usage.input + usage.cache_read + usage.cache_write
    return {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output,
        "total_tokens": prompt + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def to_responses(usage: Usage) -> dict[str, Any]:
    """The `usage` object of OpenAI's Responses."""
    sent = usage.input + usage.cache_read + usage.cache_write
    return {
        "input_tokens": sent,
        "input_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": sent + usage.output,
    }
