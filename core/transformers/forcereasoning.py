"""`forcereasoning`: thinking from models that have none of their own: they are told to write it down first."""

from core.transformers.base import ANTHROPIC, OLLAMA, OPENAI, Facts, Options, Transformer
from core.transformers.body import Body
from core.transformers.thinktag import ThinkTag
from core.transformers.wire import instruct

_PROMPT = (
    "Think before you answer, however simple the question looks, and write your reasoning down in full. Begin every "
    "answer with <think>, then your reasoning, then </think>; after that give your answer or call your tools."
)


def _request(body: Body, _: Options, facts: Facts) -> None:
    instruct(body, facts, _PROMPT)


def _answer(_: Options, __: Facts) -> ThinkTag:
    return ThinkTag("think")


TRANSFORMER = Transformer(
    "forcereasoning",
    "Makes a model think in <think>…</think> first, and reads that as thinking.",
    (OPENAI, ANTHROPIC, OLLAMA),
    request=_request,
    answer=_answer,
)
