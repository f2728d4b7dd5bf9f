"""The names that one model goes by, pure: dates, vendors and variants.

A name that differs in more than these is another model: `gpt-4` is no `gpt-4o`, `claude-opus-4` no `claude-opus-4-1`.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

#: A release's date behind a name: `-20250929`, `-2025-08-07`, `@20250929`.
_DATE = re.compile(r"[-@](?:20\d{6}|20\d\d-\d\d-\d\d)$")
#: A version of Claude's, written with a dot by some and with a dash by Anthropic.
_CLAUDE = re.compile(r"^((?:anthropic/)?claude-.*?\d)([.-])(\d{1,2})(?=$|[-:@])")
#: What OpenRouter's customers may put behind a model's name: how it is served, or what it may do.
_VARIANTS = frozenset({"beta", "exacto", "extended", "floor", "free", "nitro", "online", "thinking"})
#: OpenRouter's names of vendors whose own models the catalogue knows.
VENDORS = {
    "anthropic": "anthropic",
    "deepseek": "deepseek",
    "google": "gemini",
    "mistralai": "mistral",
    "moonshotai": "moonshotai",
    "openai": "openai",
    "x-ai": "xai",
    "z-ai": "zai",
}
#: How a file of Ollama's is quantised, and where it runs: not which model it is.
_BUILD = re.compile(r"-(?:cloud|fp16|bf16|mxfp4|q\d[a-z0-9_]*)$")


class Spelling(NamedTuple):
    """A name to look under. `same_offer`: sizes and prices hold, too; else only what the model can do."""

    provider: str
    model: str
    same_offer: bool


def spellings(provider: str, model: str) -> Iterator[Spelling]:
    """Names of a provider's model, the nearest first."""
    for name in _own(provider, model):
        yield Spelling(provider, name, same_offer=True)
    if provider == "openrouter":
        base, _, variant = model.strip().lower().partition(":")
        if variant in _VARIANTS:
            yield from (Spelling(provider, name, same_offer=False) for name in _own(provider, base))
        vendor, _, rest = base.partition("/")
        if rest and vendor in VENDORS:
            yield from (Spelling(VENDORS[vendor], name, same_offer=False) for name in _own(VENDORS[vendor], rest))
    elif provider == "ollama":
        name = model.strip().lower().removeprefix("library/")
        if built := _BUILD.sub("", name.removesuffix("-cloud")):
            yield Spelling(provider, built, same_offer=False)


def _own(provider: str, model: str) -> Iterator[str]:
    """Spellings of a name that mean the same offer."""
    name = model.strip().lower()
    if provider == "gemini":
        name = name.removeprefix("models/")
    for each in (name, _DATE.sub("", name)):
        yield each
        if match := _CLAUDE.match(each):
            start, mark, version = match.groups()
            yield f"{start}{'-' if mark == '.' else '.'}{version}{each[match.end() :]}"


@lru_cache(maxsize=4096)
def same_model(name: str) -> str:
    """One name for a model whoever offers it: without provider, vendor, variant and date, and with Anthropic's dashes.

    What is learned of a model's tokens is kept under it. Callers bound the name's length: it is cached.
    """
    plain = name.rpartition(",")[2].strip().lower().removeprefix("models/")
    base, colon, tag = plain.partition(":")
    if tag in _VARIANTS:
        plain = base
    elif colon:
        plain = _BUILD.sub("", plain)
    plain = _DATE.sub("", plain.rpartition("/")[2])
    match = _CLAUDE.match(plain)
    return f"{match[1]}-{match[3]}{plain[match.end() :]}" if match else plain
