"""`extrathinktag`: thinking that a server leaves in the text, between tags."""

from typing import Annotated

from msgspec import Meta

from core.transformers.base import Facts, Options, Transformer
from core.transformers.thinktag import ThinkTag


class ExtraThinkTag(Options, frozen=True):
    """`tag`: its name. `inside`: the answer begins within it, because the server's template has opened it."""

    tag: Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_:-]{0,31}$")] = "think"
    inside: bool = False


def _answer(options: ExtraThinkTag, _: Facts) -> ThinkTag:
    return ThinkTag(options.tag, inside=options.inside)


TRANSFORMER = Transformer(
    "extrathinktag", "Reads <think>…</think> in the text as thinking.", options=ExtraThinkTag, answer=_answer
)
