"""`groq`: Groq refuses members that it does not know, in messages and in tools.

Source: Groq's documentation, "OpenAI Compatibility": names, log probabilities and more than one choice are refused
with a 400, and so are `reasoning_content` and `cache_control` ("property … is unsupported"). That it makes a new id for
a call in each chunk is the stream decoder's to bear: `openai_slots`.
"""

from core.dialects.splice import Edit, Edits
from core.transformers.base import OPENAI, Facts, Options, Transformer
from core.transformers.body import Body
from core.transformers.cleancache import clean
from core.transformers.openai import foreign_members
from core.transformers.wire import schema_without

_REFUSED = ("logprobs", "logit_bias", "top_logprobs", "prompt_cache_key", "store", "metadata", "cache_control")
_REFUSED_IN_MESSAGES = ("reasoning_content", "reasoning_details", "name", "refusal", "annotations", "audio")


def _request(body: Body, _: Options, facts: Facts) -> None:
    body.drop(*_REFUSED)
    body.edit("messages", foreign_members(body, _REFUSED_IN_MESSAGES))
    clean(body, "messages", "tools")
    body.edit("tools", _schemas(body))
    _effort(body, facts.model)


def _effort(body: Body, model: str) -> None:
    """Each family has efforts of its own ("Reasoning"); other models refuse the member."""
    sent = body.get("reasoning_effort")
    if sent is None or "gpt-oss" in model:
        return
    if "qwen3" in model:
        body.set("none" if sent == "none" else "default", "reasoning_effort")
    else:
        body.drop("reasoning_effort")


def _schemas(body: Body) -> dict[str | int, Edit]:
    """Edits that take `$schema` out of what tools take."""
    if b'"$schema"' not in body.raw("tools"):
        return {}
    edit: Edits = {"function": {"parameters": lambda raw: schema_without(raw, "$schema")}}
    return {number: edit for number, tool in body.each("tools") if b'"$schema"' in bytes(tool.get("function", b""))}


TRANSFORMER = Transformer(
    "groq",
    "Takes out what Groq refuses: cache_control, $schema, reasoning of earlier turns, log probabilities.",
    (OPENAI,),
    request=_request,
)
