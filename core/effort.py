"""How hard a client wants the model to think, on one scale whatever its dialect."""

from core.messages import Thinking

#: From least to most.
EFFORTS = ("none", "low", "medium", "high", "xhigh", "max")
#: Thinking budgets up to so many tokens; above is high. No provider publishes such a table: other routers use this one.
BUDGETS = ((0, "none"), (1024, "low"), (8192, "medium"))
#: Names that dialects use beside the scale's own.
ALIASES = {"minimal": "low", "off": "none"}


def effort_of(thinking: Thinking) -> str:
    """The effort: as sent, else from the budget; `adaptive` alone is `medium`, since some clients always send it."""
    if thinking.type == "disabled":
        return "none"
    sent = thinking.effort.lower()
    sent = ALIASES.get(sent, sent)
    if sent in EFFORTS:
        return sent
    if thinking.type == "enabled" and thinking.budget is not None:
        return effort_of_budget(thinking.budget)
    return "medium" if thinking.type in {"adaptive", "enabled"} else "none"


def effort_of_budget(tokens: int) -> str:
    """The effort that a budget of thinking tokens amounts to."""
    return next((name for most, name in BUDGETS if tokens <= most), "high")


def at_least(effort: str, least: str) -> bool:
    """Whether `effort` is `least` or more; `none` never is."""
    return effort != "none" and EFFORTS.index(effort) >= EFFORTS.index(least)
