"""`ollama`: a running Ollama's context length.

Ollama cuts a prompt that is longer than its context without a word. Its own API takes the length with each request, and
the dialect sends it; its OpenAI side does not, so there a longer prompt is refused, and the next target asked.
"""

from typing import Annotated

from msgspec import Meta

from core.errors import BadRequest
from core.transformers.base import OLLAMA, OPENAI, Facts, Options, Transformer
from core.transformers.body import Body


class Ollama(Options, frozen=True):
    """`num_ctx`: tokens of context; on the OpenAI side those that the server runs with (OLLAMA_CONTEXT_LENGTH).

    `keep_alive`: how long the model stays loaded, e.g. "30m".
    """

    num_ctx: Annotated[int, Meta(ge=1)] | None = None
    keep_alive: str = ""


def _request(body: Body, options: Ollama, facts: Facts) -> None:
    if facts.dialect == OLLAMA:
        if options.num_ctx:
            body.set(options.num_ctx, "options", "num_ctx")
        if options.keep_alive:
            body.set(options.keep_alive, "keep_alive")
        return
    if options.num_ctx and facts.request.tokens > options.num_ctx:
        raise BadRequest(
            f"messages: about {facts.request.tokens} tokens are more than the {options.num_ctx} that this Ollama runs "
            "with, and it would cut them; start it with a larger OLLAMA_CONTEXT_LENGTH, or shorten the conversation"
        )


def _wrong(options: Ollama, dialect: str) -> str:
    if dialect == OPENAI and (options.keep_alive or not options.num_ctx):
        return 'ollama: on the dialect openai it takes num_ctx alone; for more set dialect = "ollama"'
    if options == Ollama():
        return "ollama: give num_ctx or keep_alive"
    return ""


TRANSFORMER = Transformer(
    "ollama",
    "Sets Ollama's context length, or refuses what its OpenAI side would cut.",
    (OLLAMA, OPENAI),
    Ollama,
    request=_request,
    wrong=_wrong,
)
