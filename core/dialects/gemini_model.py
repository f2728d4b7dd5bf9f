"""What a Gemini model is by its name: its generation, and how much it may be told to think.

Sources: Google's documentation, "Gemini thinking" (levels and budgets by model) and "OpenAI compatibility" (which level
or budget an effort is).
"""

import re
from typing import Any

from core.effort import effort_of
from core.exchange import Candidate
from core.messages import Request

_GENERATION = re.compile(r"gemini-(\d+)(?:\.(\d+))?")
#: An alias of the newest one.
_LATEST = re.compile(r"gemini-[a-z-]+-latest$")
#: Models for pictures and speech, which take no such configuration.
_NEVER = re.compile(r"image|tts|audio")
#: Thinking budgets by effort, in tokens.
_BUDGETS = {"none": 0, "low": 1024, "medium": 8192, "high": 24_576, "xhigh": 24_576, "max": 32_768}
#: The model decides.
_DYNAMIC = -1


def generation(model: str) -> tuple[int, int]:
    """(3, 1) of `gemini-3.1-pro`; a model of another family, or of an unknown generation, is (0, 0)."""
    if found := _GENERATION.search(model):
        return int(found[1]), int(found[2] or 0)
    return (3, 0) if _LATEST.search(model) else (0, 0)


def is_current(model: str) -> bool:
    """Whether it is of generation 3 or later: thinking by level, signatures demanded, tools of both kinds at once."""
    return generation(model) >= (3, 0)


def thinking_config(request: Request, candidate: Candidate) -> dict[str, Any]:
    """`thinkingConfig`; empty where the model takes none, or nothing was said and the provider's default is meant.

    An Anthropic client that says nothing wants no thinking, and counts on `max_tokens` being all for the answer.
    """
    model, thinking = candidate.target.model, request.thinking
    said = bool(thinking.type or thinking.effort) or request.dialect == "anthropic"
    if candidate.drop_thinking or not said or generation(model) < (2, 5) or _NEVER.search(model):
        return {}
    effort = effort_of(thinking)
    config: dict[str, Any] = {"includeThoughts": True} if effort != "none" else {}
    dynamic = thinking.type in {"adaptive", "enabled"} and not thinking.effort and thinking.budget is None
    if is_current(model):
        return config if dynamic else config | {"thinkingLevel": _level(effort, model)}
    return config | {"thinkingBudget": _DYNAMIC if dynamic else _budget(request, effort, candidate)}


def _level(effort: str, model: str) -> str:
    """What the model has of an effort: Pro models cannot go without, and the first one has two levels."""
    pro = "pro" in model
    if effort == "none":
        return "low" if pro else "minimal"
    if effort == "medium" and pro and generation(model) == (3, 0):
        return "high"
    return effort if effort in {"low", "medium"} else "high"


def _budget(request: Request, effort: str, candidate: Candidate) -> int:
    """Tokens within what the model takes; of an answer's length, half is for the answer."""
    least, most = _range(candidate.target.model)
    wanted = _BUDGETS[effort] if request.thinking.budget is None or effort == "none" else request.thinking.budget
    limits = [limit // 2 for limit in (request.max_tokens, candidate.max_tokens) if limit]
    wanted = min(wanted, most, *limits)
    if wanted <= 0 and "pro" not in candidate.target.model:
        return 0
    return max(wanted, least)


def _range(model: str) -> tuple[int, int]:
    """Fewest and most tokens, beside 0, which all but Pro models take."""
    if "pro" in model:
        return 128, 32_768
    return (512 if "lite" in model else 1), 24_576
