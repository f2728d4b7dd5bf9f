"""How an Anthropic model is told to think. Older ones take a budget, newer ones `adaptive` and an effort, some either;
each refuses what it does not take (Anthropic, "Extended thinking", "Adaptive thinking", "Effort").
"""

from typing import Any

import msgspec

from core.dialects.sealing import is_foreign, opened
from core.dialects.splice import Edit
from core.dialects.stops import BUDGETS
from core.effort import ALIASES, effort_of
from core.exchange import Candidate
from core.messages import Block, Request

#: Anthropic's least thinking budget.
MIN_BUDGET = 1024
#: Top-level fields that newer models refuse.
SAMPLING = ("temperature", "top_p", "top_k")


def takes_adaptive(candidate: Candidate) -> bool:
    """Whether the model takes `adaptive`; one of which nothing is known is told a budget, as all once were."""
    return candidate.thinking_mode in {"adaptive", "both"}


def adaptive(effort: str, candidate: Candidate) -> dict[str, Any]:
    """The fields that have a model think as much as it sees fit, guided by an effort."""
    fields: dict[str, Any] = {"thinking": {"type": "adaptive"}}
    if "effort" not in candidate.without:
        fields["output_config"] = {"effort": _effort(effort, candidate)}
    return fields


def _effort(effort: str, candidate: Candidate) -> str:
    """One that the model knows: `xhigh` came with those that take nothing but `adaptive`."""
    known = ALIASES.get(effort, effort)
    return "high" if known == "xhigh" and candidate.thinking_mode != "adaptive" else known


def edits(request: Request, candidate: Candidate) -> dict[str | int, Edit]:
    """What must change in a request of an Anthropic client that was routed to another model than it asked for."""
    if request.model == candidate.target.model:
        return {}  # who names the model knows what it takes
    changed: dict[str | int, Edit] = {}
    if "sampling" in candidate.without:
        changed |= {name: None for name in SAMPLING if name in request.fields}
    if "effort" in candidate.without and request.thinking.effort:
        changed["output_config"] = {"effort": None}
    if request.thinking.type == "adaptive" and candidate.thinking_mode == "budget":
        changed["thinking"] = _budgeted(request, candidate)
    elif request.thinking.type == "enabled" and candidate.thinking_mode == "adaptive":
        changed["thinking"] = b'{"type":"adaptive"}'
        if not request.thinking.effort and "effort" not in candidate.without:
            effort = msgspec.json.encode(effort_of(request.thinking))
            has_config = "output_config" in request.fields
            changed["output_config"] = {"effort": effort} if has_config else b'{"effort":' + effort + b"}"
    return changed


def _budgeted(request: Request, candidate: Candidate) -> bytes | None:
    """`thinking` with a budget in place of `adaptive`; None where it cannot be: too little room for an answer, or a
    tool loop whose turn does not begin with thinking, which only `adaptive` allows.
    """
    limits = [limit for limit in (request.max_tokens, candidate.max_tokens) if limit]
    budget = BUDGETS.get(effort_of(request.thinking), 0)
    if limits:
        budget = min(budget, min(limits) // 2)
    if budget < MIN_BUDGET or in_loop_without_thinking(request, candidate):
        return None
    return msgspec.json.encode({"type": "enabled", "budget_tokens": budget})


def returned(block: Block, candidate: Candidate) -> dict[str | int, Edit] | None:
    """The edits with which a block goes back to the provider: none if it is as it was; None: it does not go at all.

    Servers that copy the API often sign nothing: what is not signed may be theirs.
    """
    if not is_foreign(block) or (candidate.copy and block.type == "thinking" and not block.signature):
        return {}
    name = "data" if block.type == "redacted_thinking" else "signature"
    payload = opened(getattr(block, name), candidate.target.provider)
    return {name: msgspec.json.encode(payload)} if payload or (payload is not None and candidate.copy) else None


def in_loop_without_thinking(request: Request, candidate: Candidate) -> bool:
    """Whether a tool loop is under way that does not begin with thinking which Anthropic signed.

    With `thinking: enabled` it must; `adaptive` does not ask for it (Anthropic, "Extended thinking with tool use").
    For that the whole loop is one turn: only its first message counts, and another provider may have answered that.
    """
    first = None
    for message in reversed(request.messages):
        if message.role == "assistant":
            first = message
        elif message.role == "user" and not any(block.type == "tool_result" for block in message.content):
            break
    if first is None or not any(block.type == "tool_result" for block in request.messages[-1].content):
        return False
    kept = [block.type for block in first.content if returned(block, candidate) is not None]
    return not kept or kept[0] not in {"thinking", "redacted_thinking"}
