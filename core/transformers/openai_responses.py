"""`openai-responses`: what an operator may want of OpenAI's Responses API; the rest is its dialect's."""

from typing import Literal

from core.transformers.base import RESPONSES, Facts, Options, Transformer
from core.transformers.body import Body


class OpenAIResponses(Options, frozen=True):
    """`summary`: how much of its reasoning the model sums up, where it reasons."""

    summary: Literal["auto", "concise", "detailed"] | None = None


def _request(body: Body, options: OpenAIResponses, _: Facts) -> None:
    if options.summary and body.get("reasoning"):
        body.set(options.summary, "reasoning", "summary")


TRANSFORMER = Transformer(
    "openai-responses",
    "Chooses how reasoning is summed up; the rest is the dialect's.",
    (RESPONSES,),
    OpenAIResponses,
    request=_request,
)
