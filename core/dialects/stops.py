"""Why an answer ended, and how much thinking is wanted, in the words of both dialects.

Sources: Anthropic's `stop_reason`, OpenAI's `finish_reason` and `reasoning_effort`.
"""

from core.effort import effort_of_budget
from core.messages import Thinking

_TO_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_FROM_FINISH = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
    "max_tokens": "max_tokens",  # several servers say it in another word
    "model_length": "max_tokens",
}
#: Thinking budget in tokens for an effort: the upper ends in `core.effort`, and beyond them twice as much a step.
BUDGETS = {"low": 1024, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 32768}


def finish_reason(stop_reason: str) -> str:
    """OpenAI's finish_reason."""
    return _TO_FINISH.get(stop_reason, "stop")


def stop_reason(finish_reason: str, *, tool_used: bool, matched: str | None = None) -> str:
    """Anthropic's stop_reason. It is tool_use if and only if a call was made, whatever the server wrote.

    `matched` is the stop string, which vLLM and its relatives report beside `finish_reason: "stop"`.
    """
    reason = _FROM_FINISH.get(finish_reason, "end_turn")
    if reason in {"end_turn", "tool_use"}:
        if tool_used:
            return "tool_use"
        return "stop_sequence" if matched else "end_turn"
    return reason


def effort(thinking: Thinking) -> str:
    """The effort that was asked for, empty if the model may choose (`adaptive` alone, or nothing said)."""
    if thinking.type == "disabled":
        return ""
    if thinking.effort:
        return thinking.effort
    if thinking.type == "enabled" and thinking.budget is not None:
        return effort_of_budget(thinking.budget)
    return ""
