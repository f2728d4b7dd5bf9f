"""What an image costs each family of models, by its width and height in pixels; pure.

Sources. Anthropic, "Vision": one token a patch of 28 × 28 pixels, after the image was scaled down, if it must be, to
1568 pixels on its long edge and 1568 tokens; 2576 and 4784 from Opus 4.7 on. OpenAI, "Images and vision": tiles of 512
pixels after scaling to 768 on the short edge, or patches of 32 times a factor. Google, "Understand and count tokens":
258 tokens a tile, a tile's side being the short edge by 1.5; from Gemini 3 on a fixed number ("Media resolution").
Other families publish no rule; Anthropic's stands for them.
"""

import math
import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

from core.model_names import same_model


class Rule(NamedTuple):
    """Tokens of an image of a size, and of one whose size cannot be seen: the most that it may cost."""

    tokens: Callable[[int, int], int]
    most: int


def scaled_patches(width: int, height: int, *, edge: int, most: int) -> int:
    """Anthropic's: patches of 28 pixels of the image as it is scaled."""
    scale = min(1.0, edge / max(width, height), 28 * math.sqrt(most / (width * height)))
    return min(most, math.ceil(width * scale / 28) * math.ceil(height * scale / 28))


def tiles(width: int, height: int, *, base: int, tile: int) -> int:
    """OpenAI's for older models: fit into 2048 × 2048, then 768 on the short edge, then tiles of 512."""
    scale = min(1.0, 2048 / max(width, height))
    scale = min(scale, 768 / min(width, height))
    return base + tile * math.ceil(width * scale / 512) * math.ceil(height * scale / 512)


def patches(width: int, height: int, *, most: int, factor: float) -> int:
    """OpenAI's for newer and small models: patches of 32 pixels, at most so many, times a factor."""
    return math.ceil(min(most, math.ceil(width / 32) * math.ceil(height / 32)) * factor)


def crops(width: int, height: int) -> int:
    """Google's before Gemini 3: fit into 3072 × 3072, then tiles; a small image is one."""
    if max(width, height) <= 384:
        return 258
    scale = min(1.0, 3072 / max(width, height))
    width, height = math.ceil(width * scale), math.ceil(height * scale)
    side = min(768, max(256, math.floor(min(width, height) / 1.5)))
    return 258 * math.ceil(width / side) * math.ceil(height / side)


def fixed(_width: int, _height: int, *, tokens: int) -> int:
    """The same for every image."""
    return tokens


def _tiled(base: int, tile: int) -> Rule:
    return Rule(partial(tiles, base=base, tile=tile), base + 8 * tile)


def _patched(most: int, factor: float) -> Rule:
    return Rule(partial(patches, most=most, factor=factor), math.ceil(most * factor))


_ANTHROPIC = Rule(partial(scaled_patches, edge=1568, most=1568), 1568)
_ANTHROPIC_LARGE = Rule(partial(scaled_patches, edge=2576, most=4784), 4784)

#: Expressions over `model_names.same_model`; the first that fits at its beginning counts.
RULES: tuple[tuple[re.Pattern[str], Rule], ...] = tuple(
    (re.compile(pattern), rule)
    for pattern, rule in (
        (r"claude-(opus-4-[7-9]|[a-z]+-[5-9])", _ANTHROPIC_LARGE),
        (r"gpt-4o-mini", _tiled(2833, 5667)),
        (r"gpt-4\.1-mini", _patched(1536, 1.62)),
        (r"gpt-4\.1-nano", _patched(1536, 2.46)),
        (r"o4-mini", _patched(1536, 1.72)),
        (r"o[13](-|$)", _tiled(75, 150)),
        (r"gpt-5-mini", _patched(1536, 1.2)),
        (r"gpt-5-nano", _patched(1536, 1.5)),
        (r"gpt-5(\.1)?(-|$)", _tiled(70, 140)),
        (r"gpt-([6-9]|5\.)", _patched(2500, 1.2)),
        (r"gpt-4", _tiled(85, 170)),
        (r"gemini-([12]|exp)", Rule(crops, 258 * 16)),
        (r"gemini-", Rule(partial(fixed, tokens=1120), 1120)),
    )
)


@lru_cache(maxsize=1024)
def rule_of(model: str) -> Rule:
    """The rule of a model's family. Callers bound the name's length: it is cached."""
    name = same_model(model)
    return next((rule for pattern, rule in RULES if pattern.match(name)), _ANTHROPIC)
