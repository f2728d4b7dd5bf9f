"""Quirks of providers and models, one small file each, and this table, the only place to add one.

    transformers = ["openrouter", { name = "maxtoken", max_tokens = 8192 }]

What one is made of is in `base`; what a target's list of them does, in `chain`.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from core.transformers import (
    anthropic,
    cleancache,
    customparams,
    deepseek,
    enhancetool,
    extrathinktag,
    forcereasoning,
    gemini,
    groq,
    maxcompletiontokens,
    maxtoken,
    ollama,
    openai,
    openai_responses,
    openrouter,
    reasoning,
    sampling,
    streamoptions,
    tooluse,
)
from core.transformers.base import Facts, Transformer
from core.transformers.chain import Chain, joined, misplaced, parse

__all__ = ["TRANSFORMERS", "Chain", "Facts", "Transformer", "chain", "mistakes"]

#: Name to transformer, in the order in which the documentation lists them.
TRANSFORMERS: Mapping[str, Transformer] = MappingProxyType(
    {
        module.TRANSFORMER.name: module.TRANSFORMER
        for module in (
            anthropic,
            openai,
            openai_responses,
            gemini,
            deepseek,
            openrouter,
            groq,
            ollama,
            maxtoken,
            maxcompletiontokens,
            tooluse,
            reasoning,
            sampling,
            enhancetool,
            cleancache,
            streamoptions,
            customparams,
            forcereasoning,
            extrathinktag,
        )
    }
)


def chain(provider: Iterable[object], model: Iterable[object] = ()) -> Chain:
    """The transformers of a target, from its provider's list and its model's. ValueError as `mistakes` says."""
    return joined([parse(entry, TRANSFORMERS) for entry in provider], [parse(entry, TRANSFORMERS) for entry in model])


def mistakes(entries: Iterable[object], dialect: str = "") -> list[str]:
    """What is wrong with a list of them, on a provider of this dialect if it is given."""
    found = []
    for entry in entries:
        try:
            use = parse(entry, TRANSFORMERS)
        except ValueError as exc:
            found.append(str(exc))
            continue
        if dialect and (why := misplaced(use, dialect)):
            found.append(why)
    return found
