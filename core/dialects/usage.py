"""Usage in the words of both dialects, normalised once.

Anthropic's `input_tokens` leave cache reads and writes out, OpenAI's `prompt_tokens` include them.
"""

from typing import Any

from msgspec import Struct

from core.messages import Usage


class AnthropicUsage(Struct, frozen=True):
    """`usage` of a message, of message_start and of message_delta. None: not said here."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None

    def over(self, before: Usage) -> Usage:
        """`before` with what is said here."""
        return Usage(
            input=_first(self.input_tokens, before.input),
            output=_first(self.output_tokens, before.output),
            cache_read=_first(self.cache_read_input_tokens, before.cache_read),
            cache_write=_first(self.cache_creation_input_tokens, before.cache_write),
            reasoning=before.reasoning,
        )


class _PromptDetails(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _CompletionDetails(Struct):
    reasoning_tokens: int | None = None


class OpenAIUsage(Struct):
    """`usage` of a completion or of a usage chunk; DeepSeek counts its cache in a field of its own."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None

    def neutral(self) -> Usage:
        prompt = self.prompt_tokens_details or _PromptDetails()
        completion = self.completion_tokens_details or _CompletionDetails()
        read = prompt.cached_tokens or self.prompt_cache_hit_tokens or 0
        write = prompt.cache_write_tokens or 0
        return Usage(
            input=max(0, (self.prompt_tokens or 0) - read - write),
            output=self.completion_tokens or 0,
            cache_read=read,
            cache_write=write,
            reasoning=completion.reasoning_tokens or 0,
        )


def _first(said: int | None, before: int) -> int:
    return before if said is None else said


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
