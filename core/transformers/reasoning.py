"""`reasoning`: servers whose switch for thinking is `enable_thinking` (Qwen, SiliconFlow, SGLang and others).

They answer with `reasoning_content`, which the dialect reads, and take it back in the history.
"""

from core.effort import effort_of
from core.transformers.base import OPENAI, Facts, Options, Transformer
from core.transformers.body import Body

_KEEPS = frozenset({"reasoning_content"})


class Reasoning(Options, frozen=True):
    """`enable`: thinking always or never; left out, as the client asks for it."""

    enable: bool | None = None


def _request(body: Body, options: Reasoning, facts: Facts) -> None:
    thinking = facts.request.thinking
    said = bool(thinking.type or thinking.effort)
    if options.enable is None and not said and not facts.candidate.drop_thinking:
        return  # the client left it to the model
    wanted = effort_of(thinking) != "none" if options.enable is None else options.enable
    wanted = wanted and not facts.candidate.drop_thinking
    body.set(wanted, "enable_thinking")
    if wanted and thinking.budget:
        body.set(thinking.budget, "thinking_budget")
    body.drop("reasoning_effort")


TRANSFORMER = Transformer(
    "reasoning",
    "Turns thinking on and off by enable_thinking.",
    (OPENAI,),
    Reasoning,
    request=_request,
    keeps=lambda _: _KEEPS,
)
