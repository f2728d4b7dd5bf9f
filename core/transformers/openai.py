"""`openai`: OpenAI itself, which refuses members that are not its own, as clients of other servers send them.

What it wants of every request, the dialect does without being told: `max_completion_tokens` for reasoning models, usage
at the end of a stream. A request of the same dialect passes as it came, though; this takes out what OpenAI refuses.
"""

from core.dialects.openai_encode import is_reasoning
from core.dialects.splice import Edits
from core.transformers.base import OPENAI, Facts, Options, Transformer
from core.transformers.body import Body
from core.transformers.cleancache import clean

#: Members of other servers of this dialect (vLLM, OpenRouter, DeepSeek), at the top and in messages.
_NOT_OPENAI = (
    "top_k",
    "repetition_penalty",
    "min_p",
    "enable_thinking",
    "thinking",
    "provider",
    "transforms",
    "models",
)
_NOT_IN_MESSAGES = ("reasoning_content", "reasoning_details", "reasoning")
#: What reasoning models refuse unless it has its default (OpenAI, "Reasoning models").
_NOT_REASONING = (
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "logit_bias",
)


def _request(body: Body, _: Options, facts: Facts) -> None:
    body.drop(*_NOT_OPENAI)
    if is_reasoning(facts.model):
        body.drop(*_NOT_REASONING)
    body.edit("messages", foreign_members(body, _NOT_IN_MESSAGES))
    clean(body, "messages", "tools")
    body.drop("cache_control")


def foreign_members(body: Body, names: tuple[str, ...]) -> Edits:
    """Edits that take these members out of messages."""
    raw = body.raw("messages")
    if not any(name.encode() in raw for name in names):
        return {}
    found = {number: [name for name in names if name in message] for number, message in body.each("messages")}
    return {number: dict.fromkeys(there) for number, there in found.items() if there}


TRANSFORMER = Transformer(
    "openai",
    "Takes out what OpenAI itself refuses in requests that were made for other servers.",
    (OPENAI,),
    request=_request,
)
